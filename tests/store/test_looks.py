from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench_lib.core.errors import BadStore
from bench_lib.core.spec import digest
from bench_lib.store import Looks, Store, compact, merge, read_looks, verify, write_looks

COMPARISON = {"contrasts": [["a", "b"]], "alpha": 0.05, "margins": [2.0, 0.75, 0.15]}


def place(root: Path) -> Path:
    return root / "looks" / f"{digest(COMPARISON)}.json"


def test_what_is_written_is_read_and_nothing_is_left_behind(tmp_path: Path) -> None:
    assert read_looks(tmp_path, COMPARISON) == Looks()
    write_looks(tmp_path, COMPARISON, Looks((30,), 12))
    write_looks(tmp_path, COMPARISON, Looks((30, 60), 34))
    assert read_looks(tmp_path, COMPARISON) == Looks((30, 60), 34)
    assert read_looks(tmp_path, {**COMPARISON, "alpha": 0.1}) == Looks()
    assert [path.name for path in (tmp_path / "looks").iterdir()] == [place(tmp_path).name]


def test_equal_looks_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_looks(tmp_path / name, COMPARISON, Looks((30,), 12))
    assert place(tmp_path / "one").read_bytes() == place(tmp_path / "other").read_bytes()


@pytest.mark.parametrize(
    ("looks", "seeds", "stages"),
    [
        (Looks(), 30, (30,)),
        (Looks((30,), 0), 50, (50,)),
        (Looks((30,), 10), 30, (30,)),
        (Looks((30,), 10), 20, (30,)),
        (Looks((30,), 10), 50, (30, 50)),
        (Looks((30, 60), 30), 50, (30, 50)),
        (Looks((30, 60), 32), 50, (30, 60)),
        (Looks((30, 60), 60), 120, (30, 60, 120)),
    ],
)
def test_a_stage_stays_once_it_was_begun(looks: Looks, seeds: int, stages: tuple[int, ...]) -> None:
    assert looks.continued(seeds) == stages


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        json.dumps({"comparison": {}, "stages": [30], "taken": 10}),
        json.dumps({"comparison": COMPARISON, "stages": [30, 20], "taken": 10}),
        json.dumps({"comparison": COMPARISON, "stages": [30], "taken": -1}),
        json.dumps({"comparison": COMPARISON, "stages": ["x"], "taken": 1}),
    ],
)
def test_damage_is_named_by_reader_and_verify(tmp_path: Path, content: str) -> None:
    write_looks(tmp_path, COMPARISON, Looks((30,), 10))
    place(tmp_path).write_text(content)
    with pytest.raises(BadStore, match="is damaged"):
        read_looks(tmp_path, COMPARISON)
    (problem,) = verify(Store(tmp_path))
    assert str(place(tmp_path)) in problem


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    write_looks(elsewhere, COMPARISON, Looks((30,), 10))
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "looks").symlink_to(elsewhere / "looks")
    with pytest.raises(BadStore, match="symbolic link"):
        write_looks(tmp_path / "results", COMPARISON, Looks((30,), 12))


def test_a_store_with_looks_is_verified_compacted_and_merged(filled: Store, tmp_path: Path) -> None:
    write_looks(filled.root, COMPARISON, Looks((30,), 30))
    other = Store(tmp_path / "other")
    assert verify(filled) == []
    compact(filled)
    assert read_looks(filled.root, COMPARISON) == Looks((30,), 30)
    merge(other, filled)
    assert read_looks(other.root, COMPARISON) == Looks((30,), 30)
    write_looks(other.root, COMPARISON, Looks((30, 60), 40))
    merge(filled, other)
    merge(other, filled)
    assert read_looks(filled.root, COMPARISON) == read_looks(other.root, COMPARISON) == Looks((30, 60), 40)
    assert verify(filled) == []
