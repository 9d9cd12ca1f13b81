"""Which runs were once wrong in silence: what is right now has another identity, so that the two never meet."""

from __future__ import annotations

from collections.abc import Sequence

from bench_lib.core.spec import RunSpec
from bench_lib.harness.fitness import ModelFacts, kept_facts
from bench_lib.tasks.formats import Format
from bench_lib.techniques.toolkit.dropout_rates import NEED_DROPOUT, SET_DROPOUT
from bench_lib.techniques.toolkit.embedding_perturbation import ACT_ON_EMBEDDED

Corrections = tuple[tuple[str, str], ...]


def corrections_of(spec: RunSpec, task_format: Format, labels: Sequence[str]) -> Corrections:
    """The corrections that a run needs, for `RunSpec.corrections`; none of a model that cannot be loaded."""
    return corrections(spec, task_format, labels, kept_facts(spec.model, task_format, len(labels)))


def corrections(spec: RunSpec, task_format: Format, labels: Sequence[str], facts: ModelFacts) -> Corrections:
    """The corrections that a run needs, by what is known of its model: each a name and the version that is right.

    `words`: words were read by themselves and not as running text. `head`: the head of a checkpoint that was fine-tuned
    before was kept. `outside`: words that were cut off counted as the first label and not as `O`. `dropout`: rates were
    not set where they are no layers, or a technique that needs dropout ran without any. `answers`: an answer whose
    first or last character has several tokens began at the last of them and ended at the first. `parts`: what lies
    beside embeddings and blocks passed for the head, a block that layers share for one layer, or a bias for a matrix.
    `embedded`: what a technique did to embeddings reached a table that the model does not read.
    """
    names = {technique.name for technique in spec.stack}
    set_somewhere = spec.profile.dropout is not None or not names.isdisjoint(SET_DROPOUT)
    rate = spec.profile.dropout
    without_any = rate == 0 or (rate is None and not facts.drops_out)
    needed = {
        "words": "words" in task_format.corrections and not facts.reads_words_alike,
        "head": bool(facts.kept_head) and not spec.profile.keep_head,
        "outside": "outside" in task_format.corrections and "O" in labels and labels[0] != "O",
        "dropout": (facts.dropout_outside and set_somewhere) or (without_any and not names.isdisjoint(NEED_DROPOUT)),
        "answers": "answers" in task_format.corrections and facts.shares_characters,
        "parts": facts.misplaced,
        "embedded": facts.embeds_apart and not names.isdisjoint(ACT_ON_EMBEDDED),
    }
    return tuple((name, "2") for name, applies in needed.items() if applies)
