"""The folder in which what was made from models is kept: converted weights, translations."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

VARIABLE = "STABBENCH_CACHE"
"""The environment variable that names another folder."""


def cache_folder() -> Path:
    """The folder named by the variable, or `stabbench` in the user's folder for caches."""
    return Path(os.environ.get(VARIABLE) or platformdirs.user_cache_dir("stabbench"))
