from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from bench_lib.harness import precision
from bench_lib.harness.precision import LINEAR, PRODUCTS, RoundedProducts, autocast, computed_by
from bench_lib.instruments.kernels import Products
from bench_lib.techniques.interface.context import Training

CPU = torch.device("cpu")
FEW = {"train_examples": 16, "eval_examples": 4, "max_length": 32}


@contextmanager
def rounded(dtype: torch.dtype = torch.float16) -> Iterator[None]:
    """Autocast to a type on the CPU, with our products in the place of the processor's."""
    with torch.autocast("cpu", dtype), RoundedProducts(dtype, PRODUCTS):
        yield


def halves(*shape: int) -> st.SearchStrategy[torch.Tensor]:
    values = st.floats(-8, 8, width=16).map(lambda x: x if abs(x) > 1e-3 else 0.0)
    return hnp.arrays(np.float16, shape, elements=values).map(torch.from_numpy)


@given(halves(3, 5), halves(2, 5))
def test_it_is_the_exact_product_rounded_once(rows, weight):
    with rounded():
        found = F.linear(rows, weight)
    exact = rows.double() @ weight.double().T
    assert found.dtype == torch.float16
    assert torch.allclose(found.double(), exact, rtol=2**-10, atol=1e-4)


def test_operands_and_result_are_rounded_to_fp16():
    row, weight = torch.tensor([[1 + 2**-12, 1.0]]), torch.tensor([[1.0, 2**-11]])
    with rounded():
        found = F.linear(row, weight, torch.tensor([2**-12]))
    # 1 + 2**-12 is 1 in fp16, and 1 + 2**-11 + 2**-12 is nearest to 1 + 2**-10.
    assert found.item() == 1 + 2**-10


def test_operands_and_result_are_rounded_to_bf16():
    row, weight = torch.tensor([[1 + 2**-9, 1.0]]), torch.tensor([[1.0, 2**-8]])
    with rounded(torch.bfloat16):
        found = F.linear(row, weight, torch.tensor([2**-9]))
    # Of 8 significant bits, 1 + 2**-9 is 1, and 1 + 2**-8 + 2**-9 is nearest to 1 + 2**-7.
    assert found.item() == 1 + 2**-7


def test_gradients_overflow_and_vanish_as_in_fp16():
    weight = torch.tensor([[1.0]], requires_grad=True)
    for factor, expected in ((1e-9, 0.0), (2.0**-20, 2.0**-20), (1e6, torch.inf)):
        with rounded():
            (found,) = torch.autograd.grad(F.linear(torch.ones(1, 1), weight).float().sum() * factor, weight)
        assert found.item() == expected


def operands(*shapes: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator) for shape in shapes]


CALLS = {
    "F.linear": lambda: F.linear(*operands((3, 8), (5, 8), (5,))),
    "F.linear by name": lambda: F.linear(operands((3, 8))[0], weight=operands((5, 8))[0]),
    "nn.Linear": lambda: nn.Linear(8, 5).requires_grad_(False)(operands((3, 8))[0]),
    "torch.matmul": lambda: torch.matmul(*operands((2, 3, 4, 8), (2, 3, 8, 4))),
    "@": lambda: operands((3, 8))[0] @ operands((8, 4))[0],
    "Tensor.matmul": lambda: operands((3, 8))[0].matmul(operands((8, 4))[0]),
    "torch.mm": lambda: torch.mm(*operands((3, 8), (8, 4))),
    "Tensor.mm": lambda: operands((3, 8))[0].mm(operands((8, 4))[0]),
    "torch.bmm": lambda: torch.bmm(*operands((2, 3, 8), (2, 8, 4))),
    "Tensor.bmm": lambda: operands((2, 3, 8))[0].bmm(operands((2, 8, 4))[0]),
    "torch.addmm": lambda: torch.addmm(*operands((4,), (3, 8), (8, 4))),
    "torch.baddbmm": lambda: torch.baddbmm(*operands((2, 3, 4), (2, 3, 8), (2, 8, 4)), beta=0.5),
    "torch.addbmm": lambda: torch.addbmm(*operands((3, 4), (2, 3, 8), (2, 8, 4))),
    "torch.einsum": lambda: torch.einsum("bi,oi->bo", *operands((3, 8), (5, 8))),
    "torch.einsum of a list": lambda: torch.einsum("bi,oi->bo", operands((3, 8), (5, 8))),
    "F.conv1d": lambda: F.conv1d(*operands((2, 8, 6), (5, 8, 3))),
}


@pytest.mark.parametrize("call", CALLS)
def test_every_product_of_autocast_is_as_the_processor_has_it(call):
    make = CALLS[call]
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        native = make()
    torch.manual_seed(0)
    mode = RoundedProducts(torch.bfloat16, PRODUCTS)
    with torch.autocast("cpu", torch.bfloat16), mode:
        ours = make()
    torch.manual_seed(0)
    exact = make()
    assert (native.dtype, ours.dtype, exact.dtype) == (torch.bfloat16, torch.bfloat16, torch.float32)
    assert torch.allclose(ours.float(), native.float(), rtol=2**-6, atol=2**-5)
    assert not torch.equal(ours.float(), exact)


def test_it_computes_by_fp32_kernels_alone():
    seen = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if "mm" in str(func):
                seen.append({a.dtype for a in args if isinstance(a, torch.Tensor)})
            return func(*args, **(kwargs or {}))

    with Watch(), rounded(torch.bfloat16):
        for make in CALLS.values():
            make()
    assert len(seen) >= len(CALLS) - 1
    assert all(dtypes == {torch.float32} for dtypes in seen)


def test_other_functions_types_and_what_comes_after_are_left_alone():
    layer, (row,) = nn.Linear(4, 4), operands((2, 4))
    with rounded():
        assert F.gelu(row).dtype == torch.float32
        assert (row.double() @ row.double().T).dtype == torch.float64
        assert (row.long() @ row.long().T).dtype == torch.int64
        with torch.autocast("cpu", enabled=False):
            assert torch.equal(row @ row.T, torch.mm(row, row.T))
            assert (row @ row.T).dtype == torch.float32
    assert layer(row).dtype == torch.float32


def training(precision: str, device: torch.device = CPU) -> Training:
    from bench_lib.core.spec import Profile

    return Training(nn.Linear(4, 4), None, None, Profile(precision=precision), {}, lambda *_: 0, device)  # type: ignore[arg-type]


@pytest.fixture
def emulated(monkeypatch):
    monkeypatch.setattr(precision, "bf16_products", lambda: Products.EMULATED)


def modes() -> list[RoundedProducts]:
    from torch.overrides import _get_current_function_mode_stack

    return [mode for mode in _get_current_function_mode_stack() if isinstance(mode, RoundedProducts)]


@pytest.mark.parametrize(
    ("name", "products", "expected"),
    [
        ("fp32", Products.EMULATED, None),
        ("fp16", Products.NATIVE, (torch.float16, LINEAR)),
        ("bf16", Products.NATIVE, None),
        ("bf16", Products.EMULATED, (torch.bfloat16, PRODUCTS)),
    ],
)
def test_products_are_rounded_here_where_the_processor_is_slow(monkeypatch, name, products, expected):
    monkeypatch.setattr(precision, "bf16_products", lambda: products)
    with autocast(training(name)):
        found = [(mode.dtype, mode.functions) for mode in modes()]
        assert torch.is_autocast_enabled("cpu") == (name != "fp32")
    assert found == ([] if expected is None else [expected])
    with autocast(training(name), full_precision=True):
        assert not modes()
        assert not torch.is_autocast_enabled("cpu")


def test_a_record_says_how_bf16_was_computed(monkeypatch):
    for products in Products:
        monkeypatch.setattr(precision, "bf16_products", lambda products=products: products)
        assert computed_by(CPU, "bf16") == {"bf16": products.value}
        assert computed_by(CPU, "fp32") == computed_by(CPU, "fp16") == {}
        assert computed_by(torch.device("cuda"), "bf16") == {}


@pytest.mark.parametrize(("task", "name"), [("sst2", "fp16"), ("squad", "fp16"), ("sst2", "bf16"), ("squad", "bf16")])
def test_a_training_agrees_with_the_kernels_of_torch(train, monkeypatch, task, name):
    monkeypatch.setattr(precision, "bf16_products", lambda: Products.EMULATED)
    ours = train(task, precision=name, **FEW)
    called = []

    def plain(_mode, func, _types, args=(), kwargs=None):
        called.append(func)
        return func(*args, **(kwargs or {}))

    monkeypatch.setattr(RoundedProducts, "__torch_function__", plain)
    theirs = train(task, precision=name, **FEW)
    assert {F.linear, torch.matmul} <= set(called)
    assert ours.record.curve.loss == pytest.approx(theirs.record.curve.loss, rel=5e-3)
    assert ours.record.provenance["bf16"] == "emulated" if name == "bf16" else "bf16" not in ours.record.provenance
