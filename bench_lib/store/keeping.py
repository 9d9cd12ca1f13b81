"""Records on their way into a store that for a while cannot be written: none that was made is lost."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench_lib.core.errors import BadStore, Unwritten
from bench_lib.core.record import RunRecord
from bench_lib.store.damage import Unwritable
from bench_lib.store.parquet import Store


class Keeper:
    """Writes records to a store, and holds those that the system refuses, to try them again; a context manager.

    At the end what still cannot be written goes to a store of its own elsewhere, and `Unwritten` says where.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.held: list[RunRecord] = []
        self.why = ""

    def __enter__(self) -> Keeper:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        if self.held:
            raise Unwritten(self._elsewhere())

    def add(self, record: RunRecord) -> None:
        """Write a record, after those that are held; `Unstorable` for one that no store takes."""
        self._flush()
        try:
            self.store.append(record)
        except Unwritable as error:
            self.why = str(error)
            self.held.append(record)

    def _flush(self) -> None:
        while self.held:
            try:
                self.store.append(self.held[0])
            except Unwritable as error:
                self.why = str(error)
                return
            del self.held[0]

    def _elsewhere(self) -> str:
        """Write what is held to another folder, and say where it is."""
        for root in _folders():
            try:
                for record in self.held:
                    Store(root).append(record)
            except BadStore:
                shutil.rmtree(root, ignore_errors=True)
                continue
            return (
                f"{self.why}; {len(self.held)} runs are kept in {root}, and "
                f"`stabbench store merge {self.store.root} {root}` brings them back"
            )
        return f"{self.why}, nor can any folder for temporary files: {len(self.held)} runs are lost"


def _folders() -> Iterator[Path]:
    for parent in (None, Path.home(), Path.cwd()):
        try:
            yield Path(tempfile.mkdtemp(prefix="stabbench-", dir=parent))
        except OSError:
            continue
