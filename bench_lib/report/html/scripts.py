"""The scripts of the page: bundles from installed packages, and escaping for inline scripts."""

from __future__ import annotations

import base64
import functools
import hashlib
import pkgutil
import re
from importlib.metadata import version

import vl_convert
from markupsafe import Markup

from bench_lib.core.errors import BenchError

TABLES = ("itables", "html/dt_bundle.js")
"""The package and path of the DataTables bundle."""

EXPORT = "window.vegaEmbed = vegaEmbed;"
"""Exports the function of the charts bundle to the page."""

_EXPORT = re.compile(r"export\{([^{}]*)\}")
_DEFAULT = re.compile(r"(?:^|,)([\w$]+) as default(?:,|$)")


@functools.cache
def tables_script() -> str:
    """DataTables, exported as `window.DataTable`; raises `BenchError` for a bundle of unknown form."""
    content = pkgutil.get_data(*TABLES)
    text = content.decode("utf-8") if content else ""
    exports = _EXPORT.findall(text)
    names = _DEFAULT.findall(exports[0]) if len(exports) == 1 else []
    if len(names) != 1:
        raise BenchError(f"itables {version('itables')} holds no DataTables that can be read: install 2.9")
    return _EXPORT.sub(lambda _: f"window.DataTable={names[0]};", text)


@functools.cache
def charts_script() -> str:
    """Vega, Vega-Lite and vega-embed, exported as `window.vegaEmbed`."""
    text: str = vl_convert.javascript_bundle(EXPORT)
    return text


def inline(script: str) -> Markup:
    """Escape `</script` and `<!--` so that the script can be inlined."""
    return Markup(re.sub(r"<(?=/script|!--)", r"<\\", script, flags=re.IGNORECASE))


def digest(script: Markup) -> str:
    """The hash of a script for a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
