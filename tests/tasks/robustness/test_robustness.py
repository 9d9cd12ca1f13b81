"""Robustness sets: what is read of them, what is scored, and what is kept out of the training data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench_lib.core.errors import BadData, BadValue, Unavailable, UnknownName
from bench_lib.core.spec import Profile
from bench_lib.runner.execute import execute
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.resolved import resolve_run
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import TextExample
from bench_lib.tasks.further import FurtherData, FurtherSet, plain
from bench_lib.tasks.robustness import FURTHER_SETS, loading
from bench_lib.tasks.robustness.loading import load_further, sets_named, with_further
from bench_lib.tasks.sources import load
from bench_lib.tasks.sources.load import load_data

IMDB, SQUAD, SST2 = (TASKS.get(name) for name in ("imdb", "squad", "sst2"))
SHARED = Path(__file__).parents[4] / "shared" / "data"
CONTEXT = "The door is red. The wall is blue."


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    yield
    load._load.cache_clear()
    loading._load.cache_clear()


def write(folder: Path, path: str, rows: list[dict[str, Any]]) -> None:
    place = folder / f"{path}.parquet"
    place.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), place)


def question(name: str, answer: str = "red") -> dict[str, Any]:
    answers = {"text": [answer], "answer_start": [CONTEXT.index(answer)]}
    return {"id": name, "title": "t", "context": CONTEXT, "question": "what?", "answers": answers}


def case(test: str, kind: str, number: int, variant: int, label: int | None) -> dict[str, Any]:
    text = f"{test} {number} {variant}"
    return {"test": test, "type": kind, "case": number, "variant": variant, "text": text, "label": label}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Small sets of each kind, and IMDb with two originals in its training data."""
    reviews = [{"text": f"This film is number {i}, and it is good.<br />", "label": i % 2} for i in range(40)]
    write(tmp_path, "imdb/train", reviews)
    write(tmp_path, "imdb/test", [{"text": f"Another film, {i}", "label": i % 2} for i in range(30)])
    originals = [{"text": " This film is number 3 and it is good. ", "label": 1}, {"text": "Not there", "label": 0}]
    write(tmp_path, "imdb_contrast/test_original", originals)
    write(tmp_path, "imdb_contrast/test_contrast", [{"text": "bad one", "label": 0}, {"text": "good one", "label": 1}])
    write(tmp_path, "imdb_cad/test_original", [{**reviews[5], "batch_id": 1}])
    write(tmp_path, "imdb_cad/test_revised", [{"text": "this one", "label": 0, "batch_id": 1}])
    addsent = ["a", "a-high-conf-turk0", "a-high-conf-turk1", "b", "c", "c-high-conf-turk0"]
    write(tmp_path, "squad_adversarial/addsent", [question(name) for name in addsent])
    write(tmp_path, "squad_adversarial/addonesent", [question(name) for name in ("a", "b")])
    tests = [case("words", "MFT", 0, 0, 2), case("words", "MFT", 1, 0, 0), case("words", "MFT", 2, 0, 1)]
    tests += [case("either", "MFT", 0, 0, None), case("more so", "DIR", 0, 0, None)]
    tests += [case("names", "INV", number, variant, None) for number in (0, 1) for variant in (0, 1, 2)]
    write(tmp_path, "checklist_sentiment/test", tests)
    return tmp_path


def further(name: str, task: Any, folder: Path) -> FurtherData:
    return load_further(FURTHER_SETS.get(name), task, str(folder))


def scores(data: FurtherData, task: Any, answers: list[Any], values: Any = None) -> dict[str, float]:
    found = np.zeros((len(answers), 2)) if values is None else np.array(values)
    return dict(data.set.scores(task.format, data.items, answers, found))


def test_of_a_question_the_worst_variant_counts_and_the_original_where_there_is_none(folder: Path) -> None:
    data = further("squad_adversarial", SQUAD, folder)
    #          a,     two variants,  b,     c,      its variant; then a and b of the other part
    answers = ["red", "red", "blue", "red", "blue", "red", "red", "blue"]
    found = scores(data, SQUAD, answers)
    assert found["addsent_f1"] == found["addsent_em"] == pytest.approx(2 / 3)
    assert found["addsent_original_em"] == pytest.approx(2 / 3)
    assert found["addonesent_f1"] == found["addonesent_original_f1"] == 0.5


@pytest.mark.parametrize("name", ["imdb_contrast", "imdb_cad"])
def test_pairs_are_consistent_where_both_are_right(folder: Path, name: str) -> None:
    data = further(name, IMDB, folder)
    right = [item.expected for item in data.items]
    assert scores(data, IMDB, right) == {"accuracy": 1.0, "original_accuracy": 1.0, "consistency": 1.0}
    half = [right[0], *(1 - one for one in right[1:])]
    assert scores(data, IMDB, half)["consistency"] == 0.0


def test_the_failure_rate_of_a_test_is_by_case(folder: Path) -> None:
    data = further("checklist_sentiment", SST2, folder)
    assert [item.stratum for item in data.items] == ["words"] * 3 + ["names"] * 6
    good, bad, even = [0.0, 3.0], [3.0, 0.0], [0.0, 0.1]
    values = [good, good, even, good, good, good, bad, bad, even]
    found = scores(data, SST2, [0] * 9, values)
    assert found["failure_rate: words"] == pytest.approx(1 / 3)
    assert found["failure_rate: names"] == 0.5
    assert found["failure_rate"] == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_what_a_set_repeats_is_kept_out_of_the_training_data(folder: Path) -> None:
    data = load_data(IMDB, str(folder))
    less = with_further(data, "imdb_contrast+imdb_cad", str(folder))
    assert (len(data.train), len(less.train)) == (40, 38)
    assert {plain(e.inputs[0]) for e in data.train} - {plain(e.inputs[0]) for e in less.train} == {
        "thisfilmisnumber3anditisgood",
        "thisfilmisnumber5anditisgood",
    }
    assert less.facts == {"data_excluded": "2 training examples that stand in imdb_contrast, imdb_cad"}
    assert (less.fingerprint, [one.set.name for one in less.further]) == (
        data.fingerprint,
        ["imdb_contrast", "imdb_cad"],
    )
    assert with_further(data, "", str(folder)) is data
    assert with_further(data, "imdb_contrast+imdb_cad", str(folder)) is less


def test_other_tasks_that_a_run_reads_do_not_leak_them_either(folder: Path) -> None:
    write(folder, "sst2/train", [{"sentence": f"s {i}", "label": i % 2} for i in range(40)])
    write(folder, "sst2/validation", [{"sentence": f"v {i}", "label": i % 2} for i in range(30)])
    (spec,) = plan(grid(folder, "imdb_contrast", "sst2"))
    assert len(resolve_run(spec).other_data("imdb").train) == 39
    assert len(resolve_run(spec).data.train) == 40


def grid(folder: Path, also: str = "imdb_contrast+imdb_cad", task: str = "imdb") -> Grid:
    return Grid((task,), ("adamw",), (0,), f"smoke:also={also}" if also else "smoke", "tiny", str(folder))


def test_a_run_is_evaluated_on_them_and_they_are_part_of_its_identity(folder: Path) -> None:
    (without,), (spec,) = plan(grid(folder, "")), plan(grid(folder))
    assert "also" not in without.identity()
    assert "also" not in without.profile.settings()
    assert {*spec.identity()["also"]} == {"imdb_contrast", "imdb_cad"}
    (record,) = execute([spec])
    assert {name for name in record.metrics if "." in name} == {
        f"{name}.{score}"
        for name in ("imdb_contrast", "imdb_cad")
        for score in ("accuracy", "original_accuracy", "consistency")
    }
    assert record.metric == "accuracy"
    assert record.score == record.metrics["accuracy"]
    assert record.provenance["data_excluded"].startswith("2 training examples")
    write(folder, "imdb_contrast/test_contrast", [{"text": "other", "label": 0}, {"text": "good one", "label": 1}])
    load._load.cache_clear()
    loading._load.cache_clear()
    with pytest.raises(BadData, match="the robustness set imdb_contrast changed since this run was planned"):
        execute([spec])
    assert plan(grid(folder))[0].run_id() != spec.run_id()


def test_the_evaluation_set_of_the_profile_and_its_score_stay_the_same(folder: Path) -> None:
    (without,), (spec,) = (plan(grid(folder, also)) for also in ("", "checklist_sentiment"))
    assert resolve_run(spec).evaluation().examples == resolve_run(without).evaluation().examples
    (plain_record,), (record,) = execute([without]), execute([spec])
    assert plain_record.curve == record.curve
    assert plain_record.score == record.score
    assert "checklist_sentiment.failure_rate: names" in record.metrics


@pytest.mark.parametrize(
    ("also", "task", "error", "message"),
    [
        ("imdb_contrst", IMDB, UnknownName, "unknown robustness set 'imdb_contrst': did you mean 'imdb_contrast'"),
        (
            "imdb_cad+squad_adversarial",
            IMDB,
            BadValue,
            "task of the robustness set squad_adversarial is 'imdb'; allowed",
        ),
        ("imdb_cad", dataclasses.replace(IMDB, name="own", path="/own.toml"), BadValue, "allowed: imdb or sst2"),
    ],
)
def test_what_does_not_fit_is_named(also: str, task: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        sets_named(also, task)


def test_a_set_that_is_not_there_is_named(tmp_path: Path, folder: Path) -> None:
    (cad,) = sets_named("imdb_cad", IMDB)
    with pytest.raises(Unavailable, match="the robustness set imdb_cad is read from a folder"):
        load_further(cad, IMDB, "embedded")
    (folder / "imdb_cad" / "test_revised.parquet").unlink()
    with pytest.raises(
        BadData, match=r"no .*imdb_cad/test_revised.parquet, which imdb_cad needs; .* holds test_original"
    ):
        load_further(cad, IMDB, str(folder))


def test_every_set_says_what_it_is() -> None:
    for one in FURTHER_SETS:
        assert isinstance(one, FurtherSet)
        assert "title=" in one.citation
        assert one.licence
        assert all(name in TASKS for name in one.tasks)
        assert {*one.leaks} <= {*one.files}
    assert Profile().also == ""


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real data sets are not beside this checkout")
@pytest.mark.parametrize(
    ("name", "task", "size", "leaked"),
    [
        ("imdb_contrast", "imdb", 976, 488),
        ("imdb_cad", "imdb", 976, 488),
        ("squad_adversarial", "squad", 5347, 0),
        ("checklist_sentiment", "sst2", 59002 + 81930, 0),
    ],
)
def test_the_real_sets_are_read(name: str, task: str, size: int, leaked: int) -> None:
    data = further(name, TASKS.get(task), SHARED)
    assert (len(data.items), len(data.leaked)) == (size, leaked)
    if name == "imdb_contrast":
        (first, *_) = [item for item in data.items if not item.original]
        assert isinstance(first.example, TextExample)
        assert first.expected == first.example.label
