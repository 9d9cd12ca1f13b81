"""DailyDialog: what is said next in a conversation?"""

from __future__ import annotations

from bench_lib.tasks.formats.text_generation import TEXT_GENERATION
from bench_lib.tasks.formats.writing import Writing
from bench_lib.tasks.task import Task

DAILY_DIALOG = Task(
    name="daily_dialog",
    format=TEXT_GENERATION,
    description="the last turn of an everyday conversation, given those before, 11,118 for training",
    columns=("dialog",),
    labels=(),
    metrics=("bleu", "rouge_l", "likelihood", "nonempty", "ended", "unrepeated"),
    licence="CC BY-NC-SA 4.0",
    citation=(
        "@inproceedings{li2017dailydialog, author={Li, Yanran and Su, Hui and Shen, Xiaoyu and Li, Wenjie and Cao,"
        " Ziqiang and Niu, Shuzi}, title={DailyDialog: A Manually Labelled Multi-turn Dialogue Dataset},"
        " booktitle={IJCNLP}, pages={986--995}, year={2017}}"
    ),
    eval_split="test",
    writing=Writing("{}\nReply:", stops=("\n",)),
)
