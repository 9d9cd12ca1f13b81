"""GSM8K: how is a word problem of grade-school mathematics solved, step by step?"""

from __future__ import annotations

from bench_lib.tasks.formats.text_generation import TEXT_GENERATION
from bench_lib.tasks.formats.writing import Writing
from bench_lib.tasks.task import Task

GSM8K = Task(
    name="gsm8k",
    format=TEXT_GENERATION,
    description="word problems with worked solutions that end with the number asked for, 7,473 for training",
    hub_id="openai/gsm8k",
    hub_config="main",
    revision="cc7b047b6e5bb11b4f1af84efc572db110a51b3c",
    columns=("question", "answer"),
    labels=(),
    metrics=("final_number", "rouge_l", "likelihood", "nonempty", "ended", "unrepeated"),
    licence="MIT",
    citation=(
        "@article{cobbe2021training, author={Cobbe, Karl and Kosaraju, Vineet and Bavarian, Mohammad and Chen, Mark and"
        " Jun, Heewoo and Kaiser, Lukasz and Plappert, Matthias and Tworek, Jerry and Hilton, Jacob and Nakano,"
        " Reiichiro and Hesse, Christopher and Schulman, John}, title={Training Verifiers to Solve Math Word Problems},"
        " journal={arXiv:2110.14168}, year={2021}}"
    ),
    eval_split="test",
    writing=Writing("Question: {}\nAnswer:"),
)
