"""Damage of every kind of file, bit by bit: what is read is what was written, or it is named."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench_lib.core.errors import BadStore
from bench_lib.core.record import Predictions, RunRecord
from bench_lib.store import Store, compact, verify
from bench_lib.store.claims import Holder
from bench_lib.store.predictions import reading

Make = Callable[..., RunRecord]

TAGGED = Predictions(np.arange(45, dtype=np.float32).reshape(5, 9), np.array([3, 2]))
WEIGHTS = {"w": np.arange(40, dtype=np.float32).reshape(4, 10), "b": np.ones(3, np.float32)}
SHARE = {"runs": 60, "predictions": 140}
"""Flipped bits of each part of a file."""


def mutations(whole: bytes, flips: int, seed: int) -> Iterator[bytes]:
    """The content with one bit flipped, spread over the file, and cut short."""
    draws = random.Random(seed)
    parts = [0, *sorted(draws.randrange(len(whole)) for _ in range(flips - 2)), len(whole) - 1]
    for place in parts:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << draws.randrange(8)
        yield bytes(flipped)
    for _ in range(flips // 10):
        yield whole[: draws.randrange(len(whole))]


def bits(found: Predictions | None) -> object:
    if found is None:
        return None
    return found.values.shape, found.values.tobytes(), None if found.lengths is None else found.lengths.tolist()


def content(store: Store, folder: str, run_ids: list[str]) -> object:
    """All that readers make of a folder, by every way of reading it."""
    if folder == "runs":
        return [*map(repr, store.records())], store.ids()
    with reading(store) as read:
        listed = [bits(read(run_id)) for run_id in run_ids]
    return listed, [bits(store.predictions(run_id)) for run_id in run_ids]


def _looked(store: Store, folder: str, run_ids: list[str]) -> tuple[object, str]:
    """The content of a folder, or None and why it was refused."""
    try:
        return content(store, folder, run_ids), ""
    except BadStore as error:
        return None, str(error)


@pytest.mark.exhaustive
@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("folder", ["runs", "predictions"])
def test_a_mutated_file_is_read_as_it_was_or_named(store: Store, make: Make, folder: Any, compacted: bool) -> None:
    runs = [make(0), make(1, predictions=TAGGED), make(2)] if compacted else [make(0, predictions=TAGGED)]
    for run in runs:
        store.append(run)
    if compacted:
        compact(store)
    run_ids = [run.run_id for run in runs]
    (path,) = store.files(folder)
    whole, expected = path.read_bytes(), content(store, folder, run_ids)
    named = 0
    for number, mutated in enumerate(mutations(whole, SHARE[folder], seed=len(whole))):
        path.write_bytes(mutated)
        problems = verify(Store(store.root))
        one = Store(store.root)
        found, refused = _looked(one, folder, run_ids)
        if found != expected:
            assert str(path) in refused or one.set_aside, f"mutation {number} was read as something else"
            assert any(str(path) in problem for problem in problems), f"mutation {number} is no problem"
            named += 1
    assert named > SHARE[folder] // 2


def test_mutated_weights_are_set_aside(store: Store, make: Make) -> None:
    store.append(make(weights=WEIGHTS))
    path = store.weights_path(make().run_id)
    whole = path.read_bytes()
    for number, mutated in enumerate(mutations(whole, 250, seed=1)):
        path.write_bytes(mutated)
        one = Store(store.root)
        with pytest.raises(BadStore, match=make().run_id):
            one.weights(make().run_id)
        assert one.set_aside, number
        assert not one.has_weights(make().run_id)
    path.write_bytes(whole)
    assert {name: value.tobytes() for name, value in Store(store.root).weights(make().run_id).items()} == {
        name: value.tobytes() for name, value in WEIGHTS.items()
    }


def test_a_mutated_claim_names_nobody() -> None:
    holder = Holder.own()
    whole = holder.write().encode()
    assert Holder.read(whole.decode()) == holder
    for mutated in mutations(whole, 300, seed=2):
        assert Holder.read(mutated.decode(errors="replace")) is None


def test_a_mutation_is_not_what_was_there(tmp_path: Path) -> None:
    whole = bytes(range(256)) * 8
    assert all(mutated != whole for mutated in mutations(whole, 100, seed=3))
