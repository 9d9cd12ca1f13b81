from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from bench_lib.core.errors import BadStore
from bench_lib.core.record import Predictions, RunRecord
from bench_lib.store import Merged, Store, compact, merge, verify

Make = Callable[..., RunRecord]
GRID = np.arange(12, dtype=np.float32).reshape(3, 4)
WEIGHTS = {"head.weight": GRID, "head.bias": np.array([np.nan, -0.0, np.inf], np.float32), "scale": np.array(2.5, "f4")}


def _files(store: Store) -> list[str]:
    return sorted(path.relative_to(store.root).as_posix() for path in (store.root / "weights").rglob("*"))


@pytest.fixture
def kept(store: Store, make: Make) -> Store:
    """A run with weights and one without."""
    store.append(make(0, weights=WEIGHTS))
    store.append(make(1))
    return store


def test_weights_come_back_bit_for_bit(kept: Store, make: Make) -> None:
    path = kept.weights_path(make(0).run_id)
    assert path == kept.root / "weights" / f"{make(0).run_id}.safetensors"
    found = load_file(path)
    assert found.keys() == WEIGHTS.keys()
    for name, value in WEIGHTS.items():
        assert (found[name].dtype, found[name].shape) == (np.float32, value.shape)
        assert found[name].tobytes() == value.tobytes()


@pytest.mark.parametrize("view", [GRID.T, GRID[::2], GRID[:, 1:3], np.broadcast_to(GRID[0], (5, 4))])
def test_a_view_is_stored_as_what_it_shows(store: Store, make: Make, view: np.ndarray) -> None:
    store.put_weights(make(weights={"view": view}))
    assert np.array_equal(load_file(store.weights_path(make().run_id))["view"], view)


def test_a_run_without_weights_has_none(kept: Store, make: Make) -> None:
    assert kept.has_weights(make(0).run_id)
    assert not kept.has_weights(make(1).run_id)
    assert kept.weights_path(make(1).run_id).parent == kept.root / "weights"
    assert _files(kept) == [f"weights/{make(0).run_id}.safetensors"]
    with pytest.raises(BadStore, match="has no weights to store"):
        kept.put_weights(make(1))


def test_a_run_written_again_without_weights_keeps_them(kept: Store, make: Make) -> None:
    kept.append(make(0, attempts=2))
    assert kept.has_weights(make(0).run_id)


def test_weights_are_dropped_by_run(kept: Store, make: Make) -> None:
    kept.append(make(2, weights=WEIGHTS))
    leftover = kept.root / "weights" / f".{make(0).run_id}-0123.tmp"
    leftover.write_bytes(b"half a file")
    kept.drop_weights([make(0).run_id, make(1).run_id])
    assert _files(kept) == [f"weights/{make(2).run_id}.safetensors"]
    assert len(kept.records()) == 3


def test_dropping_from_a_store_that_does_not_exist_makes_nothing(store: Store) -> None:
    store.drop_weights(["a1"])
    assert not store.has_weights("a1")
    assert not store.root.exists()


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int64, ">f4"])
def test_other_types_are_refused_by_name_and_leave_nothing(store: Store, make: Make, dtype: str) -> None:
    with pytest.raises(BadStore, match=rf"weight b of run {make().run_id} is .*; allowed: float32"):
        store.append(make(weights={"a": GRID, "b": GRID.astype(dtype)}))
    assert not store.root.exists()


@pytest.mark.parametrize("change", [{"steps": 1.5}, {"predictions": Predictions(np.zeros((2, 2)))}])
def test_a_record_that_cannot_be_stored_leaves_no_weights(store: Store, make: Make, change: dict[str, Any]) -> None:
    with pytest.raises(BadStore, match=r"steps|float64"):
        store.append(make(weights=WEIGHTS, **change))
    assert not store.root.exists()


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", "*"])
def test_a_run_id_that_is_no_file_name_is_refused(kept: Store, run_id: str) -> None:
    for asked in (kept.weights_path, kept.has_weights, lambda one: kept.drop_weights([one])):
        with pytest.raises(BadStore, match="run id"):
            asked(run_id)
    assert len(_files(kept)) == 1


def test_weights_stand_before_the_row_and_under_their_name_only_when_whole(
    store: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced: list[str] = []
    replace = Path.replace

    def noted(path: Path, target: Path) -> Path:
        replaced.append(target.relative_to(store.root).parts[0])
        assert path.parent == target.parent
        assert path.stat().st_size > GRID.nbytes
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", noted)
    store.append(make(weights=WEIGHTS))
    assert replaced == ["weights", "predictions", "runs"]


def test_a_failed_write_leaves_what_was_there(kept: Store, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError("disk full")

    before = kept.weights_path(make(0).run_id).read_bytes()
    monkeypatch.setattr("bench_lib.store.weights.os.fsync", full)
    with pytest.raises(BadStore, match="disk full"):
        kept.put_weights(make(0, weights={"a": GRID}))
    assert _files(kept) == [f"weights/{make(0).run_id}.safetensors"]
    assert kept.weights_path(make(0).run_id).read_bytes() == before


def test_weights_are_no_part_of_verify_compact_and_merge(kept: Store, make: Make, tmp_path: Path) -> None:
    kept.weights_path(make(0).run_id).write_bytes(b"damaged")
    other = Store(tmp_path / "other")
    assert verify(kept) == []
    assert merge(other, kept) == Merged(2, ())
    assert not (other.root / "weights").exists()
    assert compact(kept) == 2
    assert kept.weights_path(make(0).run_id).read_bytes() == b"damaged"
    assert all(record.weights is None for record in kept.records())
    assert kept.set_aside == []


def test_the_store_writes_them_without_torch(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from typing import Any
import numpy as np
from bench_lib.store.weights import put
put(Path({str(tmp_path)!r}, "a.safetensors"), {{"a": np.zeros(3, np.float32)}})
print("torch" in sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
    assert (tmp_path / "a.safetensors").stat().st_size > 12
