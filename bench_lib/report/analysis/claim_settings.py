"""The setting of a paper beside that of the contrasts which bear on its claim: what differs, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench_lib.report.analysis.claim_contrasts import Contrast
from bench_lib.report.analysis.published_claims import Claim
from bench_lib.report.prose import name_list
from bench_lib.tasks import TASKS

COLLECTIONS: Mapping[str, frozenset[str]] = {"GLUE": frozenset({"cola", "mrpc", "rte", "sst2"})}
"""The registered tasks of collections that papers name; of GLUE without wnli, which papers mostly leave out."""


@dataclass(frozen=True)
class Difference:
    """A part of the setting that differs: as the paper has it, empty if that is not on record, and as it is here."""

    part: str
    paper: str
    here: str

    def __str__(self) -> str:
        paper = f"{self.paper} in the paper" if self.paper else "the paper's not on record"
        return f"{self.part}: {self.here} here, {paper}"


def differences(claim: Claim, contrasts: Sequence[Contrast]) -> Iterator[Difference]:
    """The differences between a claim's setting and that of its contrasts."""
    baselines = sorted({str(one.base["technique"]) for one in contrasts})
    if baselines != [claim.baseline]:
        yield Difference("baseline", claim.baseline, name_list(baselines))
    models = sorted({str(one.row["model"]) for one in contrasts})
    if not all(is_same_model(model, claim.models) for model in models):
        yield Difference("model", name_list(claim.models), name_list(models))
    sizes = sorted({one.train_examples for one in contrasts}, key=lambda size: size or 0)
    if sizes != [claim.train_examples] or claim.train_examples is None:
        paper = "" if claim.train_examples is None else f"{claim.train_examples:,}"
        yield Difference("training examples", paper, name_list([f"{size:,}" if size else "all" for size in sizes]))
    tasks = [one.task for one in contrasts]
    known = set(claim.tasks).union(*(COLLECTIONS.get(task, ()) for task in claim.tasks))
    if not known.issuperset(tasks):
        yield Difference("tasks", name_list(claim.tasks), name_list(tasks))
    techniques = sorted({str(one.row["technique"]) for one in contrasts})
    if techniques != [claim.technique]:
        yield Difference("settings", "its own", name_list(techniques))
    most = max(one.shared for one in contrasts)
    if claim.seeds is not None and most < claim.seeds:
        yield Difference("seeds", str(claim.seeds), f"at most {most}")


def train_examples(spec: Mapping[str, Any], task: str) -> int | None:
    """The number of training examples of a spec; None for all that a task has."""
    profile = spec.get("profile", {})
    per_class, size = profile.get("per_class"), profile.get("train_examples")
    if per_class is not None:
        return int(per_class) * max(len(TASKS.get(task).labels), 1)
    return None if size is None else int(size)


def is_same_model(name: str, models: Collection[str]) -> bool:
    """Whether a model's name, such as `google-bert/bert-large-uncased`, is one of the paper's, such as `BERT-large`."""
    return any(_letters(name.rpartition("/")[2]).startswith(_letters(model)) for model in models)


def _letters(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())
