"""Reading a model by transformers: its many errors as one, its own output muted."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError

from bench_lib.core.errors import BadData, Unavailable
from bench_lib.core.spec import Ref
from bench_lib.models.source import WAYS_OUT


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Without those of transformers, which for small files take longer to read than the file."""
    from transformers.utils import logging as hf_logging

    shown = hf_logging.is_progress_bar_enabled()
    hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers leaves both untyped
    try:
        yield
    finally:
        if shown:
            hf_logging.enable_progress_bar()  # type: ignore[no-untyped-call]  # likewise


@contextmanager
def explained(ref: Ref) -> Iterator[None]:
    """Turn the many errors of an unavailable file into one; transformers' own output is muted."""
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with without_progress_bars():
            yield
    except (SafetensorError, ValueError) as error:
        raise BadData(f"model {ref.name!r} cannot be read ({str(error).splitlines()[0]}); replace its files") from error
    except OSError as error:
        raise Unavailable(
            f"model {ref.name!r} could not be loaded ({str(error).splitlines()[0]}); {WAYS_OUT}"
        ) from error
    finally:
        logger.setLevel(level)
