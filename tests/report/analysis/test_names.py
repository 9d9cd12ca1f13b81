"""What runs call things: visible, short, and never two things by one name."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_lib.report.analysis.names import LONGEST, NAMELESS, fingerprint, named, shown, visible
from bench_lib.report.analysis.results import summarise
from bench_lib.store import Store

TEXT = st.text() | st.text(st.sampled_from("ab \n\t\x00\x07\x1b\u00e9e\u0301\u202e\ud800"))


@settings(deadline=None)
@given(st.lists(TEXT, unique=True))
def test_names_are_visible_short_and_apart(names: list[str]) -> None:
    found = shown(names)
    assert set(found) == set(names)
    assert len(set(found.values())) == len(names)
    for text in found.values():
        assert text
        assert text.isprintable()
        assert text == " ".join(text.split())
        assert len(text) <= LONGEST + len(" (12345678901234567890)")


@settings(deadline=None)
@given(st.lists(TEXT, unique=True))
def test_names_that_are_visible_stay_whatever_else_there_is(names: list[str]) -> None:
    plain = {name for name in names if name and name.isprintable() and shown([name])[name] == name}
    assert all(shown(names)[name] == name for name in plain)


def test_what_names_become() -> None:
    assert shown(["desk:per_class=8"]) == {"desk:per_class=8": "desk:per_class=8"}
    assert shown(["", "a\x07b\n"]) == {"": NAMELESS, "a\x07b\n": "a b"}
    twins = shown(["caf\u00e9", "cafe\u0301", "a b", "a\tb", "x" * 500 + "1", "x" * 500 + "2"])
    assert twins["caf\u00e9"] == "caf\u00e9"
    assert twins["cafe\u0301"].startswith("caf\u00e9 (")
    assert twins["a b"] == "a b"
    assert twins["a\tb"].startswith("a b (")


@settings(deadline=None)
@given(st.recursive(TEXT | st.integers() | st.none(), lambda part: st.lists(part) | st.dictionaries(TEXT, part)))
def test_all_texts_of_a_value_are_made_visible(value: Any) -> None:
    told = json.dumps(visible(value), ensure_ascii=False)
    assert told.isprintable()


@pytest.mark.parametrize(
    ("value", "text"), [("sha256:ab", "sha256:ab"), ({"name": "x", "fingerprint": "y"}, "y"), (None, ""), ([1], "[1]")]
)
def test_fingerprints(value: object, text: str) -> None:
    assert fingerprint(value) == text


def model(run: Any, name: str, weights: str, **changes: str) -> Any:
    """The run with another model, under an id of its own."""
    spec = json.dumps(json.loads(run.spec) | {"model": weights})
    run_id = hashlib.sha256(spec.encode()).hexdigest()[:20]
    return dataclasses.replace(run, run_id=run_id, model=name, spec=spec, **changes)


A, B, C = ("sha256:1234567890abcdef", "owner/model@1234560000", "package==0.1.0")


def test_models_of_one_name_are_named_apart_where_a_group_holds_several(record: Any, frame: Any) -> None:
    runs = [
        *(model(record(0), "checkpoint-500", weights) for weights in (A, B)),
        model(record(1), "other", A),
        model(record(2), "checkpoint-500", A, profile="alone"),
        model(record(3, source="embedded"), "checkpoint-500", B),
    ]
    found = named(frame(runs))["model"].tolist()
    assert found == ["checkpoint-500@1234567", "checkpoint-500@1234560", "other", "checkpoint-500", "checkpoint-500"]


def test_a_fingerprint_without_a_hash_is_told_by_a_digest(record: Any, frame: Any) -> None:
    first, second = named(frame([model(record(0), "m", A), model(record(0), "m", C)]))["model"]
    assert first == "m@123456"
    assert second.startswith("m@")
    assert len(second) == len(first)
    assert second != first


def test_the_same_hash_at_two_places_is_told_apart(record: Any, frame: Any) -> None:
    runs = [model(record(0), "m", "one@1234567890"), model(record(1), "m", "other@1234567890")]
    assert len(set(named(frame(runs))["model"])) == 2


def test_names_of_models_that_have_their_digits_already_join_the_same_model(record: Any, frame: Any) -> None:
    runs = [model(record(0), "m", A), model(record(1), "m", C), model(record(2), "m@123456", A)]
    first, second, third = named(frame(runs))["model"]
    assert first == third == "m@123456"
    assert second != first


def test_models_of_one_name_have_sections_of_their_own(tmp_path: Any, record: Any) -> None:
    store = Store(tmp_path)
    for seed in range(2):
        store.append(model(record(seed), "checkpoint-500", A))
        store.append(model(record(seed), "checkpoint-500", B))
    cells = summarise(store).cells
    assert sorted(cells["model"].astype(str)) == ["checkpoint-500@1234560", "checkpoint-500@1234567"]
    assert set(cells["label"].astype(str)) == {"adamw"}
    assert cells["attempted"].tolist() == [2, 2]
