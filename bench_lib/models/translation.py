"""Translation with Marian models: sentence by sentence, greedy, and cached on disk by content."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from bench_lib.core.errors import BadData, Unavailable
from bench_lib.core.extras import optional
from bench_lib.instruments.cache import cache_folder
from bench_lib.models import MODELS
from bench_lib.models.source import find_source, fingerprint

DECODING = "greedy 1"
"""The decoding; change it with anything that changes translations, so that cached ones are not used."""
BATCH, SAVED = 32, 512
"""Sentences in a batch, and sentences after which translations are saved."""
LONGEST = 512
"""Positions of Marian models, in tokens."""
VERSION = re.compile("[0-9a-f]{40}|[0-9a-f]{20}")
SENTENCE = re.compile(r"(?<=[.!?])\s+")
WAYS_OUT = (
    "it takes a folder of your own with a Marian model as FOLDER@DIGEST, a machine with the hub in reach or in its "
    "cache, or the translations that another machine kept in its cache folder"
)


@dataclass(frozen=True)
class Translator:
    """Translates texts with one model, `place` on the hub at a commit, or in a folder whose files have a digest.

    A text always has the same translation, in any process: known ones are read from `memory`, and the model is only
    loaded for the rest. A sentence that is too long for the model stays as it is.
    """

    place: str
    version: str
    memory: Path

    def __call__(self, texts: Sequence[str]) -> list[str]:
        split = [SENTENCE.split(text.strip()) for text in texts]
        known = self._remembered()
        missing = sorted({sentence for text in split for sentence in text if sentence and sentence not in known})
        if missing:
            known |= self._translated(missing)
        return [" ".join(filter(None, (known.get(sentence, "") for sentence in text))) for text in split]

    def _remembered(self) -> dict[str, str]:
        """The cached translations; damaged lines are skipped."""
        known = dict[str, str]()
        for file in sorted(self.memory.glob("*.jsonl")):
            for line in file.read_bytes().splitlines():
                entry = _entry(line)
                if entry:
                    known[entry[0]] = entry[1]
        return known

    def _translated(self, sentences: Sequence[str]) -> dict[str, str]:
        marian, found = Marian.load(self.place, self.version), dict[str, str]()
        for start in range(0, len(sentences), SAVED):
            new = marian.translate(sentences[start : start + SAVED])
            self._remember(new)
            found |= new
        return found

    def _remember(self, new: Mapping[str, str]) -> None:
        lines = "".join(f"{json.dumps([s, t, _sum(s, t)], ensure_ascii=False)}\n" for s, t in new.items()).encode()
        self.memory.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=self.memory)
        with os.fdopen(handle, "wb") as file:
            file.write(lines)
        # Files are only added, whole and named by their content, so that processes may work side by side.
        Path(draft).replace(self.memory / f"{hashlib.sha256(lines).hexdigest()[:20]}.jsonl")


@dataclass(frozen=True, eq=False)
class Marian:
    """A Marian model and its tokenizer, on the GPU where there is one."""

    model: Any
    tokenizer: Any

    @classmethod
    def load(cls, place: str, version: str) -> Marian:
        """Load from the hub at a commit or from a folder; `Unavailable` if that fails, `BadData` if it changed."""
        from transformers.models.marian import MarianMTModel, MarianTokenizer

        options: dict[str, Any] = {"revision": version}
        if Path(place).is_dir():
            _check_digest(place, version)
            options = {"local_files_only": True}
        with optional("sentencepiece", "or the translations that another machine kept in its cache folder"):
            import_module("sentencepiece")
        with _explained(place), torch.random.fork_rng():
            # First, since the error of a tokenizer without files is hard to understand.
            model: Any = MarianMTModel.from_pretrained(place, dtype=torch.float32, **options)
            tokenizer = MarianTokenizer.from_pretrained(place, **options)
        return cls(model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer)

    def translate(self, sentences: Sequence[str]) -> dict[str, str]:
        """The translation of each sentence, in batches of similar length."""
        tokens = {s: ids for s in sentences if len(ids := self.tokenizer(s)["input_ids"]) <= LONGEST}
        order = sorted(tokens, key=lambda s: (len(tokens[s]), s))
        found = {s: s for s in sentences if s not in tokens}
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            found |= zip(batch, self._generated([tokens[s] for s in batch]), strict=True)
        return found

    @torch.inference_mode()
    def _generated(self, rows: Sequence[Sequence[int]]) -> Iterator[str]:
        from transformers import GenerationConfig

        limits = [min(LONGEST - 1, 2 * len(row) + 16) for row in rows]
        inputs = self.tokenizer.pad({"input_ids": list(rows)}, return_tensors="pt").to(self.model.device)
        settings = self.model.generation_config
        greedy = GenerationConfig(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
            do_sample=False,
            num_beams=1,
            max_new_tokens=max(limits) + 1,
            bad_words_ids=settings.bad_words_ids,
            decoder_start_token_id=settings.decoder_start_token_id,
            eos_token_id=settings.eos_token_id,
            pad_token_id=settings.pad_token_id,
        )
        generated = self.model.generate(**inputs, generation_config=greedy)
        for ids, limit in zip(generated.tolist(), limits, strict=True):
            # Cut at the sentence's own length, so that the rest of the batch does not matter.
            yield self.tokenizer.decode(ids[: 1 + limit], skip_special_tokens=True).strip()


def load_translator(name: str) -> Translator:
    """The translator of a model at a version: `owner/model@COMMIT`, or `FOLDER@DIGEST`.

    A name without a version raises `BadData`, with the digest of a folder.
    """
    place, _, version = name.rpartition("@")
    if not place or not VERSION.fullmatch(version):
        place = name.rstrip("@")
        own = f"{place}@{_digest(place)}" if Path(place).is_dir() else f"{place}@COMMIT, with the commit's 40 digits"
        raise BadData(f"translation model {name!r} does not say which version it is; name it {own}")
    key = hashlib.sha256(f"{DECODING}\0{version}".encode()).hexdigest()
    return Translator(place, version, cache_folder() / "translations" / key[:20])


def _entry(line: bytes) -> tuple[str, str] | None:
    try:
        sentence, translation, checksum = json.loads(line)
    except (ValueError, TypeError):
        return None
    texts = isinstance(sentence, str) and isinstance(translation, str)
    return (sentence, translation) if texts and checksum == _sum(sentence, translation) else None


def _sum(sentence: str, translation: str) -> str:
    return hashlib.sha256(f"{sentence}\0{translation}".encode()).hexdigest()[:12]


def _digest(folder: str) -> str:
    return fingerprint(find_source(folder, MODELS), folder).removeprefix("sha256:")


def _check_digest(folder: str, expected: str) -> None:
    if (found := _digest(folder)) != expected:
        raise BadData(f"translation model {folder} is not the one that was asked for: {expected} then, {found} now")


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """Turn the many errors of an unavailable model into one; transformers' own output is muted."""
    from transformers.utils import logging as hf_logging

    level, bars = hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()
    before = os.environ.get("DISABLE_SAFETENSORS_CONVERSION")
    # Else a thread asks the hub to convert weights without safetensors.
    os.environ["DISABLE_SAFETENSORS_CONVERSION"] = "1"
    hf_logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # transformers leaves these untyped
    hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about sacremoses, which nothing here uses
            yield
    except (ImportError, OSError, ValueError, KeyError, TypeError) as error:
        cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise Unavailable(f"translation model {place!r} could not be loaded ({cause}); {WAYS_OUT}") from error
    finally:
        hf_logging.set_verbosity(level)
        if bars:
            hf_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
        if before is None:
            del os.environ["DISABLE_SAFETENSORS_CONVERSION"]
        else:
            os.environ["DISABLE_SAFETENSORS_CONVERSION"] = before
