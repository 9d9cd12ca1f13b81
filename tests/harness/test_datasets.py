from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import PreTrainedTokenizerBase

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Profile, Ref
from bench_lib.harness.datasets import (
    DataKey,
    Subset,
    data_key,
    dev_examples,
    dev_set,
    evaluation_set,
    train_examples,
    train_features,
    unlabelled_pool,
)
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import Example, TextExample
from bench_lib.tasks.scoring.constant_baseline import constant_baseline
from bench_lib.tasks.sources.load import load_data

SST2 = TASKS.get("sst2")


@pytest.fixture
def key(data: Path, tiny: Ref) -> Callable[..., DataKey]:
    def make(max_length: int = 32) -> DataKey:
        return data_key(load_data(SST2, str(data)), tiny, Profile(max_length=max_length, stride=8))

    return make


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The number of texts in every call of the tokenizer."""
    seen: list[int] = []
    original = type(tokenizer).__call__

    def counted(self: PreTrainedTokenizerBase, texts: list[str], *args: object, **kwargs: object) -> object:
        seen.append(len(texts))
        return original(self, texts, *args, **kwargs)

    monkeypatch.setattr(type(tokenizer), "__call__", counted)
    return seen


def test_examples_are_tokenised_once_for_all_runs(key: Callable[..., DataKey], calls: list[int]) -> None:
    first = train_features(key(), Subset(16, 0)), evaluation_set(key(), 12)
    assert calls == [16, 12]
    for _ in range(3):
        assert (train_features(key(), Subset(16, 0)), evaluation_set(key(), 12)) == first
    assert calls == [16, 12]


def test_what_changes_the_features_is_tokenised_again(key: Callable[..., DataKey], calls: list[int]) -> None:
    train_features(key(), Subset(16, 0))
    train_features(key(), Subset(16, 1))
    train_features(key(), Subset(8, 0))
    long = train_features(key(), Subset(16, 0))
    short = train_features(key(16), Subset(16, 0))
    assert calls == [16, 16, 8, 16]
    assert max(map(len, long)) <= 32
    assert max(map(len, short)) <= 16


def test_subsets_follow_their_seed_and_the_smaller_lies_in_the_larger(data: Path) -> None:
    source = str(data)
    one, same, other = (train_examples(load_data(SST2, source), Subset(16, seed)) for seed in (0, 0, 1))
    assert one == same != other
    assert len(set(one)) == 16
    assert set(train_examples(load_data(SST2, source), Subset(8, 0))) < set(one)
    assert set(train_examples(load_data(SST2, source), Subset(None, 5))) == set(load_data(SST2, source).train)


def labels(examples: Sequence[Example]) -> list[int]:
    return [example.label for example in examples if isinstance(example, TextExample)]


def test_features_are_of_the_examples_in_order(key: Callable[..., DataKey], data: Path) -> None:
    examples = train_examples(load_data(SST2, str(data)), Subset(16, 3))
    features = train_features(key(), Subset(16, 3))
    assert [feature.item for feature in features] == list(range(16))
    assert [int(feature.targets[0]) for feature in features] == labels(examples)


def test_the_evaluation_set_is_the_same_for_every_seed_and_no_training_example(
    key: Callable[..., DataKey], data: Path
) -> None:
    built = evaluation_set(key(), 12)
    held = load_data(SST2, str(data))
    assert len(built.examples) == len(built.features) == 12
    assert set(built.examples) < set(held.evaluation)
    assert not set(built.examples) & set(held.train)
    assert built.constant_baseline == constant_baseline(SST2, built.examples)
    evaluation_set.cache_clear()  # as in another process
    assert evaluation_set(key(), 12).examples == built.examples


def test_all_of_the_evaluation_set_where_no_size_is_given(key: Callable[..., DataKey]) -> None:
    assert len(evaluation_set(key(), None).examples) == 20


# ---- the dev set -----------------------------------------------------------------------------------------------------

INPUTS = {
    "sst2": lambda e: (e.text, e.pair),
    "rte": lambda e: (e.text, e.pair),
    "conll2003": lambda e: e.words,
    "squad": lambda e: (e.context, e.question),
}


@pytest.mark.parametrize("task", INPUTS)
@pytest.mark.parametrize("trained", [1, 8, 20, 39])
def test_the_dev_set_holds_nothing_that_is_trained_or_evaluated_on(data_folder: Path, task: str, trained: int) -> None:
    """Repeats of these included, of which the folder has some."""
    source, read = str(data_folder), INPUTS[task]
    data = load_data(TASKS.get(task), source)
    seen = {read(e) for e in (*train_examples(data, Subset(trained, 0)), *data.evaluation)}
    left = {read(e): e for e in data.train if read(e) not in seen}
    if not left:
        assert trained == 39
        with pytest.raises(Unsupported, match=f"{task} has no training example left for a dev set"):
            dev_examples(data, Subset(trained, 0), 5)
        return
    half = math.ceil(len(left) / 2)
    found = dev_examples(data, Subset(trained, 0), 5)
    assert len(found) == min(5, half)
    assert not {read(e) for e in found} & seen
    # However large a dev set is asked for, half of the texts stay for techniques that read them without their labels.
    dev, pool = dev_examples(data, Subset(trained, 0), 1000), unlabelled_pool(data, Subset(trained, 0), 1000)
    assert len(dev) == half
    assert sorted(map(read, (*dev, *pool))) == sorted(left)


def rewritten(folder: Path, task: str, make: Callable[[dict[str, object], int], dict[str, object]]) -> str:
    """A folder in which each row of a task stands a second time, changed by the function."""
    for split in ("train", "validation"):
        rows = pq.read_table(folder / task / f"{split}.parquet").to_pylist()[:20]
        again = [make(row, number) for number, row in enumerate(rows)] if split == "train" else []
        pq.write_table(pa.Table.from_pylist(rows + again), folder / task / f"{split}.parquet")
    return str(folder)


@pytest.mark.parametrize(
    ("task", "change"),
    [
        ("sst2", lambda row, number: {**row, "label": 1 - row["label"]}),
        ("squad", lambda row, number: {**row, "id": f"again{number}"}),
    ],
)
def test_repeats_count_as_trained_on_under_another_label_or_name(
    data_folder: Path, tmp_path: Path, task: str, change: Callable[..., dict[str, object]]
) -> None:
    (tmp_path / task).mkdir()
    for file in (data_folder / task).iterdir():
        (tmp_path / task / file.name).write_bytes(file.read_bytes())
    source, read = rewritten(tmp_path, task, change), INPUTS[task]
    seen = {read(e) for e in train_examples(load_data(TASKS.get(task), source), Subset(12, 0))}
    found = dev_examples(load_data(TASKS.get(task), source), Subset(12, 0), 1000)
    assert found
    assert not {read(e) for e in found} & seen


def test_the_dev_set_follows_from_the_texts_and_changes_only_where_they_are_trained_on(data_folder: Path) -> None:
    data = load_data(SST2, str(data_folder))
    one, other = (dev_examples(data, Subset(16, seed), 8) for seed in (0, 1))
    assert len(one) == len(other) == 8
    assert set(one) & set(other)
    assert set(one) != set(other)
    assert set(dev_examples(data, Subset(16, 0), 4)) < set(one)


@pytest.mark.parametrize("trained", [None, 40, 1000])
def test_where_all_is_trained_on_there_is_no_dev_set(
    key: Callable[..., DataKey], data: Path, trained: int | None
) -> None:
    with pytest.raises(Unsupported, match="sst2 has no training example left for a dev set: all are trained on; lower"):
        dev_set(key(), Subset(trained, 0), 10)


def test_the_dev_set_is_built_like_the_evaluation_set(key: Callable[..., DataKey], data: Path) -> None:
    built = dev_set(key(), Subset(16, 3), 6)
    assert built.examples == dev_examples(load_data(SST2, str(data)), Subset(16, 3), 6)
    assert len(built.features) == 6
    assert [int(feature.targets[0]) for feature in built.features] == labels(built.examples)
    assert built.constant_baseline == constant_baseline(SST2, built.examples)


# ---- few of each class, and wrong labels -----------------------------------------------------------------------------


def test_a_profile_says_which_examples(data: Path) -> None:
    assert Subset.of(Profile(train_examples=16), 3) == Subset(16, 3)
    assert Subset.of(Profile(per_class=4, label_noise=0.25), 3) == Subset(None, 3, 4, 0.25)


def test_so_many_of_each_class_are_drawn_by_the_subset_seed(data: Path) -> None:
    one, same, other = (train_examples(load_data(SST2, str(data)), Subset(None, seed, 5)) for seed in (0, 0, 1))
    assert one == same != other
    assert sorted(labels(one)) == [0] * 5 + [1] * 5
    assert train_examples(load_data(SST2, str(data)), Subset(None, 0, 0)) == ()


def test_labels_are_wrong_on_the_examples_that_are_right_without_noise(data: Path) -> None:
    right, noisy, same = (
        train_examples(load_data(SST2, str(data)), Subset(16, 3, None, share)) for share in (0.0, 0.25, 0.25)
    )
    assert noisy == same
    assert sum(a != b for a, b in zip(labels(right), labels(noisy), strict=True)) == 4
    assert [read.text for read in right] == [read.text for read in noisy]  # type: ignore[union-attr]
    other = train_examples(load_data(SST2, str(data)), Subset(16, 4, None, 0.25))
    assert labels(other) != labels(noisy)


def test_the_dev_set_is_right_and_not_what_is_trained_on_with_wrong_labels(data: Path) -> None:
    noisy = Subset(16, 3, None, 1.0)
    held = dev_examples(load_data(SST2, str(data)), noisy, 100)
    right = load_data(SST2, str(data)).train
    assert set(held) <= set(right) - set(train_examples(load_data(SST2, str(data)), Subset(16, 3)))
    assert held == dev_examples(load_data(SST2, str(data)), Subset(16, 3), 100)


@pytest.mark.parametrize("task", INPUTS)
def test_nothing_to_train_on_gives_no_features(data_folder: Path, tiny: Ref, task: str) -> None:
    found = TASKS.get(task)
    key = data_key(load_data(found, str(data_folder)), tiny, Profile(max_length=32, stride=8))
    assert train_features(key, Subset(0, 0)) == train_features(key, Subset(None, 0, 0)) == ()
