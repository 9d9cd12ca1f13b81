"""Files that are replaced whole."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that whoever reads it meanwhile has the former content or the new one.

    Its folder must exist; raises `OSError` where it cannot be written, and leaves the former file.
    """
    staged = path.with_name(f".{uuid4().hex}.tmp")
    try:
        staged.write_bytes(content)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
