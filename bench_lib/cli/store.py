"""`stabbench store`: verify, compact and merge stores."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from bench_lib.cli.arguments import location
from bench_lib.cli.console import DONE, USAGE, print_damaged_files
from bench_lib.core.errors import BadValue, require

if TYPE_CHECKING:
    from bench_lib.store import Store


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `store`."""
    command.add_argument("action", choices=("verify", "compact", "merge"))
    command.add_argument("store", type=location, metavar="DIR")
    command.add_argument(
        "other", type=location, nargs="?", metavar="FROM", help="with merge: the store to take runs from"
    )
    command.add_argument(
        "--add", action="store_true", help="with compact: new files for single runs only, the others stay as they are"
    )
    command.set_defaults(command=_store)


def _store(options: argparse.Namespace) -> int:
    from bench_lib.store import Store, compact, verify

    if (options.action == "merge") != (options.other is not None):
        given = options.other and str(options.other)
        raise BadValue("FROM", given, "a second store with merge, none with verify and compact")
    require(not options.add or options.action == "compact", "--add", options.action, "compact before it")
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
    gone = compact(store, options.add)
    print(f"{gone} files of runs were merged; {len(store.files('runs'))} are in {store.root}")
    print_damaged_files(store)
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
