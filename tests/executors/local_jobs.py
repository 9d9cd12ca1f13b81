"""Jobs for the tests of executors; a module of its own, since worker processes import it by name."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

SEEN_AT_IMPORT = os.environ.get("OMP_NUM_THREADS")


class PickyError(Exception):
    """Pickles, but does not unpickle: its constructor takes two arguments and passes one on."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what} in {where}")


class Unloadable:
    def __reduce__(self) -> tuple[type[int], tuple[str]]:
        return (int, ("not a number",))


def square(number: int) -> int:
    return number * number


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def die_if_negative(number: int) -> int:
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_once(marker: Path) -> str | None:
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return SEEN_AT_IMPORT


def leave(code: int) -> None:
    os._exit(code)


def raise_picky(what: str) -> None:
    raise PickyError(what, "the soup")


def system_exit(code: int) -> None:
    sys.exit(code)


def local_function(_: object) -> object:
    return lambda: None


def unloadable(_: object) -> Unloadable:
    return Unloadable()


def length(text: str) -> int:
    return len(text)


def environment(name: str) -> tuple[str | None, str | None]:
    return SEEN_AT_IMPORT, os.environ.get(name)


def initialise() -> None:
    os.environ["STABBENCH_TEST"] = "prepared"


def bad_initialise() -> None:
    raise RuntimeError("nothing to initialise with")
