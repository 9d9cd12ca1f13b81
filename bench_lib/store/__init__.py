"""Results as Parquet files, in a folder or in a bucket: what was run, how it ended, what it predicted."""

from bench_lib.store.claims import Claims, claimed
from bench_lib.store.compact import compact
from bench_lib.store.damage import Unstorable
from bench_lib.store.keeping import Keeper
from bench_lib.store.listing import is_there
from bench_lib.store.looks import Looks, read_looks, recorded_looks, write_looks
from bench_lib.store.merge import Merged, merge
from bench_lib.store.objects import Address, Location, located
from bench_lib.store.parquet import Store
from bench_lib.store.repeats import kind_of_machine, repeats, store_of_repeats
from bench_lib.store.submissions import Journal, Submission, new_folder, submissions
from bench_lib.store.sync import Sent, sync
from bench_lib.store.verify import verify

__all__ = [
    "Address",
    "Claims",
    "Journal",
    "Keeper",
    "Location",
    "Looks",
    "Merged",
    "Sent",
    "Store",
    "Submission",
    "Unstorable",
    "claimed",
    "compact",
    "is_there",
    "kind_of_machine",
    "located",
    "merge",
    "new_folder",
    "read_looks",
    "recorded_looks",
    "repeats",
    "store_of_repeats",
    "submissions",
    "sync",
    "verify",
    "write_looks",
]
