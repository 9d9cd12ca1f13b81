from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import pandas as pd
import pytest

from bench_lib.core.errors import BenchError, UnknownName
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import canonical_json
from bench_lib.report.analysis.evidence import COST, Limits
from bench_lib.report.analysis.recommend import Recommendation, recommend, task_query
from bench_lib.report.analysis.summary import add_contrasts, compare_cells, summarise_cells
from bench_lib.report.analysis.verdicts import verdicts
from bench_lib.report.cells import CELL_ID, add_cell_ids, split_cells
from bench_lib.stats.failure import wilson
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import FORMATS, QUESTION_ANSWERING, TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION, Format

Make = Callable[..., RunRecord]
Frame = Callable[[Iterable[RunRecord]], pd.DataFrame]
Ask = Callable[..., list[Recommendation]]

SPREAD = (0.01, -0.02, 0.02, -0.01, 0.0)
"""What the seeds add to a score."""


@pytest.fixture
def arm(record: Make) -> Callable[..., list[RunRecord]]:
    """Five runs of a technique, of which some failed, whose scores spread by a factor about a mean."""

    def make(
        technique: str, factor: float = 1.0, failed: int = 0, mean: float = 0.8, **changes: object
    ) -> list[RunRecord]:
        good = [record(seed, mean + factor * SPREAD[seed % 5], technique, **changes) for seed in range(failed, 5)]
        return good + [record(seed, None, technique, **changes, status=Status.DIVERGED) for seed in range(failed)]

    return make


@pytest.fixture
def ask(frame: Frame) -> Ask:
    """The advised that records give; verdicts may be changed by technique."""

    def query(
        records: Iterable[RunRecord],
        text: str = "sst2",
        limits: Limits | None = None,
        said: dict[str, dict[str, object]] | None = None,
    ) -> list[Recommendation]:
        known = add_cell_ids(frame(records))
        cells = split_cells(known)
        table = add_contrasts(summarise_cells(cells), compare_cells(cells))
        table = table.merge(verdicts(cells, "adamw"), on=list(CELL_ID), validate="one_to_one")
        for technique, changes in (said or {}).items():
            for column, value in changes.items():
                table.loc[table["technique"] == technique, column] = value
        runs = known.assign(provenance=[canonical_json(entry) for entry in known["provenance"]])
        return recommend(table, runs, task_query(text, set(table["task"])), limits or Limits(), "adamw")

    return query


def names(advised: Recommendation) -> list[str]:
    return [one.name for one in advised.found]


# ---- the tasks that are meant ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *(
            ("ner", TOKEN_CLASSIFICATION),
            ("Token Classification", TOKEN_CLASSIFICATION),
            ("QA", QUESTION_ANSWERING),
            ("question_answering", QUESTION_ANSWERING),
        ),
        *(("classification", TEXT_CLASSIFICATION), ("nli", TEXT_CLASSIFICATION), ("sentiment", TEXT_CLASSIFICATION)),
    ],
)
def test_a_kind_of_task_has_its_common_names(text: str, kind: Format) -> None:
    found = task_query(text, [])
    assert (found.task, found.kind) == ("", kind)
    assert set(found.among(TASKS.names())) == {task.name for task in TASKS if task.format is kind}


def test_no_common_name_means_two_kinds_or_a_task() -> None:
    words = [name for kind in FORMATS for name in kind.aliases]
    assert len(words) == len(set(words))
    assert not set(words) & set(TASKS.names())


def test_a_task_means_itself_where_it_is_held_and_its_kind_elsewhere() -> None:
    assert task_query("SST2", []).among({"sst2", "imdb", "conll2003"}) == ("sst2",)
    assert task_query("rte", []).among({"sst2", "imdb", "conll2003"}) == ("imdb", "sst2")
    assert task_query("squad", []).among({"sst2"}) == ()


def test_a_task_that_only_the_store_knows_is_found() -> None:
    assert task_query("my task", {"my_task"}).among({"my_task", "sst2"}) == ("my_task",)
    assert task_query("my_task", {"my_task"}).among({"sst2"}) == ()


def test_an_unknown_kind_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="unknown task or kind of task 'nerr': did you mean 'ner'"):
        task_query("nerr", [])


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_only_what_meets_the_limits_is_found(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    runs = [*arm("adamw"), *arm("mixout"), *arm("fgm", seconds=20.0), *arm("lora", failed=1)]
    (advised,) = ask(runs, limits=Limits(1.5, 0.1))
    assert names(advised) == ["mixout"]
    assert {one.name: set(one.misses) for one in advised.others} == {"fgm": {"cost"}, "lora": {"failure"}}
    assert advised.removed() == {"cost": 1, "failure": 1}
    (free,) = ask(runs)
    assert sorted(names(free)) == ["fgm", "lora", "mixout"]
    assert free.removed() == {}


def test_a_limit_includes_its_value(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    (advised,) = ask([*arm("adamw"), *arm("fgm", failed=1, seconds=15.0)], limits=Limits(1.5, 0.2))
    assert names(advised) == ["fgm"]


def test_the_nearest_misses_least(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    runs = [*arm("adamw"), *arm("fgm", seconds=30.0), *arm("sam", seconds=16.0), *arm("lora", failed=4)]
    (advised,) = ask([*runs, *arm("lion")], limits=Limits(1.5, 0.1), said={"lion": {"verdict": "less stable"}})
    assert [one.name for one in advised.others] == ["sam", "lora", "fgm", "lion"]
    assert advised.others[0].misses == {"cost": "takes 1.60 times as long on sst2"}
    assert advised.others[-1].misses == {"regression": "is less stable than adamw on sst2"}


def test_an_unknown_time_misses_a_limit_of_it(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    (advised,) = ask([*arm("adamw"), *arm("lion", failed=5)], limits=Limits(cost=2.0))
    assert "its time on sst2 is not known" in advised.others[0].misses["cost"]


def test_a_proven_loss_of_score_is_left_out(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    (advised,) = ask([*arm("adamw"), *arm("lion")], said={"lion": {"verdict_location": "worse"}})
    assert advised.removed() == {"regression": 1}


# ---- the order -------------------------------------------------------------------------------------------------------


def test_the_order_is_proof_failures_spread_cost(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    runs = [*arm("adamw"), *arm("sam", failed=1), *arm("lion", factor=0.5), *arm("lora", factor=0.2)]
    runs += [*arm("fgm", factor=0.5, seconds=9.0), *arm("asam", failed=2, factor=0.1)]
    (advised,) = ask(runs, said={"asam": {"verdict": "more stable", "decided_by": "spread"}})
    assert names(advised) == ["asam", "lora", "fgm", "lion", "sam"]


def test_of_equal_rates_the_one_with_more_seeds_comes_first(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    (advised,) = ask([*arm("adamw"), *arm("lion", factor=0.5)[:3], *arm("lora", factor=0.9)])
    assert names(advised) == ["lora", "lion"]


# ---- evidence --------------------------------------------------------------------------------------------------------


def test_the_evidence_is_that_of_the_cell(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    (advised,) = ask([*arm("adamw"), *arm("lion", factor=0.5, failed=1, mean=0.7, seconds=12.0)])
    (one,) = advised.found[0].evidence
    assert (one.task, one.failed, one.judged, one.shared) == ("sst2", 1, 5, 5)
    assert (one.failure_low, one.failure_high) == pytest.approx(wilson(1, 5))
    assert one.minimum == pytest.approx(0.69)
    assert one.cost_ratio == pytest.approx(1.2)
    assert one.mad_ratio == pytest.approx(0.5, rel=0.1)  # of the four seeds that survive in both arms
    assert one.mad_ratio_low < one.mad_ratio < one.mad_ratio_high or one.mad_ratio_low == pytest.approx(0.5)
    assert advised.baseline.evidence[0].mad == pytest.approx(0.012)


def test_what_is_not_shown_is_said_with_what_would_show_it(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    runs = [*arm("adamw"), *arm("lion", factor=0.5), *arm("sam", failed=1)]
    (advised,) = ask(runs, limits=Limits(failure=0.25))
    said = {one.name: one.unproven for one in advised.found}
    assert said["lion"] == (
        "failure rate at most 25 % on sst2 is not shown: 0 of 5 seeds leave up to 43.4 % possible (Wilson 95 %); "
        "12 seeds without a failure would show it",
        "spread against adamw on sst2 is undecided: 5 of at least 20 seeds",
    )
    assert "1 of 5 seeds leave up to 62.4 % possible" in said["sam"][0]
    assert "with no more than these 1 failures" in said["sam"][0]


def test_a_rate_of_nothing_cannot_be_shown(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    (advised,) = ask([*arm("adamw"), *arm("lion")], limits=Limits(failure=0.0))
    assert "no number of seeds shows a rate of 0" in advised.found[0].unproven[0]


def test_proofs_are_said_and_nothing_beside_them(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    said = {"verdict": "more stable", "decided_by": "spread", "verdict_location": "better"}
    (advised,) = ask([*arm("adamw"), *arm("lion")], limits=Limits(failure=0.5), said={"lion": said})
    assert advised.found[0].unproven == ()
    assert advised.found[0].proven == (
        "more stable than adamw on sst2: its scores spread less",
        "scores above adamw on sst2",
        "failure rate at most 50 % on sst2 (Wilson 95 %)",
    )
    (same,) = ask([*arm("adamw"), *arm("lion")], said={"lion": {"verdict": "equivalent", "mad_ratio_low": math.nan}})
    assert same.found[0].proven == ("as stable as adamw on sst2, within the margins of a difference that matters",)


def test_lower_scores_and_lost_runs_are_said(arm: Callable[..., list[RunRecord]], record: Make, ask: Ask) -> None:
    (advised,) = ask([*arm("adamw"), *arm("lion", mean=0.6), record(7, None, "lion", status=Status.OOM)])
    assert advised.found[0].unproven[1:] == (
        "its scores on sst2 have not even spread less so far than those of adamw",
        "may score lower on sst2: the 95 % interval of its mean lies below that of adamw",
        "runs on sst2 that the machine lost count neither way: 1",
    )


def test_times_of_different_machines_are_not_compared(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    elsewhere = [r.changed({"provenance": {"cpu": "other"}}) for r in arm("lion")]
    (advised,) = ask([*arm("adamw"), *elsewhere], limits=Limits(cost=2.0))
    assert not advised.found
    (lion,) = advised.others
    assert math.isnan(lion.evidence[0].cost_ratio)
    assert lion.misses == {COST: "its time on sst2 is not known: no machine has runs of it and of adamw that converged"}


# ---- several tasks, variants and groups ------------------------------------------------------------------------------


def test_several_tasks_are_ranked_over_what_was_judged_on_all(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    runs = [run for task in ("sst2", "imdb", "conll2003") for run in arm("adamw", task=task)]
    runs += [*arm("lion", task="sst2"), *arm("lion", task="imdb", seconds=20.0), *arm("sam", task="sst2")]
    (advised,) = ask(runs, "classification", Limits(cost=1.5))
    assert advised.tasks == ("imdb", "sst2")
    assert [one.name for one in advised.partly] == ["sam"]
    assert [part.task for part in advised.others[0].evidence] == ["imdb", "sst2"]
    assert advised.others[0].misses == {"cost": "takes 2.00 times as long on imdb"}
    (one,) = ask(runs, "sst2")
    assert sorted(names(one)) == ["lion", "sam"]
    assert one.partly == ()
    assert one.missing_task == ""
    (other,) = ask(runs, "mrpc")
    assert other.missing_task == "mrpc"
    assert other.tasks == ("imdb", "sst2")


def test_versions_are_ranked_apart_under_the_leaderboards_names(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    runs = [*arm("adamw"), *arm("lion"), *arm("lion", version="2")]
    (advised,) = ask(runs)
    assert len(set(names(advised))) == 2
    assert all(name.startswith("lion (") for name in names(advised))
    more = [run for technique in ("adamw", "lion") for run in arm(technique, task="imdb")]
    (over,) = ask([*runs, *more], "classification")
    assert names(over) == ["lion"]
    assert over.found[0].evidence[1].label.startswith("lion (")


def test_of_several_settings_the_one_with_most_runs_counts(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    runs = [*arm("adamw"), *arm("lion"), *arm("adamw", rate=1e-3)[:3], *arm("lion", rate=1e-3)[:3]]
    (advised,) = ask(runs)
    assert [one.evidence[0].judged for one in (*advised.found, advised.baseline)] == [5, 5]


def test_groups_stay_apart(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    runs = [run for source in ("local", "embedded") for t in ("adamw", "lion") for run in arm(t, source=source)]
    found = ask([*runs, *arm("lion", profile="full", rate=1e-3)])
    assert [advised.group for advised in found] == [("embedded", "minilm", "desk"), ("real", "minilm", "desk")]


def test_what_was_not_run_beside_the_baseline_is_not_considered(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    (advised,) = ask([*arm("adamw"), *arm("lion", rate=1e-3), *arm("sam")])
    assert names(advised) == ["sam"]
    assert advised.others == ()


def test_without_a_baseline_on_such_tasks_nothing_is_said(arm: Callable[..., list[RunRecord]], ask: Ask) -> None:
    with pytest.raises(BenchError, match="no judged run of the baseline adamw on tasks like 'ner', it was run on sst2"):
        ask([*arm("adamw"), *arm("lion", task="conll2003")], "ner")
