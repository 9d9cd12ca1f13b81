"""How a command ends: its exit code, and what it says of damaged files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench_lib.report.formatting import plain

if TYPE_CHECKING:
    from bench_lib.store import Store

DONE, REGRESSION, USAGE, INCONCLUSIVE, INFRASTRUCTURE = 0, 1, 2, 3, 4


def tell_set_aside(*stores: Store) -> None:
    """Name the damaged files that were met and set aside, on the standard error stream."""
    for store in stores:
        for file, why in store.set_aside:
            told = f"stabbench: set aside the damaged file {file} in {store.root}/quarantine: {why}"
            print(plain(told), file=sys.stderr)
        for file, why in store.passed_over.items():
            print(plain(f"stabbench: passed over {file} in {store.root}: it is {why}"), file=sys.stderr)
