"""Imports the libraries that take seconds, in the process that workers are forked from; none of them starts threads."""

from contextlib import suppress
from importlib import import_module

for _name in ("transformers.modeling_utils", "peft"):
    # A worker that needs what cannot be imported says so itself.
    with suppress(Exception):
        import_module(_name)
