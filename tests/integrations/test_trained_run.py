"""A stored run is put together again from its record, or it is said why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bench_lib.core.errors import BadData, BadValue, UnknownName
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import RunSpec, canonical_json, digest
from bench_lib.integrations.model_folder import portable, save
from bench_lib.integrations.trained_run import differs, stored_run, train
from bench_lib.runner.grid import Grid, runs_of
from bench_lib.runner.records import blank_record
from bench_lib.store import Store


def spec_of(technique: str, profile: str = "smoke", frozen: tuple[tuple[str, int], ...] = (("subset", 0),)) -> RunSpec:
    (spec,) = runs_of(Grid(("sst2",), (technique,), (4,), profile, "tiny", "embedded", (frozen,)))
    return spec


def record_of(spec: RunSpec) -> RunRecord:
    return blank_record(spec, Status.CONVERGED, "")


@pytest.mark.parametrize(
    ("technique", "profile", "frozen"),
    [
        ("adamw", "smoke", {}),
        ("llrd:decay=0.8+mixout+ema", "smoke", {}),
        ("agc:clipping=inf", "smoke:clip_norm=inf:precision=bf16", {}),
        ("lora:rank=2", "smoke", {"init": 1}),
    ],
)
def test_the_spec_is_the_one_that_was_run(tmp_path: Path, technique: str, profile: str, frozen: dict[str, int]) -> None:
    spec = spec_of(technique, profile, tuple(sorted({"subset": 0, **frozen}.items())))
    store = Store(tmp_path)
    store.append(record_of(spec))
    for run_id in (spec.run_id(), spec.run_id()[:7]):
        record, found = stored_run(store, run_id, None)
        assert record.run_id == found.run_id() == spec.run_id()
        assert found.stack == spec.stack
        assert found.profile == spec.profile


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.* is deprecated:FutureWarning")  # peft's, as it loads
@pytest.mark.parametrize("adapters", ["merged", "apart"])
def test_weights_that_were_held_in_bf16_are_exported_as_they_were_loaded(tmp_path: Path, adapters: str) -> None:
    profiles = ("smoke:precision=bf16", "smoke:precision=bf16:frozen_weights=bf16:attention=sdpa")
    whole, held = (train(spec_of("lora", profile), lambda model: portable(model, adapters)) for profile in profiles)
    assert {parameter.dtype for parameter in held.model.parameters()} == {torch.float32}
    frozen = [name for name, _ in held.model.named_parameters() if ".base_layer." in name]
    assert frozen
    for name in frozen:
        assert torch.equal(held.model.get_parameter(name), whole.model.get_parameter(name))
    save(held.model, held.run.task, held.run.key.tokenizer(), tmp_path / "model", adapters, "card")
    assert (tmp_path / "model" / "README.md").read_text() == "card"


def test_unknown_and_too_short_ids_are_refused(tmp_path: Path) -> None:
    spec = spec_of("adamw")
    Store(tmp_path).append(record_of(spec))
    for run_id in ("0" * 20, spec.run_id()[:5]):
        with pytest.raises(UnknownName, match="unknown run of"):
            stored_run(Store(tmp_path), run_id, None)


def altered(tmp_path: Path, data_source: str = "embedded", **changes: object) -> tuple[Store, str]:
    """A store with a run whose spec says something else."""
    record = record_of(spec_of("mixout"))
    identity = {**json.loads(record.spec), **changes}
    run_id = digest(identity)
    text = {"spec": canonical_json(identity), "run_id": run_id, "training_id": run_id, "data_source": data_source}
    store = Store(tmp_path)
    store.append(record.changed(text))
    return store, run_id


def test_what_is_not_what_it_was_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="the run had mixout version 1, and this is version 2"):
        stored_run(*altered(tmp_path / "version", stack=[["mixout", {"p": 0.1}, "1"]]), None)
    with pytest.raises(BadData, match="the model tiny is another one now"):
        stored_run(*altered(tmp_path / "model", model="random:another"), None)
    with pytest.raises(BadData, match="cannot be put together again"):
        stored_run(*altered(tmp_path / "protocol", protocol=0), None)
    with pytest.raises(BadValue, match="--data is None; allowed: the folder, or the file of the task"):
        stored_run(*altered(tmp_path / "data", "local"), None)


def test_another_score_differs() -> None:
    record = record_of(spec_of("adamw")).changed({"score": 0.5})
    assert differs(record, record) == ""
    assert differs(record, record.changed({"score": 0.25})) == "the score is 0.5 now and was 0.25 when it was stored"
