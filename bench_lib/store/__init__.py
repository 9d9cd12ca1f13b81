"""Results as Parquet files: what was run, how it ended, what it predicted."""

from bench_lib.store.claims import Claims, claimed
from bench_lib.store.compact import compact
from bench_lib.store.damage import Unstorable
from bench_lib.store.keeping import Keeper
from bench_lib.store.looks import Looks, read_looks, write_looks
from bench_lib.store.merge import Merged, merge
from bench_lib.store.parquet import Store
from bench_lib.store.verify import verify

__all__ = [
    "Claims",
    "Keeper",
    "Looks",
    "Merged",
    "Store",
    "Unstorable",
    "claimed",
    "compact",
    "merge",
    "read_looks",
    "verify",
    "write_looks",
]
