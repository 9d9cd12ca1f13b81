from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import pytest

from bench_lib.core.spec import Ref
from bench_lib.models import MODELS
from bench_lib.models.load import load_template, load_tokenizer
from bench_lib.models.source import resolve
from bench_lib.tasks.formats import TEXT_CLASSIFICATION
from tests.techniques.conftest import encoders, micro_step, toy

__all__ = ["encoders", "micro_step", "toy"]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test here reaches the hub, nor a cache that this machine may have."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def tiny() -> Ref:
    return resolve("tiny", MODELS)


@pytest.fixture
def folder(tmp_path: Path, tiny: Ref) -> Callable[[str], Path]:
    """Save the tiny model and its tokenizer as a folder of that name."""

    def save(name: str) -> Path:
        place = tmp_path / name
        load_template(tiny, TEXT_CLASSIFICATION, 2).model.base_model.save_pretrained(place)
        load_tokenizer(tiny).save_pretrained(place)
        return place

    return save
