"""A submission as it was packed is verified, and one that was tampered with is refused by the check that sees it."""

from __future__ import annotations

import dataclasses
import json
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench_lib.core.errors import BenchError
from bench_lib.core.record import Predictions, RunRecord, Status
from bench_lib.core.spec import canonical_json, digest
from bench_lib.executors.inline import InlineExecutor
from bench_lib.submissions.finding import Finding, Standing, verdict
from bench_lib.submissions.retraining import Sampling
from bench_lib.submissions.seeds import submission_seeds
from bench_lib.submissions.verification import Trust, opened, verified
from bench_lib.techniques.interface.sources import version_of

STATIC = ["technique", "store", "seeds", "scores", "environment"]
ALL = Trust(Sampling(6, "key"), InlineExecutor())


def findings(archive: Path, folder: Path, trust: Trust | None = None) -> list[Finding]:
    (folder / "out").mkdir()
    return [*verified(opened(archive, folder / "out"), trust)]


def refused(archive: Path, folder: Path, check: str, trust: Trust | None = None) -> str:
    """What the last finding says, which has to refuse by this check."""
    found = findings(archive, folder, trust)
    assert (found[-1].check, verdict(found)) == (check, Standing.REFUSED), found
    return found[-1].found


def change_first(**values: Any) -> Callable[[list[RunRecord]], list[RunRecord]]:
    return lambda records: [records[0].changed(values), *records[1:]]


def another(record: RunRecord, **changes: Any) -> RunRecord:
    """A record of another run: its spec with other parts."""
    spec = json.loads(record.spec) | changes
    return record.changed({"run_id": digest(spec), "spec": canonical_json(spec), "seed": spec["seed"]})


def test_what_was_packed_holds_and_is_open_until_its_code_is_run(small: Any, tmp_path: Path) -> None:
    found = findings(small.archive, tmp_path)
    assert [one.check for one in found] == [*STATIC, "promises and runs"]
    assert [one.standing for one in found] == [Standing.VERIFIED] * 5 + [Standing.OPEN]
    assert found[0].found == "technique.py, 38 lines; it imports __future__, bench_lib, dataclasses, torch"
    assert "6 runs" in found[2].found
    assert "fewer than 20 seeds decide nothing about spread" in found[2].found


def test_with_trust_it_is_verified_to_the_bit(small: Any, tmp_path: Path, keeping: None) -> None:
    found = findings(small.archive, tmp_path, ALL)
    assert [one.check for one in found] == [*STATIC, "promises", *["trained again"] * 6]
    assert verdict(found) is Standing.VERIFIED
    assert all(one.found.endswith("equal to the bit") for one in found[6:])


def test_nothing_of_the_file_is_run_without_trust(small: Any, tmp_path: Path, keeping: None) -> None:
    mark = tmp_path / "it ran"
    path = Path(small.request.technique.partition(":")[0])
    text = f"{path.read_text()}\nopen({str(mark)!r}, 'w').close()\n".encode()
    archive = small.changed(tmp_path, {"technique.py": text})
    refused(archive, tmp_path, "technique", ALL)
    assert not mark.exists()


def test_a_changed_file_is_not_that_of_the_runs(small: Any, tmp_path: Path) -> None:
    with tarfile.open(small.archive) as tar:
        held = {entry.name: tar.extractfile(entry).read() for entry in tar}
    text = held["technique.py"].replace(b"strength", b"Strength")
    archive = small.changed(tmp_path, {"technique.py": text})
    said = refused(archive, tmp_path, "technique")
    old, new = version_of(held["technique.py"], ()), version_of(text, ())
    assert said == f"technique.py is version {new}, and the submission was made with version {old} of it"
    # With the version changed where it is declared, the runs are of another technique, and of other seeds.
    (tmp_path / "again").mkdir()
    lied = held["submission.json"].replace(old.encode(), new.encode())
    archive = small.changed(tmp_path / "again", {"technique.py": text, "submission.json": lied})
    said = refused(archive, tmp_path / "again", "seeds")
    assert "sst2, shaken, seed" in said
    assert "differs from what the submission declares in stack" in said


@pytest.mark.parametrize("text", [b"def (", b"x = 1\0"])
def test_a_file_that_is_no_python_is_refused(small: Any, tmp_path: Path, text: bytes) -> None:
    said = refused(small.changed(tmp_path, {"technique.py": text}), tmp_path, "technique")
    assert said.startswith("technique.py is no Python: SyntaxError")


def test_a_dropped_seed_is_named(small: Any, tmp_path: Path) -> None:
    archive = small.with_records(tmp_path, lambda records: records[:-1])
    seeds = submission_seeds(Path(small.request.technique.partition(":")[0]).read_bytes(), "sst2", 3)
    assert refused(archive, tmp_path, "seeds") == f"sst2, shaken, seed {seeds[-1]} is missing"


def test_runs_on_other_seeds_are_refused(small: Any, tmp_path: Path) -> None:
    archive = small.with_records(tmp_path, lambda records: [*records[:-1], another(records[-1], seed=7)])
    said = refused(archive, tmp_path, "seeds")
    assert "sst2, shaken, seed 7 is not of the declared seeds" in said
    assert "is missing" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": "other"}, "differs from what the submission declares in data"),
        ({"frozen": {}}, "differs from what the submission declares in frozen"),
        ({"model": "random:other", "seed": 7}, "differs from what the submission declares in model"),
    ],
)
def test_runs_of_other_settings_are_refused(small: Any, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    archive = small.with_records(tmp_path, lambda records: [another(records[0], **changes), *records[1:]])
    assert said in refused(archive, tmp_path, "seeds")


def test_runs_that_are_no_evidence_are_refused(small: Any, tmp_path: Path) -> None:
    archive = small.with_records(tmp_path, change_first(status="crashed", score=None, predictions=None))
    assert "is crashed; only converged, collapsed and diverged runs count" in refused(archive, tmp_path, "seeds")


def test_another_number_of_seeds_needs_other_seeds(small: Any, tmp_path: Path) -> None:
    """Leaving seeds out and declaring fewer of them is seen, since the number is hashed."""
    with tarfile.open(small.archive) as tar:
        text = tar.extractfile("submission.json").read()
    archive = small.changed(tmp_path, {"submission.json": text.replace(b'"seeds": 3', b'"seeds": 4')})
    assert "is not of the declared seeds" in refused(archive, tmp_path, "seeds")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"score": 0.99}, "has score 0.99, and its predictions give"),
        ({"metrics": {"accuracy": 0.99}}, "has accuracy 0.99, and its predictions give"),
        ({"status": "converged"}, "is converged with a score of"),
        ({"constant_baseline": 0.1}, "has constant_baseline 0.1"),
        ({"predictions": None}, "a score but no predictions"),
        ({"score": None, "predictions": None}, "is collapsed and has no score"),
        ({"predictions": Predictions(np.zeros((5, 2), np.float32))}, "predictions that cannot be scored"),
    ],
)
def test_a_score_that_does_not_follow_from_the_predictions_is_refused(
    small: Any, tmp_path: Path, values: dict[str, Any], said: str
) -> None:
    names = {"constant_baseline": "trivial_score"}
    archive = small.with_records(tmp_path, change_first(**{names.get(k, k): v for k, v in values.items()}))
    found = findings(archive, tmp_path)
    assert verdict(found) is Standing.REFUSED
    assert any(said in one.found for one in found if one.standing is Standing.REFUSED)


def test_a_file_of_runs_that_is_damaged_is_refused(small: Any, tmp_path: Path) -> None:
    with tarfile.open(small.archive) as tar:
        (name,) = [entry.name for entry in tar if entry.name.startswith("results/runs")]
        text = bytearray(tar.extractfile(name).read())
    text[100] ^= 255
    said = refused(small.changed(tmp_path, {name: bytes(text)}), tmp_path, "store")
    assert f"{name} is damaged" in said
    assert str(tmp_path) not in said


def test_machines_are_those_of_the_runs(small: Any, tmp_path: Path) -> None:
    archive = small.with_records(
        tmp_path, lambda records: [one.changed({"provenance": {"cpu": "a better one"}}) for one in records]
    )
    assert "other machines and versions" in refused(archive, tmp_path, "environment")


def test_a_score_with_predictions_to_match_is_found_by_training_again(
    small: Any, tmp_path: Path, keeping: None
) -> None:
    """Whoever changes all that follows from one another is found by the sample, if it has the run."""

    def better(records: Sequence[RunRecord]) -> list[RunRecord]:
        first = records[0]
        curve = dataclasses.replace(first.curve, loss=tuple(0.9 * loss for loss in first.curve.loss))
        return [dataclasses.replace(first, curve=curve), *records[1:]]

    archive = small.with_records(tmp_path, better)
    said = refused(archive, tmp_path, "trained again", ALL)
    assert "differs in curve_loss; " in said


def test_predictions_are_compared_as_well(small: Any, tmp_path: Path, keeping: None) -> None:
    def scaled(records: Sequence[RunRecord]) -> list[RunRecord]:
        first = records[0]
        return [dataclasses.replace(first, predictions=Predictions(2 * first.predictions.values)), *records[1:]]

    archive = small.with_records(tmp_path, scaled)
    assert "differs in predictions; " in refused(archive, tmp_path, "trained again", ALL)


def test_another_kind_of_machine_leaves_it_open_with_the_difference(small: Any, tmp_path: Path, keeping: None) -> None:
    def elsewhere(records: Sequence[RunRecord]) -> list[RunRecord]:
        def made(one: RunRecord) -> RunRecord:
            return dataclasses.replace(
                one, provenance={**one.provenance, "cpu": "another"}, drift=tuple(1.01 * d for d in one.drift)
            )

        return [made(one) for one in records]

    def machines(archive: Path) -> Path:
        with tarfile.open(archive) as tar:
            held = {entry.name: tar.extractfile(entry).read() for entry in tar}
        text = json.loads(held["submission.json"])
        text["environments"][0]["cpu"] = "another"
        tables = {name: content for name, content in held.items() if name.startswith("results/")}
        with tarfile.open(small.archive) as tar:
            gone = dict.fromkeys(entry.name for entry in tar if entry.name.startswith("results/"))
        return small.changed(tmp_path, {**gone, **tables, "submission.json": json.dumps(text).encode()})

    found = findings(machines(small.with_records(tmp_path, elsewhere)), tmp_path, ALL)
    again = [one for one in found if one.check == "trained again"]
    assert {one.standing for one in again} == {Standing.OPEN}
    assert len(again) == 6
    assert "this kind of machine is another than the run's, so bits may differ; collapsed 0." in again[0].found
    assert verdict(found) is Standing.OPEN


def test_settings_are_those_that_the_file_makes(small: Any, tmp_path: Path, keeping: None) -> None:
    """The stack is declared by value and as text, and one may lie: here the text asks for a weaker technique."""
    with tarfile.open(small.archive) as tar:
        text = tar.extractfile("submission.json").read()
    lied = text.replace(b'"technique.py:Shaken"', b'"technique.py:Shaken:strength=0.0"')
    said = refused(small.changed(tmp_path, {"submission.json": lied}), tmp_path, "promises", ALL)
    assert said == "technique.py makes another technique or other settings than submission.json says"


def test_a_run_that_is_lost_here_leaves_it_open(
    small: Any, tmp_path: Path, keeping: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(specs: Any) -> list[RunRecord]:
        raise MemoryError("too small")

    monkeypatch.setattr("bench_lib.submissions.retraining.execute", lost)
    found = findings(small.archive, tmp_path, ALL)
    assert verdict(found) is Standing.OPEN
    assert "lost to infrastructure" in found[-1].found


def test_a_run_that_is_declined_here_is_refused(
    small: Any, tmp_path: Path, keeping: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench_lib.runner.records import blank_record

    def declined(specs: Any) -> list[RunRecord]:
        return [blank_record(spec, Status.UNSUPPORTED, "no") for spec in specs]

    monkeypatch.setattr("bench_lib.submissions.retraining.execute", declined)
    assert refused(small.archive, tmp_path, "trained again", ALL).endswith("collapsed stored, unsupported here")


def test_the_key_chooses_the_sample(small: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    unpacked = opened(small.archive, tmp_path / "out")
    chosen = {key: [spec.run_id() for spec in Sampling(3, key).of(unpacked)] for key in "abcdef"}
    assert all(len(set(one)) == 3 for one in chosen.values())
    assert len(set(map(tuple, chosen.values()))) > 1
    assert chosen["a"] == [spec.run_id() for spec in Sampling(3, "a").of(unpacked)]
    assert chosen["a"] == [spec.run_id() for spec in Sampling(6, "a").of(unpacked)][:3]
    with pytest.raises(BenchError, match="--sample is 0"):
        Sampling(0, "a")


@pytest.mark.parametrize(
    ("declared", "given", "message"),
    [
        ("folder", None, "--data is None; allowed: the folder with the data of sst2"),
        ("embedded", "hub", "--data is 'hub'; allowed: embedded, which the submission says"),
    ],
)
def test_the_data_are_those_of_the_submission(
    small: Any, tmp_path: Path, declared: str, given: str | None, message: str
) -> None:
    with tarfile.open(small.archive) as tar:
        text = tar.extractfile("submission.json").read()
    changed = text.replace(b'"data": "embedded"', f'"data": "{declared}"'.encode())
    (tmp_path / "out").mkdir()
    with pytest.raises(BenchError, match=message):
        opened(small.changed(tmp_path, {"submission.json": changed}), tmp_path / "out", given)
