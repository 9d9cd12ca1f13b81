"""Types of command-line arguments shared by several commands."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench_lib.core.errors import BadValue, check_path


def location(text: str) -> Path:
    """A valid path of a file or folder."""
    try:
        check_path("path", text)
    except BadValue as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return Path(text)
