"""A small world for tests: data made up here, in the hub's columns, and runs of the tiny model on it."""

from __future__ import annotations

import dataclasses
import gc
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import hypothesis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

# Set before torch is imported: each worker of pytest-xdist has one core, where more threads only wait for one another.
# A run still computes with its profile's number of threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says how busy the machine is, and which package it was the first to import.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

if TYPE_CHECKING:
    from torch import Tensor

    from bench_lib.core.record import RunRecord
    from bench_lib.core.spec import RunSpec
    from bench_lib.harness.evaluate import Scored
    from bench_lib.store import Address
    from bench_lib.techniques.interface.context import Training
    from tests.buckets import Server

TRAIN, EVALUATION = 40, 24
PEOPLE, PLACES, FIRMS = ("Ada Moore", "Ben Hall", "Eva Stone"), ("Paris", "New York", "Oslo"), ("Acme", "Blue Bank")
GOOD, BAD = ("great", "warm", "bright"), ("dull", "cold", "poor")
NOUNS, VERBS = ("film", "house", "story", "garden", "song"), ("visited", "left", "praised")

BRIEF = {"eda": "eda:copies=1", "longer": "longer:epochs=3", "tapt": "tapt:epochs=2"}
"""Techniques that take seconds as they were published, and what stands for them in tests."""

LABEL_WORDS = ("terrible", "great", "incorrect", "correct", "No", "Yes", "no", "yes")
WORDED = ("bert", "roberta")
"""Families whose tokenizers are made with the label words."""

FEW_MODULES = 50
_frozen = {"modules": 0}


@pytest.fixture(autouse=True)
def _values_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a test finds of models and data that it made up is not kept in the user's cache."""
    folder: list[Path] = []

    def values_folder() -> Path:
        folder[:] = folder or [tmp_path_factory.mktemp("values")]
        return folder[0]

    monkeypatch.setattr("bench_lib.instruments.cache.values_folder", values_folder)


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


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Server]:
    """An S3 server on the loopback address, for the whole session of a worker."""
    from tests.buckets import Server

    with Server() as server:
        yield server


@pytest.fixture
def s3(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The S3 server, with the environment in which it is used and retries that end in a second."""
    from bench_lib.store import connection

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_server.variables.items():
        monkeypatch.setenv(name, value)
    brief = {"init_backoff": timedelta(milliseconds=10), "max_backoff": timedelta(milliseconds=50), "base": 2}
    monkeypatch.setattr(
        connection, "RETRIES", {"max_retries": 3, "retry_timeout": timedelta(seconds=5), "backoff": brief}
    )
    s3_server.plan.faults.clear()
    s3_server.plan.requests.clear()
    yield s3_server
    s3_server.plan.faults.clear()


@pytest.fixture
def bucket(s3: Server) -> Address:
    """The address of a store in a new bucket."""
    from bench_lib.store import Address

    name = f"bench-{uuid4().hex[:12]}"
    s3.make(name)
    return Address(f"s3://{name}/some/results")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Write into the report of each test which promises it holds, and of which stacks, for `tests.conformance`.

    A test of a technique's own file holds what was published, unless it says otherwise.
    """
    for item in items:
        if item.path.parents[1] == Path(__file__).parent / "techniques" and not item.get_closest_marker("promise"):
            item.user_properties += [("promise", "formula"), ("technique", item.path.stem.removeprefix("test_"))]
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        for mark in item.iter_markers("promise"):
            stacks = [parameters[name] for name in mark.kwargs.get("of", ("name",))]
            item.user_properties += [("promise", name) for name in mark.args]
            item.user_properties += [("technique", stack) for stack in stacks]


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
        for split, size in (("train", TRAIN), ("test" if task == "e2e_nlg" else "validation", EVALUATION)):
            rows = [make_row(draws, i, 90 if split == "train" and i == 0 else 1) for i in range(size)]
            rows[-4:] = rows[4:8]  # repeats, for what looks for them
            (folder / task).mkdir(exist_ok=True)
            pq.write_table(pa.Table.from_pylist(rows), folder / task / f"{split}.parquet")
    return folder


@pytest.fixture(scope="session")
def brief() -> Callable[[str], str]:
    """A stack in which those that would take seconds as they were published are cut short."""
    return lambda stack: "+".join(BRIEF.get(part, part) for part in stack.split("+"))


@pytest.fixture(scope="session")
def _translations() -> Iterator[None]:
    """In place of models from the hub, one that says "indeed" behind every text."""
    import bench_lib.harness.augment as augment

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(augment, "load_translator", lambda _: lambda texts: [f"{text} indeed" for text in texts])
        yield


@pytest.fixture(scope="session")
def with_words(families: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Make a folder with a family's model for masked words, whose tokenizer has the label words as tokens."""
    from transformers import AutoModelForMaskedLM

    module = sys.modules[type(families).__module__]
    more = [f"It was {word}, this is {word}? " * 500 for word in LABEL_WORDS]  # often, to become tokens
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CORPUS", [*module.CORPUS, *more])
        made = module.Families(tmp_path_factory.mktemp("words"))
        for family in WORDED:
            made.tokenizer(family)

    def folder(family: str, **changes: Any) -> str:
        longest = {"max_position_embeddings": 512, **changes}
        place = "-".join([family, *map(str, changes.values())])
        return str(made.folder(family, AutoModelForMaskedLM, place, **longest))

    return folder


@pytest.fixture(scope="session")
def make_spec(
    data_folder: Path, brief: Callable[[str], str], _translations: None, request: pytest.FixtureRequest
) -> MakeSpec:
    """The spec of a run of `tiny`, or of `tiny-llama` for texts to be written, under `smoke` with changes.

    A stack that answers with words runs on a model for masked words, since `tiny` tells none.
    """
    # Imported here, so that tests of the parts without torch do not load it.
    from bench_lib.core.profiles import PROFILES
    from bench_lib.core.spec import Ref, RunSpec
    from bench_lib.models import MODELS
    from bench_lib.models.source import resolve
    from bench_lib.tasks import TASKS
    from bench_lib.tasks.sources.load import load_data
    from bench_lib.techniques import TECHNIQUES
    from bench_lib.techniques.interface.hooks import Prompts
    from bench_lib.techniques.interface.stack import parse_stack

    def make(task: str, stack: str = "adamw", seed: int = 0, **changes: object) -> RunSpec:
        found, parsed = TASKS.get(task), parse_stack(brief(stack), TECHNIQUES)
        worded = parsed.having(Prompts) and not found.format.writes_text
        return RunSpec(
            task=task,
            task_version=found.version,
            data=Ref(str(data_folder), load_data(found, str(data_folder)).fingerprint),
            stack=parsed.spec(),
            model=resolve(
                request.getfixturevalue("with_words")("bert") if worded else found.format.sample_model, MODELS
            ),
            profile=dataclasses.replace(PROFILES.get("smoke")(task, found.format), **changes),
            seed=seed,
            profile_name="smoke",
        )

    return make


@pytest.fixture(scope="session")
def train(make_spec: MakeSpec) -> Train:
    """Execute one run and hand out the training with its record."""
    import bench_lib.runner.execute as runner

    def run(task: str, stack: str = "adamw", seed: int = 0, **changes: object) -> Trained:
        seen: list[Training] = []

        class Noted(runner.Loop):
            def run(self, evaluate: Callable[[], Scored], *more: Callable[[], float]) -> None:
                seen.append(self.training)
                super().run(evaluate, *more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runner, "Loop", Noted)
            (record,) = runner.execute([make_spec(task, stack, seed, **changes)])
        return Trained(record, seen[0] if seen else None)

    return run


@pytest.fixture(scope="session")
def families(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Model families as folders with tokenizers of their own kinds, `Families` of the file beside this one."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("families", Path(__file__).with_name("families.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.Families(tmp_path_factory.mktemp("families"))


@pytest.fixture
def tiny_marian(tmp_path: Path) -> Callable[[str, int], str]:
    """Make a folder of that name with a Marian model of random weights, and name it with its digest."""
    import torch
    from transformers import MarianConfig, MarianMTModel
    from transformers.utils import logging

    from bench_lib.models import MODELS
    from bench_lib.models.source import find_source, fingerprint

    def make(name: str, seed: int) -> str:
        folder = tmp_path / name
        if not folder.exists():
            folder.mkdir()
            size = _pieces(folder)
            special = {"pad_token_id": size - 1, "decoder_start_token_id": size - 1, "bad_words_ids": [[size - 1]]}
            ends = {"eos_token_id": 0, "forced_eos_token_id": 0}
            shape = dict.fromkeys(("encoder_layers", "decoder_layers"), 1) | {"d_model": 16, "vocab_size": size}
            shape |= dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2)
            shape |= dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 32)
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                # As those on the hub, it asks for beams.
                model = MarianMTModel(MarianConfig(**special, **ends, **shape, init_std=0.5, num_beams=4))
            logging.disable_progress_bar()
            model.save_pretrained(folder)
            logging.enable_progress_bar()
        return f"{folder}@{fingerprint(find_source(str(folder), MODELS), str(folder)).removeprefix('sha256:')}"

    return make


def _pieces(folder: Path) -> int:
    """Write the vocabulary of a Marian model, of pieces in the order of its own: how many they are."""
    import json

    sentencepiece = pytest.importorskip("sentencepiece")
    texts = [f"{person} {verb} the {noun} in {place}?" for person in PEOPLE for verb in VERBS for noun in NOUNS
             for place in PLACES]  # fmt: skip
    for side in ("source", "target"):
        with (folder / f"{side}.spm").open("wb") as file:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts), model_writer=file, vocab_size=60, hard_vocab_limit=False, minloglevel=2
            )
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    pieces = [model.id_to_piece(i) for i in range(model.vocab_size())]
    names = ["</s>", "<unk>", *(piece for piece in pieces if piece not in ("</s>", "<unk>", "<s>")), "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"source_lang": "en", "target_lang": "de"}))
    return len(names)


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


def _description(draws: np.random.Generator, _number: int, length: int) -> Row:
    facts = [(_pick(draws, *FIRMS), _pick(draws, *PLACES), _pick(draws, *GOOD)) for _ in range(length)]
    near = f"near[the {_pick(draws, *NOUNS)} of {_pick(draws, *PEOPLE)}]"
    listed = ", ".join([near, *(f"name[{firm}], area[{place}], rating[{rating}]" for firm, place, rating in facts)])
    said = [f"{firm} is a {rating} place in {place}." for firm, place, rating in facts[:1]]
    return {"meaning_representation": listed, "human_reference": " ".join(said)}


ROWS = {
    "sst2": _sentiment,
    "rte": _pair,
    "conll2003": _entities,
    "squad": _question,
    "mrpc": _pair,
    "e2e_nlg": _description,
}
