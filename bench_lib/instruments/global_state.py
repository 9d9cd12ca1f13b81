"""Global state of the process around a run: compared before and after, named if changed, and restored."""

from __future__ import annotations

import gc
import os
import pickle
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.optim.optimizer
import torch.utils._python_dispatch as dispatch
import torch.utils.deterministic
from torch.nn.modules import module as modules

from bench_lib.instruments.kernels import VARIABLE as MEASURED
from bench_lib.instruments.patches import Attributes

State = dict[str, tuple[Callable[[], Any], Callable[[Any], object]]]
"""Getter and setter of each part of the state, by name."""

PATH = "the path of modules"
"""Restored but not reported: foreign code may have to add its folder to import its own modules."""
DEVICES = ("cpu", "cuda")
HOOKS: tuple[dict[Any, Any], ...] = tuple(
    hooks
    for owner in (modules, sys.modules["torch.optim.optimizer"])
    for name, hooks in vars(owner).items()
    if name.startswith("_global") and isinstance(hooks, dict)
)
_left_inference: list[object] = []


class GlobalState:
    """A snapshot of `SETTINGS`, attributes, loaded modules and threads.

    Attributes of classes are included only for foreign code, since comparing thousands of them takes time.
    """

    def __init__(self, foreign: bool = True) -> None:
        self.settings = {what: get() for what, (get, _) in SETTINGS.items()}
        self.attributes = Attributes() if foreign else None
        self.modules = dict(sys.modules)
        self.threads = frozenset(sys._current_frames())

    def restore(self) -> list[str]:
        """Restore and name changed state; threads that still run are only named."""
        changed = []
        for what, (get, put) in SETTINGS.items():
            if get() != self.settings[what]:
                put(self.settings[what])
                changed += [what] if what != PATH else []
        changed += self.attributes.restore() if self.attributes else []
        for name, module in self.modules.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
                changed.append(f"the module {name}")
        return changed + self._started()

    def _started(self) -> list[str]:
        names = {thread.ident: f"the thread {thread.name}" for thread in threading.enumerate()}
        return [names.get(number, "a thread") for number in sys._current_frames() if number not in self.threads]


def bits(state: Any) -> bytes:
    """A generator state as bytes, which are equal for equal states; pickled tensors are not."""
    return pickle.dumps(state.tolist() if isinstance(state, torch.Tensor) else state)


def _leave_inference(wanted: bool) -> None:
    # A guard acts for as long as it lives; that of whoever forgot it restores the mode before, as ours does.
    guard = torch._C._InferenceMode(wanted)
    guard.__enter__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    _left_inference.append(guard)


def _modes() -> list[Any]:
    """The modes that see every call of torch; the default device is one of these, and has an entry of its own."""
    stack = [torch._C._get_function_stack_at(place) for place in range(torch._C._len_torch_function_stack())]
    return [mode for mode in stack if mode is not _device_mode()]


def _put_modes(modes: list[Any]) -> None:
    device = _device()
    while torch._C._len_torch_function_stack():
        torch._C._pop_torch_function_stack()
    torch._GLOBAL_DEVICE_CONTEXT.device_context = None
    for mode in modes:
        torch._C._push_on_torch_function_stack(mode)
    if device is not None:
        torch.set_default_device(device)


def _device_mode() -> Any:
    return getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)


def _device() -> torch.device | None:
    mode = _device_mode()
    return None if mode is None else mode.device


def _put_dispatch(modes: list[Any]) -> None:
    while torch._C._len_torch_dispatch_stack():
        dispatch._pop_mode()
    for mode in modes:
        dispatch._push_mode(mode)


def _top_saved() -> Any:
    """The top hooks on tensors saved for the backward pass, if any."""
    return torch._C._autograd._top_saved_tensors_default_hooks(True)


def _pop_saved(wanted: Any) -> None:
    while (top := _top_saved()) is not None and top != wanted:
        torch._C._autograd._pop_saved_tensors_default_hooks()


def _put_hooks(before: list[dict[Any, Any]]) -> None:
    for hooks, then in zip(HOOKS, before, strict=True):
        hooks.clear()
        hooks.update(then)


def _autocast() -> list[Any]:
    depth = torch.autocast_increment_nesting() - 1
    torch.autocast_decrement_nesting()
    types = [(torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)) for device in DEVICES]
    return [depth, torch.is_autocast_cache_enabled(), *types]


def _put_autocast(wanted: list[Any]) -> None:
    depth, cache, *types = wanted
    while _autocast()[0] > depth:
        torch.autocast_decrement_nesting()
    torch.clear_autocast_cache()
    torch.set_autocast_cache_enabled(cache)
    for device, (enabled, kind) in zip(DEVICES, types, strict=True):
        torch.set_autocast_enabled(device, enabled)
        torch.set_autocast_dtype(device, kind)


def _kernels() -> tuple[Any, ...]:
    """The enabled library kernels and their precision."""
    return (
        torch.backends.mkldnn.set_flags(_fp32_precision=None),  # type: ignore[no-untyped-call]  # sets nothing
        (torch._C._get_cudnn_enabled(), torch._C._get_cudnn_benchmark(), torch._C._get_cudnn_deterministic()),
        torch.get_float32_matmul_precision(),
        *(getattr(torch.backends.cuda, f"{kind}_sdp_enabled")() for kind in ATTENTION),
    )


def _put_kernels(wanted: tuple[Any, ...]) -> None:
    mkldnn, (enabled, benchmark, deterministic), precision, *attention = wanted
    torch.set_float32_matmul_precision(precision)
    torch.backends.mkldnn.set_flags(*mkldnn)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    torch._C._set_cudnn_enabled(enabled)
    torch._C._set_cudnn_benchmark(benchmark)
    torch._C._set_cudnn_deterministic(deterministic)
    for kind, on in zip(ATTENTION, attention, strict=True):
        getattr(torch.backends.cuda, f"enable_{kind}_sdp")(on)


def _deterministic() -> tuple[bool, bool, bool]:
    settings: Any = torch.utils.deterministic  # its one setting is made when it is imported, out of sight of types
    enabled, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    return enabled, warns, settings.fill_uninitialized_memory


def _put_deterministic(wanted: tuple[bool, bool, bool]) -> None:
    settings: Any = torch.utils.deterministic
    torch.use_deterministic_algorithms(wanted[0], warn_only=wanted[1])
    settings.fill_uninitialized_memory = wanted[2]


def _flushes() -> bool:
    return float(np.float64(sys.float_info.min) / np.float64(2)) == 0


def _alarm() -> bool:
    return signal.getitimer(signal.ITIMER_REAL)[0] > 0


def _put_alarm(wanted: bool) -> None:
    if not wanted:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return None


def _environment() -> dict[str, str]:
    """The environment variables, without those set by loading scikit-learn and by `bf16_products`."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("KMP_", MEASURED))}


def _put_environment(wanted: dict[str, str]) -> None:
    for name in _environment().keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in signal.valid_signals()}


def _put_handlers(wanted: dict[int, Any]) -> None:
    if threading.current_thread() is not threading.main_thread():
        return  # the others may not set one, and so have not
    for number, handler in wanted.items():
        if handler is not None and signal.getsignal(number) != handler:
            signal.signal(number, handler)


@dataclass(frozen=True, eq=False)
class _Filters:
    """The filters of warnings, equal where those for all kinds and those that raise are: libraries add others."""

    every: tuple[Any, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Filters) and self.broad() == other.broad()

    def __hash__(self) -> int:
        return hash(len(self.broad()))

    def broad(self) -> list[Any]:
        return [entry for entry in self.every if entry[0] == "error" or (entry[2] is Warning and entry[3] is None)]


def _put_filters(wanted: _Filters) -> None:
    warnings.filters[:] = wanted.every  # type: ignore[index]  # a list, declared as any sequence
    warnings._filters_mutated()  # type: ignore[attr-defined]  # no public way to drop its cache


def _streams() -> tuple[Any, ...]:
    return sys.stdin, sys.stdout, sys.stderr


def _put_streams(wanted: tuple[Any, ...]) -> None:
    sys.stdin, sys.stdout, sys.stderr = wanted


ATTENTION = ("flash", "mem_efficient", "math", "cudnn")
GENERATORS: State = {
    "torch's generator": (torch.get_rng_state, torch.set_rng_state),
    "numpy's generator": (np.random.get_state, np.random.set_state),
    "random's generator": (random.getstate, random.setstate),
}
"""The global generators, which runs do not use."""

SETTINGS: State = {
    "torch's inference mode": (torch.is_inference_mode_enabled, _leave_inference),
    "torch's function modes": (_modes, _put_modes),
    "torch's default device": (_device, torch.set_default_device),
    "torch's dispatch modes": (dispatch._get_current_dispatch_mode_stack, _put_dispatch),
    "torch's default type": (torch.get_default_dtype, torch.set_default_dtype),
    "torch's gradient mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch's anomaly mode": (
        lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        lambda wanted: torch.autograd.set_detect_anomaly(*wanted),
    ),
    "torch's autocast": (_autocast, _put_autocast),
    "torch's hooks on saved tensors": (_top_saved, _pop_saved),
    "torch's hooks on all modules and optimisers": (lambda: [dict(hooks) for hooks in HOOKS], _put_hooks),
    "torch's kernels": (_kernels, _put_kernels),
    "torch's deterministic mode": (_deterministic, _put_deterministic),
    "torch's number of threads": (torch.get_num_threads, torch.set_num_threads),
    "the flushing of denormal numbers": (_flushes, torch.set_flush_denormal),
    "numpy's handling of errors": (np.geterr, lambda wanted: np.seterr(**wanted)),
    "the standard streams": (_streams, _put_streams),
    "the filters of warnings": (lambda: _Filters(tuple(warnings.filters)), _put_filters),
    "the environment": (_environment, _put_environment),
    "the working directory": (_folder, os.chdir),
    PATH: (lambda: list(sys.path), lambda wanted: sys.path.__setitem__(slice(None), wanted)),
    "the handlers of signals": (_handlers, _put_handlers),
    "a pending alarm": (_alarm, _put_alarm),
    "the collection of garbage": (gc.isenabled, lambda wanted: gc.enable() if wanted else gc.disable()),
    "the limit of recursion": (sys.getrecursionlimit, sys.setrecursionlimit),
}
"""The global settings, in the order of restoration: each is read after those above it are restored."""
