"""Types of command-line arguments that more than one command has."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench_lib.core.errors import BadValue, check_path


def location(text: str) -> Path:
    """A path that a file or folder can have."""
    try:
        check_path("path", text)
    except BadValue as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return Path(text)
