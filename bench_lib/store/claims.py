"""Which process is at what in a store, as files, so that several processes on several machines share it.

A claim is made whole or not at all, renewed while its process runs, and void once that is gone: at once where that can
be seen, on its own machine, and elsewhere when it was not renewed for a while.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import psutil

from bench_lib.core.errors import BadStore
from bench_lib.store.damage import irregular
from bench_lib.store.identity import checked_id, is_id
from bench_lib.store.listing import check_inside
from bench_lib.store.objects import Address, Location

LEASE = 120.0
"""Seconds after which a claim that was not renewed is void."""

RENEWAL = 15.0
"""Seconds from one renewal of a claim to the next."""

COMPACTION = "compaction"
SWEEP = "sweep-"


class Holder(NamedTuple):
    """Who holds a claim: the machine, the process and when it began, and a token that no other claim has."""

    host: str
    pid: int
    started: float
    token: str

    @classmethod
    def own(cls) -> Holder:
        """This process, with a token for one claim."""
        return cls(_host(), os.getpid(), psutil.Process().create_time(), uuid4().hex)

    @classmethod
    def read(cls, text: str) -> Holder | None:
        """The holder that a claim names; None where the text is not what was written."""
        with suppress(ValueError, TypeError, KeyError, RecursionError):
            found = json.loads(text)
            holder = cls(*(found[name] for name in cls._fields))
            if holder.write() == text:
                return holder
        return None

    def write(self) -> str:
        """The text of a claim, with a digest of the rest."""
        said = json.dumps(self._asdict(), sort_keys=True)
        return f"{said[:-1]}, {json.dumps('digest')}: {json.dumps(hashlib.sha256(said.encode()).hexdigest()[:16])}}}"

    def gone(self) -> bool:
        """Whether the process is known to have ended; False where it runs elsewhere."""
        if self.host != _host():
            return False
        try:
            process = psutil.Process(self.pid)
            # One that has ended stays until its parent asks for its exit code.
            ended = process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
            return ended or bool(abs(process.create_time() - self.started) > 1)
        except psutil.NoSuchProcess:
            return True
        except (psutil.Error, ValueError, OverflowError):
            return False


class Claims:
    """The claims of this process on a store, renewed by a thread until they are released; a context manager.

    Its own presence is a claim as well, by which a compaction and a sweep keep out of each other's way.
    """

    def __init__(self, root: Location, presence: str | None = None) -> None:
        self.root = root
        self.folder = root / "claims"
        self.presence = presence or f"{SWEEP}{uuid4().hex[:16]}"
        self._held: dict[str, Holder] = {}
        self._ahead: float | None = None
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._renew, name="claims", daemon=True)

    def __enter__(self) -> Claims:
        barred = [self.presence]
        if self.take(self.presence):
            others = [name for name in self.standing() if name.startswith(SWEEP) or name == COMPACTION]
            barred = [name for name in others if name != self.presence and COMPACTION in (name, self.presence)]
        if barred:
            what = "compacted or merged into" if barred[0] == COMPACTION else "filled by a sweep"
            message = f"{self.root} is being {what} ({self._named(barred[0])}); try again when that is over"
            self.release(self.presence)
            raise BadStore(message)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()
        # The claims of those that were killed go too, so that the folder does not stay.
        self.standing()
        for name in list(self._held):
            self.release(name)

    def take(self, name: str) -> bool:
        """Claim a name unless another process holds it; where no claim can be written nothing keeps others out."""
        path = self._path(name)
        for _ in range(10):
            holder = Holder.own()
            try:
                _create(path, holder.write())
            except FileExistsError:
                if not self.void(name):
                    return False
            except FileNotFoundError:
                # Another process took the empty folder away.
                continue
            except OSError:
                self._held[name] = holder
                return True
            else:
                self._held[name] = holder
                return True
        return False

    def release(self, name: str) -> None:
        """Give up a claim of this process, if it still is one; the folder goes with the last."""
        with self._lock:
            holder = self._held.pop(name, None)
            with suppress(OSError):
                if holder is not None and _holder(self._path(name)) in (holder, None):
                    self._path(name).unlink()
                self.folder.rmdir()

    def alone(self) -> bool:
        """Whether no other process is known to work on the store."""
        return set(self.standing()) <= self._held.keys()

    def void(self, name: str) -> bool:
        """Whether nobody holds a name, and then its claim is gone."""
        path = self._path(name)
        try:
            if irregular(path):
                return False
            holder = _holder(path)
            if (holder is None or not holder.gone()) and self._now() - path.stat().st_mtime <= LEASE:
                return False
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return self._break(path, holder)

    def standing(self) -> list[str]:
        """The names that some process holds, this one's among them."""
        with suppress(OSError):
            names = [path.stem for path in sorted(self.folder.glob("[a-z0-9]*.json")) if is_id(path.stem)]
            return [name for name in names if name in self._held or not self.void(name)]
        return []

    def _break(self, path: Location, holder: Holder | None) -> bool:
        """Remove a void claim, unless another process took the name first."""
        if isinstance(path, Address):
            return _break_object(path, holder)
        aside = path.with_name(f".{uuid4().hex}.void")
        try:
            path.rename(aside)
            if _holder(aside) != holder:
                # Renewed by a new holder since it was looked at: put back, unless the name was taken again.
                with suppress(FileExistsError):
                    os.link(aside, path)
                return False
            return True
        except OSError:
            return not path.exists()
        finally:
            with suppress(OSError):
                aside.unlink(missing_ok=True)

    def _renew(self) -> None:
        while not self._over.wait(RENEWAL):
            # Names are added by another thread; and what hinders one renewal need not hinder the next.
            for name, holder in list(self._held.items()):
                with self._lock, suppress(OSError):
                    _renew(self._path(name), holder)

    def _now(self) -> float:
        """The time by the clock of the folder, which may not be this machine's."""
        if self._ahead is None:
            probe = self.folder / f".{uuid4().hex}.time"
            try:
                probe.touch()
                self._ahead = probe.stat().st_mtime - time.time()
            finally:
                probe.unlink(missing_ok=True)
        return time.time() + self._ahead

    def _path(self, name: str) -> Location:
        path = self.folder / f"{checked_id(name)}.json"
        check_inside(self.root, path)
        return path

    def _named(self, name: str) -> str:
        holder = None
        with suppress(OSError):
            holder = _holder(self._path(name))
        return "another process" if holder is None else f"process {holder.pid} on {holder.host.split('/')[0]}"


def claimed(root: Location) -> frozenset[str]:
    """The names that some process claims in a store, by reading alone and by the clock of this machine."""
    names = set()
    for path in (root / "claims").glob("[a-z0-9]*.json"):
        # A claim may be released at this moment.
        with suppress(OSError):
            holder = _holder(path)
            if time.time() - path.stat().st_mtime <= LEASE and not (holder and holder.gone()):
                names.add(path.stem)
    return frozenset(names)


def _create(path: Location, text: str) -> None:
    """Write a claim; `FileExistsError` where one stands."""
    if isinstance(path, Address):
        path.create(text.encode())
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x") as file:
        file.write(text)


def _renew(path: Location, holder: Holder) -> None:
    """Give a claim a new date, if it still is the holder's."""
    if isinstance(path, Address):
        # The tag is read before the holder, so that what takes the place of this claim in between is not replaced.
        tag = path.stat().tag
        if _holder(path) == holder:
            path.swap(holder.write().encode(), tag)
    elif _holder(path) == holder:
        os.utime(path)


def _break_object(path: Address, holder: Holder | None) -> bool:
    """Remove a void claim from a bucket, which deletes without conditions: it is emptied first, by one process alone.

    While it is empty nobody takes the name; where that process is killed then, it is void in its turn.
    """
    try:
        tag = path.stat().tag
        if _holder(path) != holder or not path.swap(b"", tag):
            return False
        path.unlink()
        return True
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _holder(path: Location) -> Holder | None:
    if irregular(path):
        return None
    return Holder.read(path.read_text(errors="replace"))


def _host() -> str:
    """This machine, and of its process numbers those that this process sees."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return f"{platform.node()}/{namespace}"
