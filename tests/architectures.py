"""The page on architectures: what each technique does with a tiny random model of each family.

`python -m tests.architectures > docs/architectures.md` makes it anew, some fifteen minutes on two cores.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from unittest.mock import patch

import transformers
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

from bench_lib.core.profiles import PROFILES
from bench_lib.core.record import Status
from bench_lib.core.spec import Ref, RunSpec
from bench_lib.models import MODELS
from bench_lib.models.architecture import Architecture, architecture_of
from bench_lib.models.source import resolve
from bench_lib.runner.execute import execute
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import QUESTION_ANSWERING, TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION, Format
from bench_lib.tasks.sources.load import load_data
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.hooks import Prompts
from bench_lib.techniques.interface.stack import parse_stack
from bench_lib.techniques.interface.technique import Technique
from bench_lib.validation.conformance import TASK_OF
from tests.conftest import BRIEF
from tests.families import ALL, FAMILIES, TWO_STACKS, Families

SMALL = {"train_examples": 4, "eval_examples": 4, "batch_size": 2, "epochs": 1, "evaluations": 1, "max_length": 32}
LONGER = {"max_length": 160, "stride": 16}
"""A window holds a question and more than the next one repeats."""
STACKS = {
    **BRIEF,
    "intermediate_task": "intermediate_task:task=imdb",
    "lm_bff": "lm_bff:words=g is",
    "multi_task": "multi_task:tasks=imdb",
}
"""In place of techniques that would train for long, on data that are not made up here, or by words that are no tokens.
"""
HEADS: Mapping[str, tuple[str, Format]] = {
    "t5 tokens": ("t5", TOKEN_CLASSIFICATION),
    "t5 spans": ("t5", QUESTION_ANSWERING),
    "bart spans": ("bart", QUESTION_ANSWERING),
}
"""Heads that stand on other parts of their family, or at other tokens, than that for classes."""
COLUMNS = (*ALL, *HEADS)
ACTS = "✓"
INTRODUCTION = """\
# Architectures

Made by `python -m tests.architectures > docs/architectures.md`, from tiny models of random weights that are built from
the families' own classes in transformers.

## Where the parts lie

Layer 0 is below the first block, the n blocks of a model are layers 1 to n, and pooler and head are above them. What
techniques freeze, anchor, mix or slow down follows from these layers. The blocks of a decoder that reads an encoder
follow the m blocks of that encoder. T5 and BART have a row for each head that is not the one for classes of texts.
"""
TECHNIQUES_OF = f"""
## What techniques do with them

Each technique ran for two steps on a model of each family, with the settings that it has by default or as
{", ".join(f"`{stack}`" for stack in STACKS.values())}, and evaluated it.
Under a family's name alone it was given the first kind of task that it does not decline, classes of texts if it can.
{ACTS}: it acts; a number: it declines, for the reason of that number below. Techniques that pool trained seeds were not
run: they take what any model predicts or weighs.
"""
Outcomes = Mapping[str, Mapping[str, str]]
"""By technique and family the reason for declining, empty where the technique acts."""


def page(families: Families, outcomes: Outcomes) -> str:
    """The page: where families have their parts, and what techniques do with them."""
    names = list(next(iter(outcomes.values())))
    # Every reason once, in the order of the table.
    reasons = dict.fromkeys(reason for row in outcomes.values() for reason in row.values() if reason)
    numbers = {reason: str(number) for number, reason in enumerate(reasons, start=1)}
    matrix = [("technique", "version", *names)]
    for technique, row in outcomes.items():
        matrix.append((technique, TECHNIQUES.get(technique).version, *(numbers.get(row[n], ACTS) for n in names)))
    notes = [f"{number}. {reason}" for reason, number in numbers.items()]
    return "\n".join([where(families, names), TECHNIQUES_OF, *_table(matrix), "\n## Why some decline\n", *notes, ""])


def where(families: Families, names: Iterable[str]) -> str:
    """The first half of the page, which takes no runs: where families have their parts."""
    parts = [("family", "embeddings", "blocks", "beside them, with their layers", "pooler")]
    for name in names:
        family, task_format = HEADS.get(name, (name, TEXT_CLASSIFICATION))
        model = families.model(family, getattr(transformers, task_format.auto_model))
        parts.append((name, *_parts(architecture_of(model), [n for n, _ in model.named_parameters()])))
    return "\n".join([INTRODUCTION, *_table(parts)])


def outcomes_of(techniques: Iterable[str], families: Families, names: Iterable[str]) -> Outcomes:
    """What techniques do with families; what neither acts nor declines is an error of ours and raises."""
    found: dict[str, dict[str, str]] = {technique: {} for technique in techniques}
    for name in names:
        sys.stderr.write(f"{name}\n")
        for technique in map(TECHNIQUES.get, found):
            declined = _on_head if name in HEADS else _on_family
            found[technique.name][name] = declined(technique, families, name)
    return found


def _on_family(technique: type[Technique], families: Families, name: str) -> str:
    auto = AutoModelForMaskedLM if name in FAMILIES else AutoModelForCausalLM
    auto = AutoModelForSeq2SeqLM if name in TWO_STACKS else auto
    with_words = (auto, f"{name}-words") if isinstance(technique(), Prompts) else ()
    task_format = next(task_format for task_format in TASK_OF if not technique().declines(task_format))
    return _declined(technique, resolve(str(families.folder(name, *with_words)), MODELS), task_format)


def _on_head(technique: type[Technique], families: Families, name: str) -> str:
    family, task_format = HEADS[name]
    folder = families.folder(family, AutoModel, f"{family}-longer", max_position_embeddings=LONGER["max_length"])
    return _declined(technique, resolve(str(folder), MODELS), task_format)


def _declined(technique: type[Technique], ref: Ref, task_format: Format) -> str:
    made = technique()
    if made.pools():
        return ""
    task = TASKS.get(TASK_OF[task_format])
    sizes = SMALL | (LONGER if task_format.reads_windows else {})
    spec = RunSpec(
        task=task.name,
        task_version=task.version,
        data=Ref("embedded", load_data(task, "embedded").fingerprint),
        stack=parse_stack(STACKS.get(made.name, made.name), TECHNIQUES).spec(),
        model=ref,
        profile=dataclasses.replace(PROFILES.get("smoke")(task.name, task_format), **sizes),
        seed=0,
        profile_name="smoke",
    )
    # In place of the models of another hub, that a technique would translate with: they are none of the family.
    with patch("bench_lib.harness.augment.load_translator", lambda _: list):
        (record,) = execute([spec])
    if record.status not in (Status.CONVERGED, Status.COLLAPSED, Status.UNSUPPORTED):
        raise RuntimeError(f"{made.name} on {ref.name} ended as {record.status}: {record.reason}")
    # A reason counts once, whatever the class of the model and the folder that it was made in.
    heads = "Model|For(Sequence|Token)Classification|ForQuestionAnswering"
    named = re.sub(rf"\b[A-Z]\w+({heads})\b", "the model", record.reason)
    named = named.replace(ref.name, "the model")
    return named if record.status == Status.UNSUPPORTED else ""


def _parts(architecture: Architecture, names: list[str]) -> tuple[str, ...]:
    known = tuple(f"{place}." for place in (*architecture.embedded, *architecture.lists, architecture.pooler) if place)
    beside = {
        n.rpartition(".")[0]: architecture.layer_index(n)
        for n in names
        if architecture.in_body(n) and not n.startswith(known)
    }
    blocks = _code(architecture.lists) + (", which layers share" if architecture.shared else "")
    layers = {architecture.encoder: "m", 0: "0", 1: "1", architecture.depth: "n"}
    odd = ", ".join(f"`{part}` {layers[layer]}" for part, layer in beside.items())
    return (
        _code(architecture.embedded),
        blocks,
        odd or "none",
        f"`{architecture.pooler}`" if architecture.pooler else "none",
    )


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (rows[0], (":--",) * len(rows[0]), *rows[1:])]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        made = Families(Path(folder))
        sys.stdout.write(page(made, outcomes_of(TECHNIQUES.names(), made, COLUMNS)))
