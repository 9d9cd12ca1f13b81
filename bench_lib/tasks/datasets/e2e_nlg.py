"""E2E NLG: a restaurant's facts as a sentence or two."""

from __future__ import annotations

from bench_lib.tasks.formats.text_generation import TEXT_GENERATION
from bench_lib.tasks.formats.writing import Writing
from bench_lib.tasks.task import Task

E2E_NLG = Task(
    name="e2e_nlg",
    format=TEXT_GENERATION,
    description="data to text: facts about a restaurant, each set with several descriptions, 42,061 for training",
    columns=("meaning_representation", "human_reference"),
    labels=(),
    metrics=("bleu", "chrf", "rouge_l", "likelihood", "nonempty", "ended", "unrepeated"),
    licence="CC BY-SA 4.0",
    citation=(
        "@inproceedings{novikova2017e2e, author={Novikova, Jekaterina and Dušek, Ondřej and Rieser, Verena}, title={The"
        " E2E Dataset: New Challenges For End-to-End Generation}, booktitle={SIGDIAL}, pages={201--206}, year={2017}}"
    ),
    eval_split="test",
    writing=Writing("{}\nDescription:"),
)
