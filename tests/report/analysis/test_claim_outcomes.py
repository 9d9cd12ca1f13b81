from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import pytest

from bench_lib.report.analysis.claim_contrasts import Outcome
from bench_lib.report.analysis.claim_outcomes import Finding, findings
from bench_lib.report.analysis.published_claims import Claim
from bench_lib.report.analysis.results import leaderboard_rows
from bench_lib.report.cells import add_cell_ids, split_cells

CLAIM = Claim("s", "fgm", "adamw", "more_stable", ("sequence",), ("rte",), ("BERT-large",), "s", "not verified")


@pytest.fixture
def find(frame: Any) -> Any:
    """The findings on claims, each the one above with changes, in a table of runs."""

    def find(records: Iterable[Any], *changes: dict[str, Any]) -> list[Finding]:
        runs = add_cell_ids(frame(records))
        claims = {f"claim{number}": dataclasses.replace(CLAIM, **one) for number, one in enumerate(changes or ({},))}
        return findings(claims, leaderboard_rows(split_cells(runs), "adamw"), runs, "adamw")

    return find


def steadier(record: Any, seeds: int = 30, **changes: Any) -> list[Any]:
    """Runs of adamw, and of fgm with a tenth of its spread and higher scores."""
    return [
        *(record(i, 0.7 + (i * 7 % 30) / 300, **changes) for i in range(seeds)),
        *(record(i, 0.9 + (i * 11 % 30) / 3000, "fgm", **changes) for i in range(seeds)),
    ]


def test_a_verdict_supports_contradicts_or_bears_not_on_a_claim(record: Any, find: Any) -> None:
    claims = [{"effect": effect} for effect in ("no_effect", "more_stable", "fewer_failures", "no_lower_mean")]
    found = find(steadier(record), *claims)
    assert [(one.claim.effect, one.outcome, one.missing) for one in found] == [
        ("more_stable", "supported", 0),
        ("no_lower_mean", "supported", 0),
        ("no_effect", "contradicted", 0),
        ("fewer_failures", "undecided", 0),
    ]
    assert found[-1].reason == "no run of adamw failed, so that none can be saved"
    assert [one.task for one in found[0].contrasts] == ["sst2"]


def test_too_few_seeds_are_counted_and_enough_that_settle_nothing_are_named(record: Any, find: Any) -> None:
    runs = [record(i, 0.8 + (i * 7 % 23) / 1000) for i in range(22)]
    runs += [record(i, 0.8 + (i * 11 % 23) / 750, "fgm") for i in range(22)]
    ((short,), (long,)) = find(one for one in runs if one.seed < 6), find(runs)
    assert (short.outcome, short.missing, short.reason) == ("undecided", 14, "")
    assert (long.outcome, long.missing, long.reason) == ("undecided", 0, "22 seeds do not settle it")


def test_the_baseline_is_held_against_a_technique_in_the_claim_s_direction(record: Any, find: Any) -> None:
    runs = [record(i, 0.8 + i / 1000) for i in range(20)]
    runs += [record(i, None, "bertadam", status="diverged") for i in range(20)]
    turned = {"technique": "adamw", "baseline": "bertadam", "effect": "fewer_failures"}
    (found,) = find(runs, turned)
    assert found.outcome is Outcome.SUPPORTED
    (contrast,) = found.contrasts
    assert (contrast.row["technique"], contrast.row["failed"], contrast.base["failed"]) == ("adamw", 0, 20)
    assert find(runs, turned | {"effect": "more_stable"})[0].outcome is Outcome.SUPPORTED


def test_tasks_that_contradict_each_other_leave_a_claim_undecided(record: Any, find: Any) -> None:
    swapped = [
        *(record(i, 0.9 + (i * 11 % 30) / 3000, task="imdb") for i in range(30)),
        *(record(i, 0.7 + (i * 7 % 30) / 300, "fgm", task="imdb") for i in range(30)),
    ]
    (found,) = find([*steadier(record), *swapped])
    assert (found.outcome, found.reason, found.missing) == ("undecided", "the tasks contradict each other", 0)
    assert [one.outcome for one in found.contrasts] == ["contradicted", "supported"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"formats": ()}, "the suite has no tasks like the paper's: rte"),
        ({"baseline": "smart"}, "this report compares with adamw, not with smart"),
        ({"technique": "lora"}, "no runs of lora beside adamw on its kind of task"),
        ({"formats": ("span",)}, "no runs of fgm beside adamw on its kind of task"),
        ({"technique": "adamw", "baseline": "bertadam"}, "no runs of bertadam beside adamw on its kind of task"),
    ],
)
def test_what_no_run_tests_says_why(record: Any, find: Any, changes: dict[str, Any], reason: str) -> None:
    (found,) = find(steadier(record, 3), changes)
    assert (found.outcome, found.contrasts) == ("not tested here", ())
    assert found.reason.startswith(reason)


def test_embedded_data_test_nothing(record: Any, find: Any) -> None:
    (found,) = find(steadier(record, source="embedded"))
    assert found.outcome is Outcome.NOT_TESTED


def test_plain_fine_tuning_stands_in_for_that_of_the_paper(record: Any, find: Any) -> None:
    (found,) = find(steadier(record), {"baseline": "bertadam"})
    assert found.outcome is Outcome.SUPPORTED
    assert str(found.differences[0]) == "baseline: adamw here, bertadam in the paper"


def sized(records: Iterable[Any], size: int | None, profile: str) -> list[Any]:
    """The records with another number of training examples, in a profile of that name."""
    old, new = '"train_examples":null', f'"train_examples":{"null" if size is None else size}'
    changed = [dataclasses.replace(one, spec=one.spec.replace(old, new), profile=profile) for one in records]
    assert size is None or all(new in one.spec for one in changed)
    return [dataclasses.replace(one, run_id=f"{profile}-{one.run_id}") for one in changed]


def test_on_each_task_the_nearest_size_counts(record: Any, find: Any) -> None:
    runs = [
        *sized(steadier(record, 4), 100, "small"),
        *sized(steadier(record, 3), 1000, "large"),
        *sized(steadier(record, 3), 1000, "large-stress"),
        *sized(steadier(record, 5), None, "whole"),
        *sized(steadier(record, 6), 0, "untrained"),
    ]
    found = find(runs, {"train_examples": 2490}, {"train_examples": 120}, {})
    profiles = {one.name: [part.row["profile"] for part in one.contrasts] for one in found}
    assert profiles == {"claim0": ["large"], "claim1": ["small"], "claim2": ["whole"]}


def test_the_newest_version_counts(record: Any, find: Any) -> None:
    old = [record(i, 0.8, "fgm", version="1") for i in range(5)]
    new = [record(i, 0.8 + i / 100, "fgm", version="2") for i in range(3)]
    base = [record(i, 0.8 + i / 50) for i in range(5)]
    (found,) = find([*old, *new, *base])
    (contrast,) = found.contrasts
    assert (contrast.version, contrast.shared) == ((2,), 3)
