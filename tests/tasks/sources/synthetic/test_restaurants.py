from __future__ import annotations

import re

import numpy as np
import pytest

from bench_lib.tasks import TASKS
from bench_lib.tasks.formats.text_metrics import Written, bleu
from bench_lib.tasks.scoring.constant_baseline import constant_baseline
from bench_lib.tasks.sources.load import load_data
from bench_lib.tasks.sources.synthetic import best_reachable, generate
from bench_lib.tasks.sources.synthetic.draw import Draw
from bench_lib.tasks.sources.synthetic.restaurants import Description, description

FACTS = {"name": "The Mill", "eatType": "pub", "food": "Italian", "area": "riverside", "near": "Red Door"}


def drawn(seed: int, unseen: bool) -> Description:
    return description(Draw(np.random.default_rng(seed)), unseen)


def test_a_place_is_described_in_three_ways() -> None:
    place = Description(FACTS, FACTS, ("plain", "called", "advice"))
    assert place.row() == {
        "meaning_representation": "name[The Mill], eatType[pub], food[Italian], area[riverside], near[Red Door]",
        "human_reference": [
            "The Mill is a pub by the river near Red Door that serves Italian food.",
            "There is a pub called The Mill by the river, close to Red Door, which serves Italian food.",
            "If you look for a pub by the river with Italian food, try The Mill. It is next to Red Door.",
        ],
    }
    bare = Description({"name": "A", "eatType": "pub"}, {"name": "A", "eatType": "pub"}, ("plain",))
    assert bare.row()["human_reference"] == ["A is a pub."]


@pytest.mark.parametrize("seed", range(40))
def test_every_fact_is_told_and_nothing_else(seed: int) -> None:
    place = drawn(seed, unseen=True)
    facts = dict(re.findall(r"(\w[\w ]*)\[([^]]+)\]", place.key))
    assert facts["name"] != facts.get("near")
    assert 4 <= len(facts) <= 7
    for text in place.row()["human_reference"]:
        assert not set("{}[]") & set(text)
        assert "  " not in text
        assert text[0].isupper()
        assert text.endswith(".")
        for slot in ("name", "near", "food", "eatType"):
            assert (facts[slot] in text) if slot in facts else True
        assert ("river" in text) == (facts.get("area") == "riverside")
        assert ("hildren" in text) == ("familyFriendly" in facts)


def test_a_corrupted_place_has_one_wrong_fact_in_all_its_references() -> None:
    place = drawn(3, unseen=True)
    wrong = place.corrupt(0, Draw(np.random.default_rng(0)))
    assert wrong.key == place.key
    assert sum(wrong.told[slot] != place.told[slot] for slot in place.told) == 1
    assert all(a != b for a, b in zip(place.row()["human_reference"], wrong.row()["human_reference"], strict=True))


def test_training_has_one_reference_and_evaluation_three_and_other_names() -> None:
    rows = generate("e2e_nlg", train_items=200, eval_items=200)
    assert {len(row["human_reference"]) for row in rows["train"]} == {1}
    assert {len(row["human_reference"]) for row in rows["evaluation"]} == {3}
    names = [{row["meaning_representation"].split("]")[0] for row in split} for split in rows.values()]
    assert names[1] - names[0]


@pytest.mark.parametrize("way", range(3))
def test_any_of_the_ways_reaches_the_best_score(way: int) -> None:
    clean, noisy = (generate("e2e_nlg", noise=noise, train_items=1, eval_items=400) for noise in (0.0, 0.2))
    said = [Written(row["human_reference"][way]) for row in clean["evaluation"]]
    references = [row["human_reference"] for row in noisy["evaluation"]]
    assert bleu((), said, references) == pytest.approx(best_reachable("e2e_nlg", 0.2), abs=0.01)


def test_a_constant_is_far_from_the_best() -> None:
    task = TASKS.get("e2e_nlg")
    evaluation = load_data(task, "embedded").evaluation
    assert len(evaluation) == 1000
    assert 0.2 < constant_baseline(task, evaluation) < 0.5 < best_reachable("e2e_nlg")
