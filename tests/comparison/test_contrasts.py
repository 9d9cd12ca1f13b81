"""Many techniques against one baseline, with an executor that hands out scores instead of training."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import pytest

from bench_lib.comparison.contrasts import Contrast, Contrasts, DecidedSweep, decide, paired
from bench_lib.comparison.looks import Stop
from bench_lib.comparison.sequential import ComparisonRequest, check
from bench_lib.core.errors import BadPlan, BadValue
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import RunSpec
from bench_lib.runner.grid import Grid
from bench_lib.runner.limits import Limits
from bench_lib.runner.records import blank_record
from bench_lib.runner.tuning import plan_tuning
from bench_lib.stats import power
from bench_lib.stats.verdict import Stability
from bench_lib.store import Store, compact, merge, verify
from tests.comparison.worlds import Told, failing, scored, spread

WORLD = spread(mixout=0.1, r_drop=9.0)


def contrasts(*techniques: str, **changes: object) -> Contrasts:
    whole = {"tasks": ("sst2",), "profiles": ("smoke",), "model": "tiny", "max_seeds": 16, **changes}
    return Contrasts("adamw", techniques or ("mixout", "r_drop", "ema"), **whole)


def verdicts(sweep: DecidedSweep) -> dict[str, tuple[Stability, int]]:
    return {c.technique: (r.verdict.stability, r.verdict.seeds) for c, r in sweep.results.items()}


@pytest.fixture(autouse=True)
def _fewer_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "spread_power", functools.partial(power.spread_power, trials=40))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def test_seeds_are_added_where_the_verdict_is_open_alone(store: Store) -> None:
    told = Told(WORLD)
    sweep = decide(contrasts(), store, told)
    found = verdicts(sweep)
    assert (found["mixout"][0], found["r_drop"][0], found["ema"][0]) == ("more stable", "less stable", "underpowered")
    assert sweep.decided == (Contrast("mixout", "sst2", "smoke"), Contrast("r_drop", "sst2", "smoke"))
    assert [*sweep.open] == [Contrast("ema", "sst2", "smoke")]
    assert sweep.open[Contrast("ema", "sst2", "smoke")] > 0
    for technique, (_, seeds) in found.items():
        assert told.seeds("sst2", technique) == list(range(seeds))
    assert told.seeds("sst2", "adamw") == list(range(max(seeds for _, seeds in found.values())))
    assert sweep.runs == len(told.asked) == len(store.ids())
    assert sweep.stopped is Stop.SEEDS


def test_when_all_is_decided_it_stops(store: Store) -> None:
    sweep = decide(contrasts("mixout", "r_drop", max_seeds=30), store, Told(WORLD))
    assert sweep.stopped is Stop.DECIDED
    assert not sweep.open
    assert len(store.ids()) < 3 * 30


def test_every_technique_task_and_profile_is_a_contrast_of_its_own(store: Store) -> None:
    asked = contrasts("mixout", "r_drop", tasks=("sst2", "conll2003"), profiles=("smoke", "smoke:epochs=2"))
    told = Told(WORLD)
    sweep = decide(asked, store, told, limits=Limits(runs=1))
    assert len([*asked]) == len(sweep.results) == 8
    assert {c.profile for c in sweep.results} == {"smoke", "smoke:epochs=2"}
    assert sweep.results[Contrast("mixout", "sst2", "smoke")].verdict.seeds == 0


def test_what_is_hopeless_is_given_up_and_says_what_it_needs(store: Store) -> None:
    told = Told(spread())
    sweep = decide(contrasts("mixout", "r_drop", "ema", "lawa"), store, told)
    given_up = [c for c, result in sweep.results.items() if result.verdict.seeds < 16]
    assert given_up
    assert all(sweep.open[c] > 16 - sweep.results[c].verdict.seeds for c in given_up)
    assert sweep.stopped is Stop.SEEDS


@pytest.mark.exhaustive
def test_limits_end_it_and_the_same_call_goes_on_to_the_same_verdicts(store: Store, tmp_path: Path) -> None:
    whole = decide(contrasts(), Store(tmp_path / "whole"), Told(WORLD))
    made = []
    for _ in range(20):
        told = Told(WORLD)
        sweep = decide(contrasts(), store, told, limits=Limits(runs=7))
        made.append(len(told.asked))
        assert sweep.runs == len(told.asked)
        if sweep.stopped is not Stop.LIMIT:
            break
    assert set(made[:-1]) <= {7, 8}  # an observer and its base are begun together
    assert sum(made) == whole.runs
    assert sweep.results == whole.results
    assert decide(contrasts(), store, told, limits=Limits(runs=1)).results == whole.results
    assert decide(contrasts(), Store(tmp_path / "none"), Told(WORLD), limits=Limits(hours=1e-9)).runs <= 1


@pytest.mark.exhaustive
def test_a_killed_sweep_takes_the_same_looks_and_reaches_the_same_verdicts(store: Store, tmp_path: Path) -> None:
    whole = decide(contrasts(), Store(tmp_path / "whole"), Told(WORLD))
    for seed in (3, 9):

        def stops(spec: RunSpec, seed: int = seed) -> RunRecord:
            if spec.seed == seed and spec.technique() == "ema":
                raise KeyboardInterrupt
            return WORLD(spec)

        with pytest.raises(KeyboardInterrupt):
            decide(contrasts(), store, Told(stops))
    told = Told(WORLD)
    assert decide(contrasts(), store, told).results == whole.results
    assert len(store.ids()) == whole.runs
    assert told.asked
    looks = [
        sorted(path.read_text() for path in (root / "looks").iterdir())
        for root in (store.root, tmp_path / "whole/looks/..")
    ]
    assert looks[0] == looks[1]


def test_one_technique_is_what_check_says(store: Store, tmp_path: Path) -> None:
    request = ComparisonRequest("r_drop", "adamw", ("sst2", "conll2003"), "smoke", "tiny", max_seeds=16)
    checked = check(request, Store(tmp_path / "checked"), Told(WORLD))
    sweep = decide(contrasts("r_drop", tasks=("sst2", "conll2003")), store, Told(WORLD))
    assert [result.verdict for result in sweep.results.values()] == [task.verdict for task in checked.tasks]
    again = check(request, store, Told(WORLD))
    assert [task.verdict for task in again.tasks] == [task.verdict for task in checked.tasks]
    assert len([*(store.root / "looks").iterdir()]) == 1


@pytest.mark.exhaustive
def test_more_seeds_continue_what_was_undecided(store: Store) -> None:
    decide(contrasts(max_seeds=12), store, Told(WORLD))
    told = Told(WORLD)
    sweep = decide(contrasts(max_seeds=16), store, told)
    assert {spec.seed for spec in told.asked} <= set(range(10, 16))
    assert sweep.results[Contrast("mixout", "sst2", "smoke")].verdict.seeds <= 12


def test_seeds_begin_where_they_are_told_to(store: Store) -> None:
    told = Told(WORLD)
    decide(contrasts("mixout", first_seed=100), store, told)
    assert min(told.seeds("sst2", "mixout")) == min(told.seeds("sst2", "adamw")) == 100


def test_a_contrast_that_is_declined_stops_and_leaves_the_others(store: Store) -> None:
    def world(spec: RunSpec) -> RunRecord:
        if spec.technique() == "mixout":
            return blank_record(spec, Status.UNSUPPORTED, "not with this head")
        return WORLD(spec)

    told = Told(world)
    sweep = decide(contrasts(), store, told)
    declined = sweep.results[Contrast("mixout", "sst2", "smoke")]
    assert declined.declined == "not with this head"
    assert told.seeds("sst2", "mixout") == list(range(10))
    assert Contrast("mixout", "sst2", "smoke") in sweep.decided
    assert sweep.stopped is Stop.SEEDS
    assert decide(contrasts("mixout", "r_drop", max_seeds=30), store, Told(world)).stopped is Stop.DECIDED


def test_runs_lost_to_infrastructure_leave_their_seed_out(store: Store) -> None:
    def world(spec: RunSpec) -> RunRecord:
        if spec.technique() == "r_drop" and spec.seed == 2:
            return blank_record(spec, Status.CRASHED, "killed")
        return WORLD(spec)

    result = decide(contrasts(), store, Told(world)).results[Contrast("r_drop", "sst2", "smoke")]
    assert (result.lost, result.verdict.seeds % 2) == (1, 1)


def test_a_technique_that_diverges_is_less_stable(store: Store) -> None:
    found = decide(contrasts("mixout", "ema"), store, Told(failing(mixout=1.0)))
    result = found.results[Contrast("mixout", "sst2", "smoke")]
    assert (result.verdict.stability, result.verdict.decided_by) == (Stability.LESS, "failures")


def test_a_baseline_that_always_fails_is_reported_as_open(store: Store) -> None:
    sweep = decide(contrasts("mixout", "ema"), store, Told(failing(adamw=1.0, mixout=1.0, ema=1.0)))
    assert all(math.isnan(missing) for missing in sweep.open.values())
    assert sweep.stopped is Stop.SEEDS


@pytest.mark.exhaustive
def test_the_store_stays_sound(store: Store, tmp_path: Path) -> None:
    decide(contrasts("mixout"), store, Told(lambda spec: scored(spec, 0.5 + spec.seed / 100)))
    assert [line for line in verify(store) if "no predictions" not in line] == []
    compact(store)
    other = Store(tmp_path / "other")
    merge(other, store)
    told = Told(WORLD)
    decide(contrasts("mixout"), other, told)
    assert not told.asked


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": ("sst22",)}, "did you mean 'sst2'"),
        ({"profiles": ("smok",)}, "did you mean 'smoke'"),
        ({"max_seeds": 2}, "greatest number of seeds is 2"),
        ({"alpha": 0.7}, "alpha is 0.7"),
        ({"techniques": ("mixuot",)}, "did you mean 'mixout'"),
        ({"techniques": ("ensemble",)}, "ensemble pools several seeds into one record"),
        ({"techniques": ("adamw",)}, "techniques is 'adamw'; allowed: techniques that differ from each other"),
        ({"techniques": ("llrd", "llrd:decay=0.95")}, "allowed: techniques that differ"),
    ],
)
def test_bad_contrasts_are_refused_before_anything_is_trained(
    store: Store, changes: dict[str, object], message: str
) -> None:
    told = Told(WORLD)
    techniques = changes.pop("techniques", ("mixout",))
    with pytest.raises(BadPlan, match=message):
        decide(contrasts(*techniques, **changes), store, told)
    assert not told.asked
    assert not store.root.exists()


@pytest.mark.parametrize("changes", [{"tasks": ()}, {"profiles": ("smoke", "smoke")}, {"first_seed": -1}])
def test_contrasts_that_cannot_be_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(BadValue):
        contrasts(**changes)


# ---- tuned arms ------------------------------------------------------------------------------------------------------


def test_tuned_arms_are_held_against_the_baseline_tuned_alike(store: Store) -> None:
    """Their stacks differ between tasks; what is chosen stays what it is while seeds are added."""
    tasks = ("sst2", "conll2003")
    world = spread(**{"mixout[tuned@3]": 0.1})
    plan_tuning(Grid(tasks, ("adamw", "mixout"), (0,), "smoke", "tiny"), 3).run(store, Told(spread()))
    asked = Contrasts(
        "adamw[tuned@3]",
        ("mixout[tuned@3]", "adamw"),
        tasks,
        ("smoke",),
        "tiny",
        max_seeds=16,
        tuned_from=str(store.root),
    )
    pairs = paired(asked)
    stacks = {(c.technique, c.task): (p.technique.technique(), p.baseline.technique()) for c, p in pairs.items()}
    assert stacks == {(name, task): (name, "adamw[tuned@3]") for name in asked.techniques for task in tasks}
    told = Told(world)
    sweep = decide(asked, store, told)
    assert {r.verdict.stability for c, r in sweep.results.items() if c.technique == "mixout[tuned@3]"} == {
        "more stable"
    }
    assert all(spec.seed < 16 for spec in told.asked)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"profiles": ("smoke:scored_on=dev",)},
            "--profile is 'smoke:scored_on=dev'; allowed: one that is scored on the",
        ),
        ({"first_seed": 999_990}, "first seed is 999990; allowed: so many seeds without 1000000-1000999"),
        ({"first_seed": 1_000_999}, "first seed is 1000999"),
    ],
)
def test_no_verdict_rests_on_trials(changes: dict[str, object], why: str) -> None:
    with pytest.raises(BadValue, match=why):
        contrasts("mixout", **changes)


def test_seeds_beside_those_of_tuning_are_taken() -> None:
    assert contrasts("mixout", first_seed=1_001_000).first_seed == 1_001_000
    assert contrasts("mixout", first_seed=999_984).max_seeds == 16


def test_a_tuned_arm_without_trials_is_refused(store: Store) -> None:
    with pytest.raises(BadPlan, match="stabbench tune --techniques mixout --tasks sst2"):
        decide(contrasts("mixout[tuned]", tuned_from=str(store.root)), store, Told(WORLD))
    with pytest.raises(BadPlan, match=r"techniques is 'mixout\[tuned@16\]'; allowed: techniques that differ"):
        decide(contrasts("mixout[tuned]", "mixout[tuned@16]", tuned_from=str(store.root)), store, Told(WORLD))
