"""Which word embeddings a run reads, and where none can be left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Profile
from bench_lib.harness.datasets import DataKey, Evaluation, Subset, dev_set
from bench_lib.harness.formats.features import Feature
from bench_lib.harness.further import further_evaluation
from bench_lib.harness.robustness import perturbed_set
from bench_lib.tasks.formats import Format


def reads_all_rows(task_format: Format, profile: Profile) -> str:
    """What of a run reads the word embeddings of all tokens, whatever its texts; empty for nothing."""
    if task_format.writes_text:
        return "answers are written by the head of the next word, which has a row for every token"
    if profile.forgetting:
        return "forgetting is measured by a head for words, which has a row for every token"
    return ""


def trimming_problem(task_format: Format, profile: Profile) -> str:
    """Why a profile may not trim the vocabulary for a format's tasks; empty where it may, or does not."""
    reason = reads_all_rows(task_format, profile)
    if not profile.trim_vocabulary or not reason:
        return ""
    return f"profile field trim_vocabulary is True; allowed: False, since {reason}"


def check_trimming(task_format: Format, profile: Profile) -> None:
    """Raise `Unsupported` for a trimmed vocabulary where something reads the word embeddings of all tokens."""
    if problem := trimming_problem(task_format, profile):
        raise Unsupported(problem)


def tokens_read(
    key: DataKey, subset: Subset, profile: Profile, features: Sequence[Feature], evaluation: Evaluation
) -> list[int]:
    """The ids of all tokens that a run reads, in rising order; `features` are those that it trains on.

    The tokenizer's special tokens are among them, and those of the dev set whether or not an observer selects on it,
    so that a training does not depend on its observers.
    """
    tokenizer = key.tokenizer()
    read = [feature.input_ids for feature in (*features, *_evaluated(key, subset, profile, evaluation))]
    special = [*tokenizer.all_special_ids, int(tokenizer.pad_token_id)]
    found: list[int] = np.unique(np.concatenate([np.array(special), *read])).tolist()
    return found


def _evaluated(key: DataKey, subset: Subset, profile: Profile, evaluation: Evaluation) -> Iterator[Feature]:
    yield from evaluation.features
    with suppress(Unsupported):  # no example is left for one, and nothing selects on it
        yield from dev_set(key, subset, profile.dev_examples).features
    if profile.perturb:
        yield from perturbed_set(key, evaluation, profile.perturb).features
    for further in key.data.further:
        yield from further_evaluation(key, further, profile.eval_examples)[1].features
