"""`stabbench export`: what a store holds, to a tracker of experiments."""

from __future__ import annotations

import argparse
import sys

from bench_lib.cli.arguments import location
from bench_lib.cli.console import DONE, print_damaged_files
from bench_lib.core.errors import BadValue
from bench_lib.integrations.trackers.tracker import TRACKERS


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `export`."""
    add = command.add_argument
    known = ", ".join(TRACKERS.names())
    add("--to", required=True, metavar="TRACKER", help=f"{known}; its package has to be installed")
    add("--store", default="bench-results", type=location, metavar="DIR", help="default: bench-results")
    add("--out", default="", metavar="DIR|URI", help="where to: a folder, or with mlflow a tracking URI")
    add("--project", default="stabbench", metavar="NAME", help="project or experiment (default: stabbench)")
    add("--tasks", default="", metavar="NAMES", help="only runs of these, such as rte,mrpc")
    add("--techniques", default="", metavar="NAMES", help="only runs of these, such as adamw,mixout")
    command.set_defaults(command=_export)


def _export(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from bench_lib.core.errors import check_name
    from bench_lib.integrations.trackers.export import Selection, export
    from bench_lib.store import Store

    check_name("--project", options.project)
    if not (options.store / "runs").is_dir():
        raise BadValue("--store", str(options.store), "the folder of a store, with runs in it")
    store, kind = Store(options.store), TRACKERS.get(options.to)
    selection = Selection(_names(options.tasks), _names(options.techniques))
    with (
        kind.opened(options.out, options.project) as tracker,
        tqdm(disable=not sys.stderr.isatty(), unit="run", dynamic_ncols=True) as bar,
    ):

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        found = export(store, tracker, selection, report)
    print(f"{found.added} of {found.chosen} runs are new in {options.to}, project {options.project}")
    if command := kind.shown(options.out, options.project):
        print(f"to look at them: {command}")
    print_damaged_files(store)
    return DONE


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
