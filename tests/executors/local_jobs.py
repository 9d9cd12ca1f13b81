"""Jobs for the tests of executors; a module of its own, since worker processes import it by name."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from bench_lib.core.errors import BenchError
from bench_lib.executors.worker import cramped, retire

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


def leave_somehow(how: str) -> str:
    """End the process with exit code 0 or leave it deaf, in a way that runs no code of its worker."""
    if how == "at once":
        os._exit(0)
    elif how == "in a thread":
        threading.Timer(0.2, os._exit, [0]).start()
    elif how == "by a signal's handler":
        signal.signal(signal.SIGUSR1, lambda *_: os._exit(0))
        os.kill(os.getpid(), signal.SIGUSR1)
    elif how == "with a child that holds the pipe":
        if os.fork():
            os._exit(0)
    elif how == "with its pipe closed":
        time.sleep(0.5)  # until the thread that ends with the parent waits for that, or it would take this for the end
        os.closerange(3, 256)
    else:
        return how
    time.sleep(30.0)
    return how


def leave_once(marker: Path) -> bool:
    if not marker.exists():
        marker.touch()
        os._exit(0)
    return True


def leave_afterwards(number: int) -> int:
    """End the process right after the result is sent, before it is asked for anything else."""
    atexit.register(os._exit, 0)
    retire()
    return number


def fork(number: int) -> int:
    os.fork()
    return number


def process(retires: bool) -> int:
    if retires:
        retire()
    return os.getpid()


def ignore_the_end(seconds: float) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(seconds)


def leave_a_folder(marker: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        marker.write_text(folder)
        time.sleep(60.0)


def device(seconds: float) -> str | None:
    time.sleep(seconds)
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def die_on_a_device(marker: Path) -> str | None:
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return device(1.0)


def crowd(folder: Path) -> tuple[bool, str | None]:
    """Ask for the device while another process, even an idle one, is on it; whether one is, and the device."""
    own, device = os.getpid(), os.environ.get("CUDA_VISIBLE_DEVICES")
    (folder / f"{device}-{own}").touch()
    time.sleep(0.5)
    others = {int(path.name.rpartition("-")[2]) for path in folder.glob(f"{device}-*")} - {own}
    shared = any(map(psutil.pid_exists, others))
    if shared:
        cramped()
    return shared, device


def ask_for_the_device(number: int) -> int:
    cramped()
    return number


def share(_: object) -> float:
    """Ask for the device, and tell which share of it Ray has assigned."""
    import ray

    cramped()
    return float(ray.get_runtime_context().get_assigned_resources()["GPU"])


def hold(job: tuple[Path, int]) -> str:
    """Tell on which node of Ray it runs, and go on when another is lost; one that is may outlive its node a while."""
    import ray

    folder, number = job
    node = str(ray.get_runtime_context().get_node_id())
    (folder / f"{number}-{node}").touch()
    while not [one for one in folder.glob("lost-*") if one.name != f"lost-{node}"]:
        time.sleep(0.05)
    return node


def interrupted(_: object) -> set[signal.Signals]:
    """Send this process an interrupt, and tell which signals its processes would not hear."""
    os.kill(os.getpid(), signal.SIGINT)
    return signal.pthread_sigmask(signal.SIG_BLOCK, ())


def tell(word: str) -> None:
    if word == "badly":
        raise BenchError("badly is no word")
