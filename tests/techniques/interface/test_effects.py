"""What was measured of every technique, and how it is told."""

from __future__ import annotations

import dataclasses

import pytest

from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.effects import CLEAR, FILE, Effect, Effects, Measured, encoded, measured, percent

ROUNDING = (
    Effect(trained=1, steps=1, passes=1, saved=1, moved=1, uneven=1e-4, apart=0.02, answers=0.003),
    Effect(trained=1, steps=1, passes=1, saved=1, moved=1, uneven=2e-4, apart=0.01, answers=0.002),
)
NOTHING = ROUNDING[0]
IDLE = {
    "adamw": "it is the baseline",
    "bf16": "the profile is in bf16 already",
    "fp16": "it rounds in another way, which is what it is for",
    "best_checkpoint": "the last checkpoint is the best",
    "early_stopping": "as best_checkpoint",
    "recadam": "a tenth of so short a run lies within the warm-up's first step",
    "wd_pre": "its published strength, at the rates of fine-tuning, as its text says",
    "clip_value": "no gradient of a clipped batch has an element of 0.5",
    "z_loss": "its published weight is next to nothing for few classes, as its text says",
    "dedupe": "the embedded corpus repeats nothing",
    "self_training": "so short a teacher is sure of nothing",
}
"""Techniques that change no more than rounding does where they were measured, and why that is right."""
UNMEASURED = {
    "back_translation": "translation model",
    "intermediate_task": "intermediate_task needs the task mrpc",
    "lm_bff": "lm_bff needs the head for words",
    "multi_task": "multi_task needs the task mrpc",
}


def test_every_technique_was_measured_as_it_is_now():
    found = {name: one.version for name, one in measured().techniques.items()}
    assert found == {technique.name: technique.version for technique in TECHNIQUES}


def test_those_that_do_nothing_are_known_and_explained():
    known = measured()
    effects = {name: one.effect for name, one in known.techniques.items() if one.effect}
    assert {name for name, effect in effects.items() if not effect.acts(known.rounding)} == IDLE.keys()
    reasons = {name: one.reason for name, one in known.techniques.items() if not one.effect}
    assert reasons.keys() == UNMEASURED.keys()
    assert all(reason.startswith(UNMEASURED[name]) for name, reason in reasons.items())


def test_the_file_is_what_it_says():
    assert encoded(measured()) == FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changed", "acts"),
    [
        ({}, False),
        ({"apart": CLEAR * 0.02}, False),
        ({"apart": CLEAR * 0.021}, True),
        ({"answers": CLEAR * 0.0031}, True),
        ({"uneven": CLEAR * 2.1e-4}, True),
        ({"moved": 2.0}, False),  # the mean alone says nothing that its levels do not
        ({"passes": 2.0}, False),
        ({"steps": 1.5}, True),
        ({"trained": 0.5}, True),
        ({"saved": 0.5}, True),
        ({"apart": None}, True),  # weights under other names
        ({"apart": 0.0, "answers": 0.0, "uneven": 0.0}, False),
    ],
)
def test_what_is_told_from_rounding(changed, acts):
    assert dataclasses.replace(NOTHING, **changed).acts(ROUNDING) == acts


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({}, "it changes no more than rounding does"),
        (
            {"apart": 0.5, "moved": 0.75, "uneven": 0.3},
            "weights differ from the baseline's by 50 % of its movement (rounding: 2.0 %); "
            "weights move 0.75 times as far; logits differ by 0.30 % of their spread (rounding: 0.30 %)",
        ),
        (
            {"trained": 0.0123, "apart": None, "moved": None, "uneven": None, "passes": 1.5, "answers": None},
            "trains 1.2 % of the parameters; 1.5 times the passes",
        ),
        (
            {"steps": 2.0, "saved": 0.251, "apart": 0.0, "moved": 1.0, "uneven": 0.0, "answers": 0.0},
            "2 times the steps; 0.251 times the bytes saved",
        ),
    ],
)
def test_amounts_are_told_beside_roundings(changed, text):
    assert dataclasses.replace(NOTHING, **changed).told(ROUNDING) == text


def test_the_sentence_of_a_technique():
    act = dataclasses.replace(NOTHING, trained=0.5, apart=0.0, answers=0.0, uneven=0.0)
    known = Effects(
        "minilm on sst2",
        ROUNDING,
        {"a": Measured("2", act, reported={"a.share": 0.12345}), "b": Measured("1", reason="far away")},
    )
    assert (
        known.text("a", "2") == "In a run of minilm on sst2: trains 50 % of the parameters; it reports a.share 0.123."
    )
    assert known.text("b", "1") == "Not measured: far away."
    assert known.text("a", "1") == known.text("c", "1") == ""


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (1, "100 %"), (0.5, "50 %"), (0.012345, "1.2 %"), (0.00012345, "0.012 %")]
)
def test_percent(share, text):
    assert percent(share) == text
