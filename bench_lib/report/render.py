"""The only writer into `reports/`: leaderboard as Markdown and CSV, and its figures."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from bench_lib.errors import BenchError
from bench_lib.report.calibrated import PICTURE, measured
from bench_lib.report.figures import cost_figure, power_figure, seeds_figure
from bench_lib.report.keys import GROUP, keyed, texts
from bench_lib.report.leaderboard import Pictures, Results, leaderboard
from bench_lib.report.markdown import csv_text
from bench_lib.report.sources import ordinary, sources
from bench_lib.report.style import styled
from bench_lib.report.tables import BASELINE, cells, compare, joined
from bench_lib.spec import digest
from bench_lib.store import Store

FIGURES = "figures"
VARIANCE = "variance.csv"


def render(store: Store, out: Path, baseline: str = BASELINE) -> list[Path]:
    """Write `leaderboard.md`, `leaderboard.csv` and `figures/*.png` from the stored runs, and answer with their paths.

    Runs with streams frozen in turn come as `variance.csv` and a section of their own.

    The same runs give the same bytes. Each file is replaced whole; figures of cells that are no longer there are
    removed. Without a run of the default baseline nothing is compared. Raises `BenchError` for an empty store and a
    folder that cannot be written, `UnknownName` for another baseline that no run has.
    """
    results = _results(store, baseline)
    pictures = _pictures(results)
    files = _figures(results, pictures)
    files["leaderboard.csv"] = _csv(results.table)
    if not results.sources.empty:
        files[VARIANCE] = _csv(results.sources)
    files["leaderboard.md"] = leaderboard(results, pictures).encode()
    try:
        return _write_all(out, files)
    except OSError as error:
        raise BenchError(f"the report cannot be written to {out}: {error}; name another folder") from error


def _results(store: Store, baseline: str) -> Results:
    frame = store.frame()
    aside = store.root / "quarantine" / "runs"
    damaged = sorted(path.relative_to(aside).as_posix() for path in aside.rglob("*") if path.is_file())
    if frame.empty:
        found = f" but {len(damaged)} damaged files in quarantine" if damaged else ""
        raise BenchError(f"no runs in {store.root}{found}: fill it with `stabbench run --store {store.root}`")
    varied, frame = sources(frame), ordinary(frame)
    table = cells(frame)
    comparable = baseline != BASELINE or (table["technique"] == baseline).any()
    contrasts = compare(frame, baseline) if comparable else None
    return Results(keyed(frame), joined(table, contrasts), varied, baseline, damaged)


def _pictures(results: Results) -> Pictures:
    tasks = {texts(tuple(row)) for row in results.table[[*GROUP, "task"]].itertuples(index=False)}
    seeds = {key: _name("seeds", key) for key in sorted(tasks)}
    return Pictures(seeds, {key[:-1]: _name("cost", key[:-1]) for key in seeds}, f"{FIGURES}/{PICTURE}")


def _name(kind: str, key: tuple[str, ...]) -> str:
    """A file name that any system takes, with a digest where the key's own text does not fit into it."""
    text = "-".join(key)
    safe = re.sub(r"[^a-z0-9._-]+", "-", text.lower())[:80]
    unique = safe == text and not any("-" in part for part in key)
    return f"{FIGURES}/{kind}-{safe}{'' if unique else '-' + digest(key)[:8]}.png"


def _figures(results: Results, pictures: Pictures) -> dict[str, bytes]:
    drawn = {}
    for key, name in pictures.seeds.items():
        drawn[name] = _png(seeds_figure(_part(results.frame, key), key[-1], results.baseline))
    for key, name in pictures.cost.items():
        drawn[name] = _png(cost_figure(_part(results.table, key)))
    known = measured()
    drawn[pictures.power] = _png(power_figure(known.of(tasks=1), known.design["alpha"], known.design["looks"][-1]))
    return drawn


def _part(frame: pd.DataFrame, key: tuple[str, ...]) -> pd.DataFrame:
    """The rows of a group, or of a task of it."""
    names = [*GROUP, "task"][: len(key)]
    return frame[(frame[names] == list(key)).all(axis=1)]


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with styled():
        # matplotlib would write its version into the file.
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _csv(table: pd.DataFrame) -> bytes:
    text: str = table.map(csv_text).to_csv(index=False, float_format="%.10g", lineterminator="\n")
    return text.encode()


def _write_all(out: Path, files: dict[str, bytes]) -> list[Path]:
    (out / FIGURES).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        _write(out / name, content)
    for path in (out / FIGURES).glob("*.png"):
        if path.name.startswith(("seeds-", "cost-")) and f"{FIGURES}/{path.name}" not in files:
            path.unlink()
    if VARIANCE not in files:
        (out / VARIANCE).unlink(missing_ok=True)
    return [out / name for name in reversed(files)]


def _write(path: Path, content: bytes) -> None:
    """Replace a file whole: a reader sees the old bytes or the new ones."""
    staged = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        staged.write_bytes(content)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
