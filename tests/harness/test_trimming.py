"""Which tokens a run reads."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench_lib.core.errors import Unsupported
from bench_lib.core.profiles import PROFILES
from bench_lib.core.spec import Profile
from bench_lib.harness.datasets import DataKey, Subset, data_key, dev_set, evaluation_set, train_features
from bench_lib.harness.robustness import perturbed_set
from bench_lib.harness.trimming import check_trimming, reads_all_rows, tokens_read
from bench_lib.models import MODELS
from bench_lib.models.source import resolve
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import QUESTION_ANSWERING, TEXT_CLASSIFICATION, TEXT_GENERATION
from bench_lib.tasks.sources.load import load_data

SUBSET = Subset(3, 0)


def key_of(folder: Path, model: str = "tiny") -> tuple[DataKey, Profile]:
    task = TASKS.get("sst2")
    profile = PROFILES.get("smoke")("sst2", task.format)
    return data_key(load_data(task, str(folder)), resolve(model, MODELS), profile), profile


def folder_of(place: Path, train: list[str], evaluation: list[str]) -> Path:
    for split, texts in (("train", train), ("validation", evaluation)):
        rows = [{"sentence": text, "label": number % 2} for number, text in enumerate(texts)]
        (place / "sst2").mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), place / "sst2" / f"{split}.parquet")
    return place


def read(key: DataKey, profile: Profile, subset: Subset = SUBSET) -> set[int]:
    features, evaluation = train_features(key, subset), evaluation_set(key, profile.eval_examples)
    found = tokens_read(key, subset, profile, features, evaluation)
    assert found == sorted(set(found))
    return set(found)


def ids(key: DataKey, text: str) -> set[int]:
    found: list[int] = key.tokenizer()(text, add_special_tokens=False)["input_ids"]
    return set(found)


@pytest.mark.parametrize("model", ["tiny", "tiny-llama"])
def test_training_evaluation_dev_and_special_tokens_are_read_and_nothing_else(tmp_path: Path, model: str) -> None:
    words = ["apples", "bears", "clouds", "dogs", "eagles", "figs"]
    key, profile = key_of(folder_of(tmp_path, words, ["great", "awful"]), model)
    chosen = {int(i) for feature in train_features(key, SUBSET) for i in feature.input_ids}
    dev = {int(i) for feature in dev_set(key, SUBSET, profile.dev_examples).features for i in feature.input_ids}
    special = set(key.tokenizer().all_special_ids)
    evaluated = ids(key, "great") | ids(key, "awful")
    assert read(key, profile) - special == (chosen | dev | evaluated) - special
    assert special <= read(key, profile)
    assert any(not ids(key, word) <= read(key, profile) for word in words), "half of what is not trained on is no dev"


def test_perturbed_words_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    texts = [f"the {noun} of this lovely garden is remarkable" for noun in ("story", "house", "river", "fence")]
    key, profile = key_of(folder_of(tmp_path, texts, texts[:2]))
    noisy = dataclasses.replace(profile, perturb=0.9)
    evaluation = evaluation_set(key, profile.eval_examples)
    changed = {int(i) for feature in perturbed_set(key, evaluation, 0.9).features for i in feature.input_ids}
    assert not changed <= read(key, profile)
    assert changed <= read(key, noisy)


def test_without_a_dev_set_there_is_none_to_read(tmp_path: Path) -> None:
    key, profile = key_of(folder_of(tmp_path, ["good", "bad"], ["great", "awful"]))
    whole = Subset(None, 0)
    with pytest.raises(Unsupported, match="no training example left for a dev set"):
        dev_set(key, whole, profile.dev_examples)
    assert read(key, profile, whole) >= ids(key, "good") | ids(key, "great")


def test_what_reads_all_rows_is_named() -> None:
    trims, forgets = Profile(trim_vocabulary=True), Profile(trim_vocabulary=True, forgetting="generated")
    for task_format in (TEXT_CLASSIFICATION, QUESTION_ANSWERING):
        assert reads_all_rows(task_format, trims) == ""
        check_trimming(task_format, trims)
        with pytest.raises(Unsupported, match="trim_vocabulary is True; allowed: False, since forgetting"):
            check_trimming(task_format, forgets)
    with pytest.raises(Unsupported, match="trim_vocabulary is True; allowed: False, since answers are written"):
        check_trimming(TEXT_GENERATION, trims)
    check_trimming(TEXT_GENERATION, dataclasses.replace(forgets, trim_vocabulary=False))


def test_robustness_sets_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, profile = key_of(folder_of(tmp_path, ["good", "bad", "dull"], ["great", "awful"]))
    before = read(key, profile)
    (tmp_path / "other").mkdir()
    other, _ = key_of(folder_of(tmp_path / "other", ["warm", "cold", "grey"], ["crocodile", "zebra"]))
    monkeypatch.setattr(
        "bench_lib.harness.trimming.further_evaluation", lambda *_: ((), evaluation_set(other, profile.eval_examples))
    )
    data = dataclasses.replace(key.data, further=(object(),))
    after = read(dataclasses.replace(key, data=data), profile)
    assert not ids(key, "crocodile") & before
    assert after >= before | ids(key, "crocodile") | ids(key, "zebra")
