"""CoLA: is a sentence acceptable English?"""

from __future__ import annotations

from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.tasks.task import Task

COLA = Task(
    name="cola",
    format=TEXT_CLASSIFICATION,
    description="linguistic acceptability of example sentences from the literature, scored by Matthews correlation",
    hub_id="nyu-mll/glue",
    hub_config="cola",
    revision="bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c",
    columns=("sentence", "label"),
    labels=("unacceptable", "acceptable"),
    metrics=("mcc",),
    licence="research use",
    citation=(
        "@article{warstadt2019neural, author={Warstadt, Alex and Singh, Amanpreet and Bowman, Samuel R.}, title={Neural"
        " Network Acceptability Judgments}, journal={TACL}, volume={7}, pages={625--641}, year={2019}}"
    ),
    eval_split="validation",
    judges_wording=True,
)
