"""Verdicts of sequential comparisons in the report: those that the comparison itself came to."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench_lib.comparison.contrasts import Contrasts, DecidedSweep, decide
from bench_lib.core.errors import BadStore
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import RunSpec, canonical_json, digest
from bench_lib.report.analysis.results import summarise
from bench_lib.report.glossary import LEAST, LOOKS
from bench_lib.runner.limits import Limits
from bench_lib.runner.records import blank_record
from bench_lib.stats import power
from bench_lib.store import Looks, Store, write_looks
from tests.comparison.worlds import Told, World, spread

WORLD = spread(mixout=0.1, r_drop=5.0)
TECHNIQUES = ("mixout", "r_drop", "ema")


@pytest.fixture(autouse=True, scope="module")
def _fewer_trials() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(power, "spread_power", functools.partial(power.spread_power, trials=40))
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[DecidedSweep, Path]:
    """A sweep that ran to its end, and its store."""
    root = tmp_path_factory.mktemp("whole")
    return swept(root), root


@pytest.fixture
def copy(whole: tuple[DecidedSweep, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole[1], tmp_path / "copy"))


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[DecidedSweep, Path]:
    """A sweep that a limit ended within a look, and its store."""
    root = tmp_path_factory.mktemp("begun")
    return swept(root, limits=Limits(runs=42)), root


def declared(**changes: Any) -> Contrasts:
    whole = {"tasks": ("sst2",), "profiles": ("smoke",), "model": "tiny", "max_seeds": 16, "first_seed": 5, **changes}
    return Contrasts("adamw", TECHNIQUES, **whole)


def swept(root: Path, world: World = WORLD, limits: Limits | None = None, **changes: Any) -> DecidedSweep:
    return decide(declared(**changes), Store(root), Told(world), limits=limits or Limits())


def rows(root: Path) -> dict[str, Any]:
    cells = summarise(Store(root)).cells
    return {row.technique: row for row in cells[cells["technique"] != "adamw"].itertuples()}


def assert_same(sweep: DecidedSweep, found: dict[str, Any]) -> None:
    for contrast, result in sweep.results.items():
        row, verdict = found[contrast.technique], result.verdict
        assert (row.verdict, row.verdict_location, row.decided_by) == (
            verdict.stability,
            verdict.location,
            verdict.decided_by,
        )
        assert (row.basis, row.shared) == (LOOKS, verdict.seeds)
        assert (row.shared_failed, row.against_failed) == verdict.failures
        ratio = (row.mad_ratio, row.mad_ratio_low, row.mad_ratio_high)
        assert ratio == pytest.approx(result.ratio(), nan_ok=True)
        assert row.missing == pytest.approx(result.missing, nan_ok=True)


def test_verdicts_are_those_of_the_recorded_looks(whole: tuple[DecidedSweep, Path]) -> None:
    sweep, root = whole
    summary = summarise(Store(root))
    assert_same(sweep, rows(root))
    decided = summary.cells.set_index("technique").loc["mixout"]
    assert decided["verdict"] == "more stable"
    assert decided["shared"] < LEAST
    (family,) = summary.families
    assert (family.name, family.contrasts, family.decided) == ("", 3, len(sweep.decided))


def test_a_run_beyond_the_looks_changes_no_verdict(whole: tuple[DecidedSweep, Path], copy: Path) -> None:
    store = Store(copy)
    first = next(record for record in store.records() if record.technique == "adamw")
    spec = json.loads(first.spec) | {"seed": 70}
    more = {"seed": 70, "spec": canonical_json(spec), "run_id": digest(spec), "training_id": digest(spec)}
    store.append(first.changed({**more, "score": 0.1}))
    assert_same(whole[0], rows(copy))


def test_looks_that_a_limit_ended_are_taken_as_far_as_they_went(begun: tuple[DecidedSweep, Path]) -> None:
    sweep, root = begun
    assert {result.verdict.seeds for result in sweep.results.values()} != {0}
    assert_same(sweep, rows(root))


def test_a_contrast_goes_on_while_another_lacks_runs(whole: tuple[DecidedSweep, Path], tmp_path: Path) -> None:
    root = whole[1]
    part = Store(tmp_path / "part")
    for record in Store(root).records():
        if record.technique != "r_drop" or record.seed < 9:
            part.append(record)
    shutil.copytree(root / "looks", part.root / "looks")
    found, together = rows(tmp_path / "part"), rows(root)["mixout"]
    alone = found["mixout"]
    assert (alone.verdict, alone.basis) == (together.verdict, LOOKS) == ("more stable", LOOKS)
    assert alone.shared >= together.shared, "what r_drop rejects can only raise the levels"
    assert found["r_drop"].basis == ""


def test_a_declined_contrast_and_a_lost_run_are_as_in_the_comparison(tmp_path: Path) -> None:
    def world(spec: RunSpec) -> RunRecord:
        if spec.technique() == "ema":
            return blank_record(spec, Status.UNSUPPORTED, "not with this head")
        return blank_record(spec, Status.CRASHED, "killed") if spec.seed == 7 else WORLD(spec)

    sweep = swept(tmp_path, world)
    (family,) = summarise(Store(tmp_path)).families
    assert family.decided == len(sweep.decided)
    assert_same(sweep, rows(tmp_path))


def test_without_a_record_the_single_look_counts(copy: Path) -> None:
    shutil.rmtree(copy / "looks")
    summary = summarise(Store(copy))
    assert not summary.families
    assert set(summary.cells["basis"]) == {"", "single look"}


def test_a_report_records_no_looks(begun: tuple[DecidedSweep, Path]) -> None:
    looks = begun[1] / "looks"
    before = {path: path.read_bytes() for path in looks.iterdir()}
    summarise(Store(begun[1]))
    assert {path: path.read_bytes() for path in looks.iterdir()} == before


def test_looks_at_runs_that_the_store_lacks_are_left_out(copy: Path) -> None:
    before = summarise(Store(copy)).cells
    alien = {"contrasts": [["a" * 16, "b" * 16]], "alpha": 0.05, "margins": [2.0, 0.75, 0.15]}
    write_looks(copy, alien, Looks((30,), 10))
    pd.testing.assert_frame_equal(summarise(Store(copy)).cells, before)


@pytest.mark.parametrize("comparison", [{"contrasts": [["a"]]}, ["x"], {"contrasts": 3, "alpha": 0.05, "margins": []}])
def test_a_record_of_something_else_is_refused(copy: Path, comparison: object) -> None:
    write_looks(copy, comparison, Looks((30,), 10))
    with pytest.raises(BadStore, match="is not of contrasts"):
        summarise(Store(copy))
