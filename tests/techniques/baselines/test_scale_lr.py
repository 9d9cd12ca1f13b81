from __future__ import annotations

import pytest

from bench_lib.core.errors import BadValue
from bench_lib.core.spec import Profile
from bench_lib.runner.resolved import configured
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.baselines.scale_lr import ScaleLr
from bench_lib.techniques.interface.stack import parse_stack


def test_only_the_rate_changes():
    assert ScaleLr(4.0).configure(Profile(learning_rate=2e-5)) == Profile(learning_rate=8e-5)
    assert ScaleLr(0.25, budget=16).configure(Profile(learning_rate=8e-5)) == Profile(learning_rate=2e-5)


@pytest.mark.parametrize(
    ("stack", "rate"), [("lora+scale_lr", 1e-3), ("scale_lr+lora", 5e-4), ("low_lr+scale_lr", 2e-5)]
)
def test_the_rate_that_stands_before_it_is_multiplied(stack: str, rate: float):
    found = configured(Profile(learning_rate=2e-5), parse_stack(stack, TECHNIQUES))
    assert found.learning_rate == pytest.approx(rate)


@pytest.mark.parametrize(
    "text", ["scale_lr:factor=0", "scale_lr:factor=-1", "scale_lr:factor=inf", "scale_lr:budget=0"]
)
def test_what_is_no_factor_or_budget_is_refused(text: str):
    with pytest.raises(BadValue, match=f"{text.partition('=')[0]} is "):
        parse_stack(text, TECHNIQUES)


def test_a_budget_changes_the_identity_alone(train):
    plain, tuned = (train("sst2", f"scale_lr:factor=0.5{more}", eval_examples=4).record for more in ("", ":budget=16"))
    assert plain.curve == tuned.curve
    assert plain.score == tuned.score
    assert plain.run_id != tuned.run_id
