from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bench_lib.report.analysis.claim_contrasts import Contrast, Outcome
from bench_lib.report.analysis.claim_settings import differences, is_same_model, train_examples
from bench_lib.report.analysis.published_claims import Claim

CLAIM = Claim(
    "It is steadier.",
    "mixout",
    "bertadam",
    "more_stable",
    ("sequence",),
    ("rte",),
    ("BERT-large",),
    "s",
    "not verified",
)


def told(contrasts: list[Contrast], **changes: Any) -> list[str]:
    return [str(part) for part in differences(dataclasses.replace(CLAIM, **changes), contrasts)]


@pytest.fixture
def contrast(cell: Any, base: Any) -> Any:
    def make(size: int | None = 640, **changes: Any) -> Contrast:
        return Contrast(cell(**changes), base(), size, (1,), Outcome.UNDECIDED)

    return make


def test_each_part_of_the_setting_that_differs_is_told(contrast: Any) -> None:
    contrasts = [contrast(task="imdb", shared=4), contrast(480, shared=3, technique="mixout:p=0.5")]
    assert told(contrasts, train_examples=2490, seeds=20) == [
        "baseline: adamw here, bertadam in the paper",
        "model: minilm here, BERT-large in the paper",
        "training examples: 480 and 640 here, 2,490 in the paper",
        "tasks: imdb and sst2 here, rte in the paper",
        "settings: mixout and mixout:p=0.5 here, its own in the paper",
        "seeds: at most 4 here, 20 in the paper",
    ]


def test_what_is_the_same_is_not_told(contrast: Any) -> None:
    same = {"baseline": "adamw", "models": ("MiniLM",), "train_examples": 640, "seeds": 30}
    assert told([contrast()], **same, tasks=("sst2",)) == []
    assert told([contrast()], **same, tasks=("GLUE",)) == []
    assert told([contrast(task="imdb")], **same, tasks=("GLUE",)) == ["tasks: imdb here, GLUE in the paper"]


def test_a_size_that_is_not_on_record_is_said_to_be_so(contrast: Any) -> None:
    assert "training examples: all here, the paper's not on record" in told([contrast(None)])


@pytest.mark.parametrize(
    ("profile", "size"),
    [({"train_examples": 640}, 640), ({"per_class": 8}, 16), ({"per_class": 0}, 0), ({"train_examples": None}, None)],
)
def test_the_size_of_a_training_set(profile: dict[str, Any], size: int | None) -> None:
    assert train_examples({"profile": profile}, "sst2") == size
    assert train_examples({}, "sst2") is None


def test_a_model_is_known_by_the_paper_s_name() -> None:
    assert is_same_model("google-bert/bert-large-uncased", ["RoBERTa", "BERT-large"])
    assert is_same_model("bert-large-uncased", ["BERT"])
    assert not is_same_model("FacebookAI/roberta-large", ["BERT"])
    assert not is_same_model("minilm", ["BERT-large"])
