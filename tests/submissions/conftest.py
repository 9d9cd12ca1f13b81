"""A small submission: three seeds of a technique from a file and of the baseline, packed; and ways to tamper."""

from __future__ import annotations

import dataclasses
import shlex
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE
from bench_lib.core.errors import BadPlan
from bench_lib.core.record import RunRecord
from bench_lib.store import Store, compact
from bench_lib.submissions.archive import contents, write_archive
from bench_lib.submissions.packing import Request, pack
from bench_lib.validation import conformance

EXAMPLE = Path(__file__).parents[2] / "examples" / "shaken.py"


@dataclasses.dataclass(frozen=True)
class Small:
    """A request, the store that has its runs, and the archive."""

    request: Request
    store: Path
    archive: Path

    def changed(self, folder: Path, changes: dict[str, bytes | None]) -> Path:
        """The archive with other files; None takes one out."""
        with tarfile.open(self.archive) as tar:
            held = {entry.name: tar.extractfile(entry).read() for entry in tar}
        path = folder / "changed.tar.gz"
        write_archive(path, {name: text for name, text in (held | changes).items() if text is not None})
        return path

    def with_records(self, folder: Path, change: Callable[[list[RunRecord]], list[RunRecord]]) -> Path:
        """The archive with the runs that are made of its own, each written as the suite writes it."""
        held, store = Store(self.store), Store(folder / "tampered")
        whole = [dataclasses.replace(one, predictions=held.predictions(one.run_id)) for one in held.records()]
        for record in change(whole):
            store.append(record)
        compact(store)
        with tarfile.open(self.archive) as tar:
            tables = {entry.name for entry in tar if entry.name.startswith("results/")}
        return self.changed(folder, dict.fromkeys(tables) | contents(store.root))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    folder = tmp_path_factory.mktemp("submitted")
    (folder / "mine.py").write_text(EXAMPLE.read_text())
    request = Request(f"{folder / 'mine.py'}:Shaken", ("sst2",), profile="smoke", model="tiny", seeds=3)
    store = Store(folder / "results")
    with pytest.raises(BadPlan) as lacking:
        pack(request, store, folder / "submission.tar.gz")
    (problem,) = lacking.value.problems
    assert problem.startswith(f"sst2: of 6 runs 6 are not in {store.root}, 0 were lost to infrastructure")
    program, *words = shlex.split(problem.rpartition("this makes them: ")[2])
    assert (program, main(words)) == ("stabbench", DONE)
    pack(request, store, folder / "submission.tar.gz")
    return Small(request, store.root, folder / "submission.tar.gz")


@pytest.fixture
def keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """The promises are kept; trying them takes a minute."""
    monkeypatch.setattr(conformance, "breaches", lambda stack: [])
