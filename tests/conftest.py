"""A small world for tests: data made up here, in the hub's columns, and runs of the tiny model on it."""

from __future__ import annotations

import dataclasses
import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from torch import Tensor

    from bench_lib.spec import RunRecord, RunSpec
    from bench_lib.techniques.training import Training

TRAIN, EVALUATION = 40, 24
PEOPLE, PLACES, FIRMS = ("Ada Moore", "Ben Hall", "Eva Stone"), ("Paris", "New York", "Oslo"), ("Acme", "Blue Bank")
GOOD, BAD = ("great", "warm", "bright"), ("dull", "cold", "poor")
NOUNS, VERBS = ("film", "house", "story", "garden", "song"), ("visited", "left", "praised")

FEW_MODULES = 50
_frozen = {"modules": 0}

Row = dict[str, Any]
MakeSpec = Callable[..., "RunSpec"]


@dataclass(eq=False)
class Trained:
    """A run's record and, where it came to training, what it trained."""

    record: RunRecord
    training: Training | None

    @property
    def parameters(self) -> dict[str, Tensor]:
        assert self.training is not None, self.record.reason
        return {name: p.detach() for name, p in self.training.model.named_parameters()}


Train = Callable[..., Trained]


@pytest.fixture(autouse=True)
def _little_to_collect() -> None:
    """Take what was imported out of the collector's sight: each run calls it, for longer than a tiny one trains."""
    if len(sys.modules) > _frozen["modules"] + FEW_MODULES:
        gc.collect()
        gc.freeze()
        _frozen["modules"] = len(sys.modules)


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up rows for a task of each shape; the first training row of each is longer than any profile's sequences."""
    folder = tmp_path_factory.mktemp("data")
    for number, (task, make_row) in enumerate(ROWS.items()):
        draws = np.random.default_rng(number)
        for split, size in (("train", TRAIN), ("validation", EVALUATION)):
            rows = [make_row(draws, i, 90 if split == "train" and i == 0 else 1) for i in range(size)]
            rows[-4:] = rows[4:8]  # repeats, for what looks for them
            (folder / task).mkdir(exist_ok=True)
            pq.write_table(pa.Table.from_pylist(rows), folder / task / f"{split}.parquet")
    return folder


@pytest.fixture(scope="session")
def make_spec(data_folder: Path) -> MakeSpec:
    """The spec of a run of `tiny` under `smoke`, with changes to the profile."""
    # Imported here, so that tests of the parts without torch do not load it.
    from bench_lib.models import MODELS
    from bench_lib.models.source import resolve
    from bench_lib.profiles import PROFILES
    from bench_lib.spec import Ref, RunSpec
    from bench_lib.tasks import TASKS
    from bench_lib.tasks.sources import load_data
    from bench_lib.techniques import TECHNIQUES
    from bench_lib.techniques.stack import parse_stack

    def make(task: str, stack: str = "adamw", seed: int = 0, **changes: object) -> RunSpec:
        found = TASKS.get(task)
        return RunSpec(
            task=task,
            task_version=found.version,
            data=Ref(str(data_folder), load_data(found, str(data_folder)).fingerprint),
            stack=parse_stack(stack, TECHNIQUES).spec(),
            model=resolve("tiny", MODELS),
            profile=dataclasses.replace(PROFILES.get("smoke")(task, found.kind), **changes),
            seed=seed,
            profile_name="smoke",
        )

    return make


@pytest.fixture(scope="session")
def train(make_spec: MakeSpec) -> Train:
    """Execute one run, with an observer beside it that hands out the live training once it has ended."""
    from bench_lib.run import execute
    from bench_lib.techniques import TECHNIQUES

    watch = _watch()

    def run(task: str, stack: str = "adamw", seed: int = 0, **changes: object) -> Trained:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(TECHNIQUES._entries, "watch", watch)
            (record,) = execute([make_spec(task, f"{stack}+watch", seed, **changes)])
        seen = watch.seen[:]
        watch.seen.clear()
        return Trained(record, seen[0] if seen else None)

    return run


def _watch() -> Any:
    from bench_lib.techniques.base import Technique

    class Watch(Technique):
        """Keeps the training when it ends."""

        name, paper, neutral, observer = "watch", "none", {}, True
        seen: list[Training] = []  # noqa: RUF012 (shared on purpose: the run makes its own instance)

        def finish(self, training: Training) -> None:
            self.seen.append(training)

    return Watch


def _pick(draws: np.random.Generator, *choices: str) -> str:
    return choices[draws.integers(len(choices))]


def _sentiment(draws: np.random.Generator, number: int, length: int) -> Row:
    verdict = GOOD if number % 2 else BAD
    names = [f"{_pick(draws, *PEOPLE)} of {_pick(draws, *PLACES)}" for _ in range(length)]
    said = [f"{name} found it {_pick(draws, *verdict)}" for name in names]
    return {"sentence": f"the {_pick(draws, *NOUNS)}: {' and '.join(said)}", "label": number % 2}


def _pair(draws: np.random.Generator, number: int, length: int) -> Row:
    noun, verb = _pick(draws, *NOUNS), _pick(draws, *VERBS)
    said = [f"{_pick(draws, *PEOPLE)} {verb} the {noun} in {_pick(draws, *PLACES)}" for _ in range(length)]
    other = noun if number % 2 == 0 else _pick(draws, *sorted({*NOUNS} - {noun}))
    return {"sentence1": " and ".join(said) + ".", "sentence2": f"Someone {verb} the {other}.", "label": number % 2}


def _entities(draws: np.random.Generator, _number: int, length: int) -> Row:
    words, tags = [], []
    for _ in range(length):
        for phrase, first in ((_pick(draws, *PEOPLE), 1), (_pick(draws, *FIRMS), 3), (_pick(draws, *PLACES), 5)):
            parts = phrase.split()
            words += [*parts, _pick(draws, *VERBS)]
            tags += [first, *[first + 1] * (len(parts) - 1), 0]
    return {"tokens": words, "ner_tags": tags}


def _question(draws: np.random.Generator, number: int, length: int) -> Row:
    person, place = _pick(draws, *PEOPLE), _pick(draws, *PLACES)
    filler = " ".join(f"The {_pick(draws, *NOUNS)} was {_pick(draws, *GOOD)}." for _ in range(1 + length // 5))
    context = f"{filler} {person} works in {place}. It was {_pick(draws, *BAD)}."
    answers = {"text": [place], "answer_start": [context.index(place)]}
    return {"id": f"q{number}", "context": context, "question": f"Where does {person} work?", "answers": answers}


ROWS = {"sst2": _sentiment, "rte": _pair, "conll2003": _entities, "squad": _question}
