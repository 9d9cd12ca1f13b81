from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, USAGE
from bench_lib.store import Address, Store
from tests.buckets import Server

Small = tuple[str, ...]
Damage = Callable[[Path], Path]
Written = pytest.CaptureFixture[str]


def test_a_sound_store_has_no_problems(capsys: Written, store: Path) -> None:
    assert main(["store", "verify", str(store)]) == DONE
    assert capsys.readouterr().out == "0 problems in 4 files of runs\n"


def test_a_truncated_file_is_a_problem_and_stays_where_it_is(capsys: Written, store: Path, damage: Damage) -> None:
    path = damage(store)
    assert main(["store", "verify", str(store)]) == USAGE
    *problems, last = capsys.readouterr().out.splitlines()
    assert last == f"{len(problems)} problems in 4 files of runs"
    assert any(str(path) in problem for problem in problems)
    assert path.exists()


def test_a_truncated_file_is_set_aside_by_name_and_its_run_made_again(
    capsys: Written, store: Path, small: Small, damage: Damage
) -> None:
    path = damage(store)
    relative = path.relative_to(store).as_posix()
    assert main(["store", "compact", str(store)]) == DONE
    written = capsys.readouterr()
    assert written.out == f"3 files of runs were merged; 1 are in {store}\n"
    assert written.err.startswith(f"stabbench: set aside the damaged file {relative} in {store / 'quarantine'}: ")
    assert len(written.err.splitlines()) == 1
    assert (store / "quarantine" / relative).exists()
    assert main(["run", *small, "--techniques", "adamw,mixout", "--seeds", "0-1", "--store", str(store)]) == DONE
    assert "4 runs: 3 stored, 1 to do" in capsys.readouterr().out
    assert path.exists()


def test_a_compacted_store_is_read_as_before(capsys: Written, store: Path) -> None:
    before = Store(store).records()
    assert main(["store", "compact", str(store)]) == DONE
    assert capsys.readouterr().out == f"4 files of runs were merged; 1 are in {store}\n"
    assert Store(store).records() == before
    assert main(["store", "compact", str(store)]) == DONE
    assert capsys.readouterr().out == f"0 files of runs were merged; 1 are in {store}\n"


def test_new_runs_are_compacted_into_files_of_their_own(capsys: Written, store: Path, small: Small) -> None:
    assert main(["store", "compact", str(store)]) == DONE
    (packed,) = Store(store).files("runs")
    content = packed.read_bytes()
    assert main(["run", *small, "--seeds", "2-3", "--store", str(store)]) == DONE
    capsys.readouterr()
    assert main(["store", "compact", str(store), "--add"]) == DONE
    assert capsys.readouterr().out == f"2 files of runs were merged; 2 are in {store}\n"
    assert packed.read_bytes() == content
    assert len(Store(store).records()) == 6


def test_stores_are_merged(capsys: Written, store: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    for added in (4, 0):
        assert main(["store", "merge", str(tmp_path / "other"), str(store)]) == DONE
        written = capsys.readouterr()
        assert written.out == f"{added} runs of {store} were added; 4 are in {tmp_path / 'other'}\n"
        assert written.err == ""
    assert Store(tmp_path / "other").records() == Store(store).records()


def test_stores_that_disagree_are_told_run_by_run(capsys: Written, store: Path, tmp_path: Path) -> None:
    other = shutil.copytree(store, tmp_path / "other")
    changed = Store(other).records()[1]
    Store(other).append(changed.changed({"tokens": changed.cost.tokens + 1}))
    assert main(["store", "merge", str(store), str(other)]) == USAGE
    written = capsys.readouterr()
    assert written.err == f"stabbench: run {changed.run_id} disagrees in tokens\n"
    assert written.out == f"0 runs of {other} were added; 4 are in {store}\n"


def test_merging_tells_of_damage_in_either_store(capsys: Written, store: Path, tmp_path: Path, damage: Damage) -> None:
    other = shutil.copytree(store, tmp_path / "other")
    path = damage(other)
    assert main(["store", "merge", str(store), str(other)]) == DONE
    error = capsys.readouterr().err
    assert path.name in error
    assert str(other / "quarantine") in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "{store}", "{store}"], "a second store with merge and sync, none with verify and compact"),
        (["merge", "{store}"], "OTHER is None; allowed: a second store with merge and sync"),
        (["merge", "{store}", "{none}"], "none'; allowed: a folder that exists"),
        (["compact", "{none}"], "none'; allowed: a folder that exists"),
        (["verify", "{store}", "--add"], "--add is 'verify'; allowed: compact before it"),
    ],
)
def test_a_store_that_is_not_there_is_refused(
    capsys: Written, store: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    given = [part.format(store=store, none=tmp_path / "none") for part in arguments]
    assert main(["store", *given]) == USAGE
    assert message in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_runs_that_two_kinds_of_machine_made_are_kept_as_repeats(capsys: Written, store: Path, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    for record in Store(store).records():
        other.append(dataclasses.replace(record, provenance={"cpu": "another"}))
    assert main(["store", "merge", str(store), str(other.root)]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"4 runs of both, made on different kinds of machine, are kept as repeats in {store}/repeats"
    assert main(["store", "merge", str(store), str(other.root)]) == DONE
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_bucket_does_what_a_folder_does(
    capsys: Written, bucket: Address, store: Path, small: Small, tmp_path: Path
) -> None:
    grid = (*small, "--techniques", "adamw,mixout", "--seeds", "0-1")
    place = str(bucket)
    assert main(["store", "sync", str(store), place]) == DONE
    assert capsys.readouterr().out == (
        f"4 runs and 0 repeats, 8 files, went to {place}, which holds 4 runs\n"
        f"0 runs and 0 repeats, 0 files, went to {store}, which holds 4 runs\n"
    )
    path = Store(bucket).files("runs")[0]
    path.unlink()
    assert main(["run", *grid, "--store", place]) == DONE
    said = capsys.readouterr().out
    assert "4 runs: 3 stored, 1 to do" in said
    assert f"in {place}\n" in said
    assert main(["store", "verify", place]) == DONE
    assert main(["store", "compact", place]) == DONE
    assert f"4 files of runs were merged; 1 are in {place}\n" in capsys.readouterr().out
    assert main(["store", "sync", "--one-way", place, str(tmp_path / "copy")]) == DONE
    assert capsys.readouterr().out == (
        f"4 runs and 0 repeats, 2 files, went to {tmp_path / 'copy'}, which holds 4 runs\n"
    )
    assert main(["store", "merge", place, str(store)]) == DONE
    assert main(["compare", place, str(store)]) == DONE
    assert "runs in both: 4; 4 equal, 0 different" in capsys.readouterr().out
    assert main(["compare", "adamw", "mixout", "--store", place]) == DONE
    assert main(["recommend", "--task-like", "sst2", "--store", place]) == DONE
    toml = tmp_path / "plan.toml"
    toml.write_text(
        'title = "One"\nmodel = "tiny"\nprofiles = ["smoke"]\n[[sweep]]\nname = "one"\ntasks = ["sst2"]\n'
        'techniques = ["adamw", "mixout"]\nseeds = "0-1"\n'
    )
    capsys.readouterr()
    assert main(["status", str(toml), "--json", "--store", place]) == DONE
    assert json.loads(capsys.readouterr().out)["whole"]["done"] == 4
    assert main(["run", str(toml), "--store", place]) == DONE
    assert main(["report", "--store", place, "--out", str(tmp_path / "reports")]) == DONE
    assert (tmp_path / "reports" / "leaderboard.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--store", "s3://"), "allowed: a folder, or s3://BUCKET/FOLDER"),
        (("report", "--store", "http://host/x"), "allowed: a folder, or s3://BUCKET/FOLDER"),
        (("store", "verify", "s3a://bucket"), "allowed: a folder, or s3://BUCKET/FOLDER"),
        (("store", "sync", "one"), "OTHER is None; allowed: a second store with merge and sync"),
        (("store", "verify", "one", "--one-way"), "--one-way is 'verify'; allowed: sync before it"),
        (("store", "sync", "none", "other", "--one-way"), "allowed: a store that holds runs"),
        (("report", "--out", "reports", "--store", "s3://no-such-bucket/x"), "cannot be listed: NoSuchBucket"),
        (("store", "verify", "s3://no-such-bucket/x"), "cannot be listed: NoSuchBucket"),
        (("compare", "s3://no-such-bucket/x", "s3://no-such-bucket/y"), "cannot be listed: NoSuchBucket"),
    ],
)
def test_what_is_no_store_is_refused(
    capsys: Written, arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: Server
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _code(arguments) == USAGE
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def _code(arguments: tuple[str, ...]) -> int | str | None:
    try:
        return main(list(arguments))
    except SystemExit as ended:
        return ended.code
