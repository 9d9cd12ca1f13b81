from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from bench_lib.core.errors import BadValue, BenchError, UnknownName, Unsupported
from bench_lib.core.registry import Registry
from bench_lib.core.spec import TechniqueSpec
from bench_lib.tasks.formats import QUESTION_ANSWERING, TOKEN_CLASSIFICATION, Format
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.adversarial.fgm import FGM
from bench_lib.techniques.baselines.early_stopping import EarlyStopping
from bench_lib.techniques.baselines.longer import Longer
from bench_lib.techniques.baselines.warmup import Warmup
from bench_lib.techniques.interface.hooks import AfterBackward, AfterUpdate, Configures, Groups
from bench_lib.techniques.interface.stack import Stack, from_spec, parse_stack
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.layers.llrd import LLRD
from bench_lib.techniques.layers.reinit import Reinit
from bench_lib.techniques.optimisation.clip_norm import ClipNorm
from bench_lib.techniques.optimisation.clip_value import ClipValue
from bench_lib.techniques.optimisation.ema import EMA
from bench_lib.techniques.regularisation.l2_sp import L2SP
from bench_lib.techniques.regularisation.r_drop import RDrop


@dataclass(frozen=True)
class Made(Technique):
    name: ClassVar[str] = "made"
    paper: ClassVar[str] = "none"
    identity: ClassVar[None] = None


def read(text):
    return parse_stack(text, TECHNIQUES)


@pytest.mark.parametrize(
    ("text", "techniques"),
    [
        ("llrd", (LLRD(),)),
        ("llrd:decay=0.9+reinit", (LLRD(0.9), Reinit())),
        ("reinit + llrd", (Reinit(), LLRD())),
        ("reinit:blocks=2:pooler=False", (Reinit(2, False),)),
        ("clip_norm:max_norm=inf", (ClipNorm(float("inf")),)),
        ("clip_norm:max_norm=1e-3", (ClipNorm(0.001),)),
        ("llrd:decay=1", (LLRD(1.0),)),
        ("warmup:share=None+longer:epochs=None", (Warmup(None), Longer(None))),
        ("warmup:share=1+longer:epochs=5", (Warmup(1.0), Longer(5))),
    ],
)
def test_text_to_techniques_in_order(text, techniques):
    assert read(text).techniques == techniques


def test_a_whole_number_becomes_a_float_where_the_field_is_one():
    assert type(read("llrd:decay=1").techniques[0].decay) is float
    assert type(read("warmup:share=1").techniques[0].share) is float


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("mixuot", UnknownName, "unknown technique 'mixuot': did you mean 'mixout'"),
        ("", UnknownName, "unknown technique ''"),
        ("llrd+", UnknownName, "unknown technique ''"),
        ("llrd:deacy=0.9", UnknownName, "unknown field of technique llrd 'deacy': did you mean 'decay'"),
        ("adamw:lr=0.1", UnknownName, "unknown field of technique adamw 'lr'"),
        ("llrd:decay", BadValue, "setting of technique llrd is 'decay'; allowed: field=value"),
        ("llrd:decay=high", BadValue, "llrd:decay is 'high'; allowed: a value of type float, such as 0.95"),
        ("llrd:decay=", BadValue, "llrd:decay is ''; allowed: a value of type float"),
        ("llrd:decay=True", BadValue, "llrd:decay is 'True'; allowed: a value of type float"),
        ("llrd:decay=[0.9]", BadValue, r"llrd:decay is '\[0.9\]'; allowed"),
        ("llrd:decay=None", BadValue, "llrd:decay is 'None'; allowed: a value of type float, such as 0.95"),
        ("warmup:share=none", BadValue, "warmup:share is 'none'; allowed: a value of type float or None, such as 0.06"),
        ("longer:epochs=2.5", BadValue, "longer:epochs is '2.5'; allowed: a value of type int or None, such as 20"),
        ("longer:epochs=True", BadValue, "longer:epochs is 'True'; allowed: a value of type int or None"),
        ("reinit:blocks=1.5", BadValue, "reinit:blocks is '1.5'; allowed: a value of type int, such as 1"),
        ("reinit:pooler=1", BadValue, "reinit:pooler is '1'; allowed: a value of type bool, such as True"),
        ("llrd:decay=1.5", BadValue, "llrd:decay is 1.5; allowed: above 0, at most 1"),
        ("clip_norm:max_norm=nan", BadValue, "clip_norm:max_norm is 'nan'"),
        ("llrd:decay=0.9:decay=0.8", BenchError, "field 'decay' of technique llrd stands twice"),
        ("llrd+reinit+llrd:decay=0.9", BenchError, r"'llrd' stands twice in the stack llrd\+reinit\+llrd; give"),
        ("r_drop+llrd+fgm", BenchError, "r_drop and fgm cannot be stacked: each.* claims RunsBackward"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_way_out(text, error, message):
    with pytest.raises(error, match=message):
        read(text)


def test_none_keeps_the_type_where_it_is_the_default():
    @dataclass(frozen=True)
    class Optional(Made):
        rate: float | None = None

    registry = Registry("technique")
    registry.add("made", Optional)
    assert [parse_stack(f"made:rate={text}", registry).techniques[0].rate for text in ("None", "0.5", "inf")] == [
        None,
        0.5,
        float("inf"),
    ]
    assert type(parse_stack("made:rate=1", registry).techniques[0].rate) is float
    with pytest.raises(BadValue, match=r"made:rate is 'high'; allowed: a value of type float or None$"):
        parse_stack("made:rate=high", registry)


def test_an_exclusive_hook_is_refused_whatever_the_order():
    for pair in ((RDrop(), FGM()), (FGM(), RDrop())):
        with pytest.raises(BenchError, match="cannot be stacked"):
            Stack(pair)


def test_a_label_names_what_differs_from_the_published_settings():
    assert [t.spec().label for t in read("llrd+reinit:blocks=2:pooler=False").techniques] == [
        "llrd",
        "reinit:blocks=2:pooler=False",
    ]


def test_a_spec_holds_every_parameter_and_gives_the_stack_back():
    stack = read("reinit:blocks=2+ema")
    assert stack.spec() == (
        TechniqueSpec("reinit", (("blocks", 2), ("pooler", True)), "1", False, "reinit:blocks=2"),
        TechniqueSpec("ema", (("decay", 0.999),), "2", True, "ema"),
    )
    assert from_spec(stack.spec(), TECHNIQUES) == stack


def test_a_spec_of_another_version_is_refused():
    with pytest.raises(BenchError, match="asks for llrd version 0, this is version 1"):
        from_spec((TechniqueSpec("llrd", (("decay", 0.9),), "0"),), TECHNIQUES)


def test_techniques_by_hook_in_order():
    stack = read("ema+l2_sp+clip_value+clip_norm+llrd")
    assert stack.having(AfterUpdate) == [EMA()]
    assert stack.having(Groups) == [L2SP(), LLRD()]
    assert stack.having(AfterBackward) == [L2SP(), ClipValue()]
    assert stack.having(Configures) == [ClipNorm()]


@pytest.mark.parametrize(
    ("stack", "passes"), [("llrd", (1, 1)), ("fgm+llrd", (2, 2)), ("llrd+r_drop", (2, 1)), ("fgm:epsilon=0.0", (1, 1))]
)
def test_passes_are_those_of_the_one_that_runs_them(stack, passes):
    assert read(stack).passes() == passes


def test_passes_of_a_step_multiply_too_and_are_those_of_all_where_steps_do_not_differ():
    stack = read("deni:members=3+r_drop")
    assert stack.passes() == (6, 3)
    assert [stack.passes_at(step, 10) for step in (0, 3, 4, 9)] == [(2, 1), (6, 3), (2, 1), (6, 3)]
    assert read("r_drop").passes_at(7, 10) == read("r_drop").passes()


def test_no_techniques_at_all():
    assert Stack(()).passes() == Stack(()).passes_at(0, 1) == (1, 1)
    assert from_spec((), TECHNIQUES) == Stack(())


def test_a_declined_kind_raises_with_the_reason():
    class Choosy(Made):
        def declines(self, task_format: Format) -> str | None:
            return "spans cannot be shuffled" if task_format is QUESTION_ANSWERING else None

    Stack((LLRD(), Choosy())).check(TOKEN_CLASSIFICATION)
    with pytest.raises(Unsupported, match="made declines span tasks: spans cannot be shuffled"):
        Stack((LLRD(), Choosy())).check(QUESTION_ANSWERING)


def test_an_observer_may_not_touch_the_training():
    class Touching(Made):
        observer = True

        def prepare(self, training: object) -> None: ...

    with pytest.raises(BenchError, match="technique 'made' is an observer and so cannot have the hook Prepares"):
        Stack((Touching(),))


def test_only_an_observer_may_choose_the_checkpoint():
    class Choosing(Made):
        stop, select = EarlyStopping.stop, EarlyStopping.select

    with pytest.raises(BenchError, match="technique 'made' is no observer and so cannot have the hook Selects"):
        Stack((Choosing(),))
