from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.record import RunRecord
from bench_lib.store import Store, Unstorable
from bench_lib.store.text import clean, cleaned

Make = Callable[..., RunRecord]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain é 漢 \U0001f600", "plain é 漢 \U0001f600"),
        ("a\ttab\nline", "a\ttab\nline"),
        ("half \ud83d of it", "half \ufffd of it"),
        ("\x00\x07\x1b[31m\r\x7f\x85", "\ufffd\ufffd\ufffd[31m\ufffd\ufffd\ufffd"),
    ],
)
def test_what_cannot_be_stored_or_shown_is_replaced(text: str, expected: str) -> None:
    assert clean(text) == expected


@given(st.text(st.characters(categories=["Cs", "Cc", "L", "So"])))
def test_clean_text_is_text_and_stays_as_it_is(text: str) -> None:
    found = clean(text)
    assert found.encode().decode() == found
    assert clean(found) == found
    assert len(found) == len(text)


def test_a_record_of_clean_text_is_the_record(make: Make) -> None:
    record = make()
    assert cleaned(record) is record


def test_a_run_with_any_text_is_stored(store: Store, make: Make) -> None:
    given = make(
        reason="died: \ud800\x1b[0m",
        data_source="caf\udce9",
        provenance={"ho\x00st": "a\udcffb", "torch": "2"},
        metrics={"f\ud8001": 0.5},
        reported={"x.\x01": 1.0},
    )
    store.append(given)
    (record,) = store.records()
    assert record.reason == "died: \ufffd\ufffd[0m"
    assert record.data_source == "caf\ufffd"
    assert record.provenance == {"ho\ufffdst": "a\ufffdb", "torch": "2"}
    assert record.metrics == {"f\ufffd1": 0.5}
    assert record.reported == {"x.\ufffd": 1.0}
    kept = ("run_id", "spec", "score", "curve_loss", "seed")
    assert all(record.columns()[name] == given.columns()[name] for name in kept)


@pytest.mark.parametrize(
    "change",
    [
        {"reported": {"a.b": "text"}},
        {"reported": {"a.b": None}},
        {"metrics": {"f1": None}},
        {"seed": 2**63},
        {"steps": 2**70},
        {"clipped_steps": 0.5},
        {"curve_loss": (0.5, None)},
        {"reason": None},
        {"score": "high"},
    ],
)
def test_what_is_no_value_of_its_column_cannot_be_stored(store: Store, make: Make, change: dict[str, object]) -> None:
    with pytest.raises(Unstorable):
        store.append(make().changed(change))
    assert not store.root.exists()


def test_memory_that_runs_out_is_said(store: Store, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def out(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("bench_lib.store.append.to_table", out)
    with pytest.raises(Unstorable, match=f"memory ran out while run {make().run_id} was stored"):
        store.append(make())
