"""Imports the libraries that take seconds, in the process that workers are forked from; none of them starts threads."""

from contextlib import suppress

# Workers report what cannot be imported, when they need it.
with suppress(Exception):
    import transformers.modeling_utils  # noqa: F401
with suppress(Exception):
    import peft  # noqa: F401
