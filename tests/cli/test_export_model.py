"""`stabbench train` and `stabbench export-model`: folders that transformers loads."""

from __future__ import annotations

import json
from pathlib import Path

import peft
import pytest
import torch
import transformers

from bench_lib.cli import main
from bench_lib.cli.console import DONE, USAGE
from bench_lib.store import Store

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
TINY = ("--profile", "smoke", "--model", "tiny")


def train(technique: str, folder: Path, *more: str, task: str = "sst2") -> int:
    return main(["train", technique, "--task", task, "--seed", "3", *TINY, "--save", str(folder), *more])


@pytest.mark.parametrize(
    ("task", "pipeline", "auto"),
    [
        ("sst2", "text-classification", "SequenceClassification"),
        ("conll2003", "token-classification", "TokenClassification"),
        ("squad", None, "QuestionAnswering"),
    ],
)
def test_a_trained_model_is_loaded_by_transformers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str, pipeline: str | None, auto: str
) -> None:
    folder = tmp_path / "model"
    assert train("llrd+mixout", folder, task=task) == DONE
    assert f"the model is in {folder}" in capsys.readouterr().out
    model = getattr(transformers, f"AutoModelFor{auto}").from_pretrained(folder)
    assert not list(tmp_path.glob("*.making"))
    card = (folder / "README.md").read_text()
    assert f"AutoModelFor{auto}.from_pretrained" in card
    assert "# llrd+mixout on" in card
    if pipeline is not None:
        found = transformers.pipeline(pipeline, model=str(folder), tokenizer=str(folder))("a fine film")
        names = {each.get("label", each.get("entity")) for each in found}
        assert names <= {*model.config.id2label.values()}
        assert not any(name.startswith("LABEL_") for name in model.config.id2label.values())


def test_adapters_are_merged_or_apart_and_compute_the_same(tmp_path: Path) -> None:
    assert train("lora:rank=2", tmp_path / "merged") == DONE
    assert train("lora:rank=2", tmp_path / "apart", "--adapters", "apart") == DONE
    auto = transformers.AutoModelForSequenceClassification
    merged = auto.from_pretrained(tmp_path / "merged").eval()
    base = auto.from_pretrained(tmp_path / "apart" / "base")
    apart = peft.PeftModel.from_pretrained(base, tmp_path / "apart" / "adapter").eval()
    ids = torch.arange(10, 20)[None]
    with torch.inference_mode():
        torch.testing.assert_close(merged(input_ids=ids).logits, apart(input_ids=ids).logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize("technique", ["mixout", "ema", "best_checkpoint"])
def test_a_stored_run_is_exported_with_its_score_and_the_spread_of_its_cell(
    tmp_path: Path, small: tuple[str, ...], capsys: pytest.CaptureFixture[str], technique: str
) -> None:
    place = tmp_path / "results"
    run = ["run", *small, "--techniques", technique, "--seeds", "0-1", "--store", str(place)]
    assert main(run) == DONE
    record = next(each for each in Store(place).records() if each.seed == 1)
    folder = tmp_path / "model"
    command = ["export-model", record.run_id[:8], "--store", str(place), "--save", str(folder)]
    assert main(command) == DONE
    assert "the score is the stored one to the bit" in capsys.readouterr().out
    card = (folder / "README.md").read_text()
    assert f"| {record.metric} | {record.score:.4f} |" in card
    assert f"| run | `{record.run_id}` |" in card
    assert "this stack over 2 seeds" in card
    assert json.loads(card.split("```json\n")[1].split("```")[0])["seed"] == 1
    assert len(Store(place).ids()) == 2, "the store is left as it is"


def test_a_run_of_a_task_of_ones_own_needs_its_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, place = tmp_path / "films", tmp_path / "results"
    data.mkdir()
    rows = [f"a {word} film of {i} scenes,{word}" for i in range(30) for word in ("fine", "dull")]
    (data / "train.csv").write_text("\n".join(["text,label", *rows]))
    assert main(["run", "--task", str(data), *TINY, "--seeds", "0", "--store", str(place)]) == DONE
    (run_id,) = Store(place).ids()
    export = ["export-model", run_id, "--store", str(place), "--save", str(tmp_path / "model")]
    assert main(export) == USAGE
    assert "--data is None; allowed: the folder" in capsys.readouterr().err
    assert main([*export, "--data", str(data)]) == DONE
    assert "the score is the stored one to the bit" in capsys.readouterr().out
    config = transformers.AutoConfig.from_pretrained(tmp_path / "model")
    assert sorted(config.id2label.values()) == ["dull", "fine"]


def test_another_score_is_said(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, *_ = Store(store).records()
    other = tmp_path / "other"
    Store(other).append(one.changed({"score": 0.123}))
    assert main(["export-model", one.run_id, "--store", str(other), "--save", str(tmp_path / "model")]) == DONE
    assert "was 0.123 when it was stored" in capsys.readouterr().err
    assert "was 0.123 when it was stored" in (tmp_path / "model" / "README.md").read_text()


@pytest.mark.parametrize(
    ("technique", "more", "reason"),
    [
        ("ensemble", (), "ensemble has no model of its own: it combines several trained seeds"),
        ("deni", (), "deni has no model of its own: it predicts by several states"),
        ("quantize_dynamic_int8", (), "has no model to export: its compressed model is measured"),
        ("lm_bff", (), "lm_bff has no model to export: it answers by the head for words"),
        ("mixuot", (), "did you mean 'mixout'"),
        ("mixout", ("--adapters", "apart"), "--adapters is 'apart'; allowed: merged"),
        ("prefix", (), "a prefix is no change of weights that could be merged; use --adapters apart"),
        ("adapter", (), "the stack adds or takes parts that BertForSequenceClassification does not know"),
        ("mixout", ("--seed", "0-2"), "--seed is '0-2'; allowed: one seed"),
    ],
)
def test_what_gives_no_model_is_refused_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], technique: str, more: tuple[str, ...], reason: str
) -> None:
    assert train(technique, tmp_path / "model", *more) == USAGE
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


def test_folders_and_ids_are_checked_first(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes.txt").touch()
    assert train("mixout", full) == USAGE
    assert "allowed: a folder that is empty or not there yet" in capsys.readouterr().err
    run_id = min(Store(store).ids())
    near = f"{run_id[:-1]}{'0' if run_id[-1] != '0' else '1'}"
    for asked in (near, "f" * 20):
        assert main(["export-model", asked, "--store", str(store), "--save", str(tmp_path / "m")]) == USAGE
    assert f"did you mean '{run_id}'" in capsys.readouterr().err
    assert main(["export-model", run_id, "--store", str(tmp_path / "no"), "--save", str(tmp_path / "m")]) == USAGE
    assert "a folder that exists" in capsys.readouterr().err
