"""The command line; the only place that prints."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench_lib import __version__
from bench_lib.errors import BadValue, BenchError, UnknownName
from bench_lib.seeds import STREAMS, parse_seeds
from bench_lib.spec import Status

if TYPE_CHECKING:
    from bench_lib.executors.base import Executor
    from bench_lib.store import Store
    from bench_lib.suite import Progress

DONE, USAGE, INFRASTRUCTURE = 0, 2, 4
LONGEST_RUN = 86_400.0
"""Seconds after which a run in another process is given up, unless the user says otherwise: nothing hangs for ever."""
INFRASTRUCTURE_STATUSES = (Status.OOM, Status.TIMEOUT, Status.CRASHED)

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 2 bad usage or input, 4 some runs failed for infrastructure."""
    options = parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(options)
    except BenchError as error:
        print(f"stabbench: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("stabbench: stopped; what is stored is kept, the same command goes on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return DONE


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(prog="stabbench", description="How stable is fine-tuning, and what makes it more so?")
    top.add_argument("--version", action="version", version=f"stabbench {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _add_list(commands.add_parser("list", help="tasks, techniques, models and profiles"))
    _add_run(commands.add_parser("run", help="run what a grid asks for and the store does not hold"))
    _add_report(commands.add_parser("report", help="render the leaderboard from a store"))
    _add_store(commands.add_parser("store", help="verify, compact or merge stores"))
    doctor = commands.add_parser("doctor", help="what works on this machine")
    doctor.add_argument("--data", help="also look into this data folder")
    doctor.set_defaults(command=_doctor)
    return top


def _add_list(command: argparse.ArgumentParser) -> None:
    command.add_argument("kind", nargs="?", choices=("tasks", "techniques", "models", "profiles"), help="default: all")
    command.set_defaults(command=_list)


def _add_run(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--profile", default="quick", help="budget of a run (default: quick)")
    add("--tasks", default="all", metavar="A,B", help="tasks, or all (default)")
    add(
        "--techniques",
        default="adamw",
        metavar="A,B+C",
        help="techniques or stacks such as llrd:decay=0.9+reinit, or all",
    )
    add("--seeds", default="0-4", metavar="0-4,7", help="default: 0-4")
    add("--model", default="minilm", help="a registered name, a hub id or a folder (default: minilm)")
    add("--data", default="embedded", metavar="hub|embedded|DIR", help="default: embedded")
    add(
        "--store",
        default="bench-results",
        type=Path,
        metavar="DIR",
        help="where runs are kept (default: bench-results)",
    )
    add("--executor", default="inline", choices=("inline", "local"), help="in this process, or in a pool of them")
    add("--workers", type=int, metavar="N", help="processes of the local executor (default: the number of cores)")
    add("--time-limit", type=float, metavar="SECONDS", help="for each run, with the local executor (default: a day)")
    add("--freeze", default="subset=0", metavar="STREAM=SEED,...", help="seed streams that do not vary, or none")
    add("--retry", default="", metavar="STATUS,...", help="stored runs to attempt again, such as crashed,oom")
    command.set_defaults(command=_run)


def _add_report(command: argparse.ArgumentParser) -> None:
    command.add_argument("--store", default="bench-results", type=Path, metavar="DIR", help="default: bench-results")
    command.add_argument("--out", default="bench-reports", type=Path, metavar="DIR", help="default: bench-reports")
    command.add_argument("--baseline", default="adamw", help="default: adamw")
    command.set_defaults(command=_report)


def _add_store(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=("verify", "compact", "merge"))
    command.add_argument("store", type=Path, metavar="DIR")
    command.add_argument("other", type=Path, nargs="?", metavar="FROM", help="with merge: the store to take runs from")
    command.set_defaults(command=_store)


def _list(options: argparse.Namespace) -> int:
    from bench_lib.models import MODELS
    from bench_lib.profiles import PROFILES
    from bench_lib.tasks import TASKS

    def techniques() -> list[tuple[str, str]]:
        from bench_lib.techniques import TECHNIQUES  # needs torch: only where it is asked for

        return [(t.name, (t.__doc__ or "").partition("\n")[0]) for t in TECHNIQUES]

    tables: dict[str, Callable[[], list[tuple[str, str]]]] = {
        "tasks": lambda: [(t.name, f"{t.description} [{t.kind}; {', '.join(t.metrics)}]") for t in TASKS],
        "techniques": techniques,
        "models": lambda: [(m.name, m.description) for m in MODELS],
        "profiles": lambda: [(p.name, p.description) for p in PROFILES],
    }
    for kind in [options.kind] if options.kind else tables:
        rows = tables[kind]()
        width = max(len(name) for name, _ in rows)
        print(f"{kind}:", *(f"  {name:<{width}}  {text}" for name, text in rows), sep="\n")
    return DONE


def _run(options: argparse.Namespace) -> int:
    seeds, frozen, retry = parse_seeds(options.seeds), parse_frozen(options.freeze), parse_statuses(options.retry)
    executor = _executor(options)
    from bench_lib.store import Store
    from bench_lib.suite import Grid, all_tasks, named, run_suite
    from bench_lib.techniques import TECHNIQUES

    grid = Grid(
        tasks=named(options.tasks, all_tasks(options.data)),
        techniques=named(options.techniques, TECHNIQUES.names()),
        seeds=seeds,
        profile=options.profile,
        model=options.model,
        data=options.data,
        frozen=frozen,
    )
    store = Store(options.store)
    with ProgressLine() as line:
        progress = run_suite(grid, store, executor, line, retry)
    _tell_set_aside(store)
    counts = ", ".join(f"{count} {status}" for status, count in sorted(progress.statuses.items())) or "nothing to do"
    new = f"{progress.finished} are new ({counts})"
    print(f"{progress.total} runs: {progress.stored} were stored, {new}; in {options.store}")
    lost = [status for status in INFRASTRUCTURE_STATUSES if progress.statuses[status]]
    if lost:
        print(f"stabbench: the same command with --retry {','.join(lost)} tries the lost runs again", file=sys.stderr)
    return INFRASTRUCTURE if lost else DONE


def parse_frozen(text: str) -> tuple[tuple[str, int], ...]:
    """Frozen streams from text such as `subset=0,order=3`, or `none`."""
    if text == "none":
        return ()
    frozen: dict[str, int] = {}
    for part in text.split(","):
        stream, _, seed = part.strip().partition("=")
        if stream not in STREAMS or not seed.isdecimal() or stream in frozen:
            raise BadValue("--freeze", part, f"STREAM=SEED once for a stream of {', '.join(STREAMS)}; or none")
        frozen[stream] = int(seed)
    return tuple(sorted(frozen.items()))


def parse_statuses(text: str) -> frozenset[Status]:
    """Statuses from text such as `crashed,oom`."""
    given = [part.strip() for part in text.split(",")] if text else []
    for name in given:
        if name not in list(Status):
            raise UnknownName("status in --retry", name, map(str, Status))
    return frozenset(map(Status, given))


def _executor(options: argparse.Namespace) -> Executor:
    import os

    from bench_lib.executors.inline import InlineExecutor
    from bench_lib.executors.local import LocalExecutor

    if options.executor == "local":
        workers = (os.cpu_count() or 1) if options.workers is None else options.workers
        return LocalExecutor(workers, LONGEST_RUN if options.time_limit is None else options.time_limit)
    for name, value in (("--workers", options.workers), ("--time-limit", options.time_limit)):
        if value is not None:
            raise BadValue(name, value, "given with --executor local only: a process cannot end its own run")
    return InlineExecutor()


class ProgressLine:
    """Progress of a sweep: a bar on a terminal, a line for each run elsewhere."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self.terminal = sys.stderr.isatty()
        self.bar = tqdm(disable=not self.terminal, unit="run", dynamic_ncols=True)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def __call__(self, progress: Progress) -> None:
        """Show how far the sweep is."""
        if not self.terminal:
            print(_line(progress), flush=True)
            return
        if progress.last is None:
            self.bar.reset(total=progress.total)
            self.bar.initial = progress.stored
        elif progress.last.status in INFRASTRUCTURE_STATUSES:
            self.bar.write(_line(progress), file=sys.stderr)
        self.bar.n = progress.stored + progress.finished
        self.bar.set_postfix_str(f"{progress.failed} failed")


def _line(progress: Progress) -> str:
    run = progress.last
    if run is None:
        return f"{progress.total} runs: {progress.stored} stored, {progress.left} to do"
    place = f"[{progress.stored + progress.finished}/{progress.total}, {progress.failed} failed]"
    score = "" if run.score is None else f" {run.metric} {run.score:.4f}"
    return f"{place} {run.task} {run.technique} seed {run.seed}: {run.status}{score} {run.reason[:160]}".rstrip()


def _report(options: argparse.Namespace) -> int:
    from bench_lib.report.render import render
    from bench_lib.store import Store

    store = Store(options.store)
    for path in render(store, options.out, options.baseline):
        print(path)
    _tell_set_aside(store)
    return DONE


def _store(options: argparse.Namespace) -> int:
    from bench_lib.store import Store, compact, verify

    if (options.action == "merge") != (options.other is not None):
        given = options.other and str(options.other)
        raise BadValue("FROM", given, "a second store with merge, none with verify and compact")
    for folder in (options.store, options.other):
        if folder is not None and not folder.is_dir():
            raise BadValue("store", str(folder), "a folder that exists")
    store = Store(options.store)
    if options.action == "merge":
        return _merge(store, Store(options.other))
    if options.action == "verify":
        problems = verify(store)
        print(*problems, f"{len(problems)} problems in {len(store.files('runs'))} files of runs", sep="\n")
        return USAGE if problems else DONE
    gone = compact(store)
    print(f"{gone} files of runs were merged; {len(store.files('runs'))} are in {store.root}")
    _tell_set_aside(store)
    return DONE


def _merge(store: Store, other: Store) -> int:
    from bench_lib.store import merge

    merged = merge(store, other)
    print(f"{merged.written} runs of {other.root} were added; {len(store.ids())} are in {store.root}")
    for line in merged.disagreeing:
        print(f"stabbench: {line}", file=sys.stderr)
    _tell_set_aside(store, other)
    return USAGE if merged.disagreeing else DONE


def _tell_set_aside(*stores: Store) -> None:
    for store in stores:
        for file, why in store.set_aside:
            print(f"stabbench: set aside the damaged file {file} in {store.root}/quarantine: {why}", file=sys.stderr)


def _doctor(options: argparse.Namespace) -> int:
    from bench_lib.doctor import examine

    findings = examine(options.data)
    for finding in findings:
        print(f"{'ok ' if finding.ok else '-- '} {finding.what}: {finding.found}")
    return DONE if all(finding.ok or finding.optional for finding in findings) else USAGE


if __name__ == "__main__":
    sys.exit(main())
