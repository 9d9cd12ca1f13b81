"""`python -m bench_lib.cli` is `stabbench`."""

from __future__ import annotations

import sys

from bench_lib.cli import main

if __name__ == "__main__":
    sys.exit(main())
