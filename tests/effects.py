"""What each technique changes, by how much: measured for the package.

`python -m tests.effects > bench_lib/techniques/interface/effects.json` measures all, some twenty minutes on a core;
`python -m tests.effects NAME ... > ...` those alone, and keeps what is known of the others.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench_lib.core.errors import BenchError
from bench_lib.core.record import RunRecord
from bench_lib.executors import InlineExecutor
from bench_lib.runner.grid import Grid
from bench_lib.runner.sweep import run_suite
from bench_lib.store import Store
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.effects import Effects, Measured, encoded, measured
from bench_lib.techniques.interface.stack import parse_stack
from bench_lib.validation.effect_measurement import Bench, Reference, compared, reference


def measurements(bench: Bench, names: Sequence[str]) -> Iterator[tuple[str, Measured]]:
    """Each technique of these at its defaults, those that pool seeds last."""
    known = reference(bench)
    pools = [name for name in names if TECHNIQUES.get(name)().pools()]
    for name in names:
        if name not in pools:
            try:
                yield name, _measured(name, bench.run(parse_stack(name, TECHNIQUES)), known)
            except BenchError as error:  # a model that cannot be reached from here
                yield name, Measured(TECHNIQUES.get(name).version, reason=_short(str(error)))
    if pools:
        yield from _pooled(bench, pools, known)


def _pooled(bench: Bench, names: Sequence[str], known: Reference) -> Iterator[tuple[str, Measured]]:
    """Beside the baseline's run of the first seed that they pool."""
    spec = bench.spec(parse_stack("adamw", TECHNIQUES))
    seeds = tuple(range(max(TECHNIQUES.get(name)().pools() for name in names)))
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        run_suite(
            Grid((bench.task,), ("adamw", *names), seeds, spec.profile_name, bench.model), store, InlineExecutor()
        )
        records = {record.technique: record for record in store.records() if record.seed == 0}
        for name in names:
            predictions = store.predictions(records[name].run_id)
            yield name, _measured(name, dataclasses.replace(records[name], predictions=predictions), known)


def _measured(name: str, run: RunRecord, known: Reference) -> Measured:
    version = TECHNIQUES.get(name).version
    if run.predictions is None:
        return Measured(version, reason=_short(run.reason))
    own = {key: value for key, value in run.reported.items() if key.startswith(f"{name}.")}
    return Measured(version, compared(run, known.base, known.start), reported=own)


def _short(reason: str) -> str:
    """Without what could be done about it, or what a library said of it."""
    return reason.strip().splitlines()[0].partition(";")[0].partition(" (")[0].rstrip(".")


def main(names: Sequence[str]) -> None:
    bench = Bench()
    found = {name: one for name, one in measured().techniques.items() if names}
    try:
        for name, one in measurements(bench, names or TECHNIQUES.names()):
            found[name] = one
            sys.stderr.write(f"{name}\n")
    finally:  # nothing that was measured is lost
        ordered = {name: found[name] for name in TECHNIQUES.names() if name in found}
        sys.stdout.write(encoded(Effects(str(bench), reference(bench).rounding, ordered)))


if __name__ == "__main__":
    main(sys.argv[1:])
