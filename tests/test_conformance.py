"""The conformance tests find each promise that is not kept, and nothing where all are."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench_lib.conformance import breaches
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.stack import parse_stack

SOURCE = '''
from dataclasses import dataclass
from typing import ClassVar
import torch
from bench_lib.techniques.base import Technique

@dataclass(frozen=True)
class Mine(Technique):
    """Does what the test wants."""
    name: ClassVar[str] = "mine"
    family: ClassVar[str] = {family!r}
    paper: ClassVar[str] = "none"
    neutral: ClassVar[dict] = {{"strength": 0.0}}
    strength: float = 1.0
    calls: ClassVar[list] = []

{methods}
'''

GOOD = """
    @torch.no_grad()
    def after_update(self, training):
        generator = training.generator("augment", "mine", training.step)
        for weight in training.trainable().values():
            weight += 0.01 * self.strength * torch.randn(weight.shape, generator=generator)
"""
BROKEN = {
    "runs": """
    def prepare(self, training):
        raise RuntimeError("out of luck")
""",
    "repeats": """
    @torch.no_grad()
    def after_update(self, training):
        self.calls.append(1)
        for weight in training.trainable().values():
            weight += 1e-3 * self.strength * len(self.calls)
""",
    "neutral": """
    @torch.no_grad()
    def after_update(self, training):
        for weight in training.trainable().values():
            weight *= 0.99
""",
    "leaves no trace": """
    def finish(self, training):
        torch.set_default_dtype(torch.float64 if torch.get_default_dtype() == torch.float32 else torch.float32)
""",
    "passes": """
    def passes(self):
        return (2, 1)
""",
}


def made(folder: Path, methods: str, family: str = "baselines") -> list[str]:
    """The promises that a technique of these methods does not keep."""
    path = folder / "mine.py"
    path.write_text(SOURCE.format(family=family, methods=methods))
    return [breach.promise for breach in breaches(parse_stack(f"{path}:Mine", TECHNIQUES))]


@pytest.mark.parametrize("text", ["adamw", "ema", "longer", "llrd+mixout", "best_checkpoint", "lora"])
def test_registered_techniques_keep_their_promises(text: str) -> None:
    assert breaches(parse_stack(text, TECHNIQUES)) == []


def test_a_good_file_keeps_them_too(tmp_path: Path) -> None:
    assert made(tmp_path, GOOD) == []
    example = Path(__file__).parents[1] / "examples" / "shaken.py"
    assert breaches(parse_stack(f"{example}:Shaken", TECHNIQUES)) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("promise", BROKEN)
def test_a_promise_that_is_not_kept_is_named(tmp_path: Path, promise: str) -> None:
    import torch

    try:
        assert promise in made(tmp_path, BROKEN[promise])
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_run_that_raises_is_told_once_with_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE.format(family="baselines", methods=BROKEN["runs"]))
    found = breaches(parse_stack(f"{path}:Mine", TECHNIQUES))
    assert {breach.promise for breach in found} == {"runs"}
    assert [breach.task for breach in found] == ["sst2", "conll2003", "squad"]
    assert all("out of luck" in breach.what for breach in found)


def test_an_unknown_family_is_named(tmp_path: Path) -> None:
    assert made(tmp_path, GOOD, family="magic") == ["declared"]
