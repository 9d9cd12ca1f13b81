"""Which column of a table of runs holds what, guessed by name where the user does not say."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench_lib.core.errors import BadData, UnknownName, require

NAMES: Mapping[str, tuple[str, ...]] = {
    "task": ("task", "dataset", "data_set", "task_name", "dataset_name", "benchmark"),
    "technique": (
        *("technique", "method", "stabilizer", "stabiliser", "approach", "algorithm", "system", "variant", "arm"),
        *("condition", "treatment"),
    ),
    "seed": ("seed", "random_seed", "random_state", "run_seed", "training_seed", "train_seed"),
    "status": ("status", "state", "outcome"),
    "model": ("model", "model_name", "model_name_or_path", "name_or_path", "base_model", "checkpoint"),
}
"""Names of columns by what they hold, the likeliest first; compared without case, punctuation and prefixes."""

HIGHER = frozenset(
    (
        *("accuracy", "acc", "balanced_accuracy", "f1", "macro_f1", "micro_f1", "weighted_f1", "f1_score", "entity_f1"),
        *("mcc", "matthews_correlation", "matthews_corrcoef", "exact_match", "em", "combined_score", "pearson"),
        *("pearsonr", "spearman", "spearmanr", "r2", "kappa", "auc", "auroc", "roc_auc", "precision", "recall", "map"),
        *("bleu", "sacrebleu", "rouge1", "rouge2", "rougel", "rouge_l", "chrf", "meteor", "reward", "win_rate"),
        *("success_rate", "pass_1"),
    )
)
UNBOUNDED = frozenset(("loss", "perplexity", "ppl", "nll", "mse", "rmse", "mae", "bits_per_byte"))
LOWER = UNBOUNDED | {"error", "error_rate", "err", "wer", "cer", "ter", "brier", "ece"}
"""Measures by name: where higher is better, where lower is, and those of the latter that are no share of anything."""

PREFIX = re.compile(r"^(params|config|tags|metrics|summary|summary_metrics)_+")
SPLIT = re.compile(r"^(eval|test|val|validation|valid|dev|final|best)_+")


@dataclass(frozen=True)
class Columns:
    """The column for each part of a run; an empty name is to be guessed, or stands for no such column."""

    score: str = ""
    seed: str = ""
    technique: str = ""
    task: str = ""
    status: str = ""
    model: str = ""

    @classmethod
    def parse(cls, text: str) -> Columns:
        """Columns from text such as `score=eval_accuracy,technique=method`."""
        parts = [part.partition("=") for part in text.split(",") if part.strip()]
        known = [field.name for field in dataclasses.fields(cls)]
        for name, sign, value in parts:
            require(bool(sign and value.strip()), "--columns", text, "PART=COLUMN, several separated by commas")
            if name.strip() not in known:
                raise UnknownName("part of a run", name.strip(), known)
        return cls(**{name.strip(): value.strip() for name, _, value in parts})

    def found_in(self, present: Sequence[str], source: str) -> Columns:
        """The columns with those guessed that were not named; `BadData` for one that is not there or not clear."""
        for part, name in self.named().items():
            if name not in present:
                raise BadData(f"{source}: {UnknownName(f'column for the {part}', name, present)}")
        guessed = {part: _guess(part, present, source) for part in NAMES if not getattr(self, part)}
        score = self.score or _score(present, source)
        return dataclasses.replace(self, score=score, **guessed)

    def named(self) -> dict[str, str]:
        """The names of columns by part, without what has none."""
        return {field.name: name for field in dataclasses.fields(self) if (name := getattr(self, field.name))}


def plain_name(column: str) -> str:
    """A column's name in lower case, with single underscores, and without prefixes such as `params.`."""
    text = re.sub(r"[^0-9a-z]+", "_", column.lower()).strip("_")
    return PREFIX.sub("", text)


def measure(column: str) -> str:
    """The measure that a column is named after, without the split of the data such as `eval/`."""
    return SPLIT.sub("", plain_name(column))


def lower_is_better(column: str) -> bool:
    """Whether lower values of a column are better, as far as its name says."""
    return measure(column) in LOWER


def is_plain_number(column: str) -> bool:
    """Whether a column's name says that its values are neither fractions nor percent, whatever their size."""
    return measure(column) in UNBOUNDED


def _guess(part: str, present: Sequence[str], source: str) -> str:
    plain = [plain_name(column) for column in present]
    for name in NAMES[part]:
        found = [column for column, own in zip(present, plain, strict=True) if own == name]
        if len(found) > 1:
            raise BadData(f"{source} has several columns for the {part}: {', '.join(found)}; name one: {part}=COLUMN")
        if found:
            return found[0]
    return ""


def _score(present: Sequence[str], source: str) -> str:
    names = {column: measure(column) for column in present}
    for among in (("score",), HIGHER, LOWER, ("value", "result")):
        found = [column for column, name in names.items() if name in among]
        if len(found) > 1:
            raise BadData(f"{source} has several columns for the score: {', '.join(found)}; name one: score=COLUMN")
        if found:
            return found[0]
    raise BadData(
        f"{source} has no column whose name says that it is the score; name one of {', '.join(present)}: score=COLUMN"
    )
