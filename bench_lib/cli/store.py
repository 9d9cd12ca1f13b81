"""`stabbench store`: verify, compact, merge and synchronise stores."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from bench_lib.cli.arguments import STORE, store_location
from bench_lib.cli.console import DONE, USAGE, print_damaged_files
from bench_lib.core.errors import BadValue, require

if TYPE_CHECKING:
    from bench_lib.store import Store


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `store`."""
    command.add_argument("action", choices=("verify", "compact", "merge", "sync"))
    command.add_argument("store", type=store_location, metavar=STORE)
    command.add_argument(
        "other",
        type=store_location,
        nargs="?",
        metavar="OTHER",
        help="with merge: the store to take runs from; with sync: the store that is to hold the same runs",
    )
    command.add_argument(
        "--add", action="store_true", help="with compact: new files for single runs only, the others stay as they are"
    )
    command.add_argument("--one-way", action="store_true", help="with sync: to the second store only")
    command.set_defaults(command=_store)


def _store(options: argparse.Namespace) -> int:
    from bench_lib.store import Store, compact, is_there, verify

    of_two = options.action in ("merge", "sync")
    if of_two != (options.other is not None):
        given = options.other and str(options.other)
        raise BadValue("OTHER", given, "a second store with merge and sync, none with verify and compact")
    require(not options.one_way or options.action == "sync", "--one-way", options.action, "sync before it")
    require(not options.add or options.action == "compact", "--add", options.action, "compact before it")
    store = Store(options.store)
    if options.action == "sync":
        return _sync(store, Store(options.other), not options.one_way)
    for folder in (options.store, options.other):
        if folder is not None and not is_there(folder):
            raise BadValue("store", str(folder), "a folder that exists")
    if options.action == "merge":
        return _merge(store, Store(options.other))
    if options.action == "verify":
        problems = verify(store)
        print(*problems, f"{len(problems)} problems in {len(store.files('runs'))} files of runs", sep="\n")
        return USAGE if problems else DONE
    gone = compact(store, options.add)
    print(f"{gone} files of runs were merged; {len(store.files('runs'))} are in {store.root}")
    print_damaged_files(store)
    return DONE


def _sync(store: Store, other: Store, both_ways: bool) -> int:
    from bench_lib.store import is_there, sync

    if not is_there(store.root) and not (both_ways and is_there(other.root)):
        raise BadValue("store", str(store.root), "a store that holds runs, at least one of the two")
    there, back = sync(store, other, both_ways)
    for sent, target in ((there, other), (back, store))[: 1 + both_ways]:
        print(
            f"{sent.runs} runs and {sent.repeats} repeats, {sent.files} files, went to {target.root}, "
            f"which holds {len(target.ids())} runs"
        )
    print_damaged_files(store, other)
    return DONE


def _merge(store: Store, other: Store) -> int:
    from bench_lib.store import merge

    merged = merge(store, other)
    print(f"{merged.written} runs of {other.root} were added; {len(store.ids())} are in {store.root}")
    if merged.repeats:
        kept = f"are kept as repeats in {store.root}/repeats"
        print(f"{merged.repeats} runs of both, made on different kinds of machine, {kept}")
    for line in merged.disagreeing:
        print(f"stabbench: {line}", file=sys.stderr)
    print_damaged_files(store, other)
    return USAGE if merged.disagreeing else DONE
