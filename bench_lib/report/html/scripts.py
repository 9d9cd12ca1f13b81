"""The scripts of the page: libraries as their installed packages carry them, and our own."""

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
"""The package that carries DataTables, and where."""

LEFT = "window.vegaEmbed = vegaEmbed;"
"""What the charts' bundle leaves behind for the page."""

_EXPORT = re.compile(r"export\{([^{}]*)\}")
_DEFAULT = re.compile(r"(?:^|,)([\w$]+) as default(?:,|$)")


@functools.cache
def tables_script() -> str:
    """DataTables, which leaves itself at `window.DataTable`; raises `BenchError` for a bundle of no known form."""
    content = pkgutil.get_data(*TABLES)
    text = content.decode("utf-8") if content else ""
    exports = _EXPORT.findall(text)
    names = _DEFAULT.findall(exports[0]) if len(exports) == 1 else []
    if len(names) != 1:
        raise BenchError(f"itables {version('itables')} holds no DataTables that can be read: install 2.9")
    return _EXPORT.sub(lambda _: f"window.DataTable={names[0]};", text)


@functools.cache
def charts_script() -> str:
    """Vega, Vega-Lite and vega-embed, which leave themselves at `window.vegaEmbed`."""
    text: str = vl_convert.javascript_bundle(LEFT)
    return text


def inline(script: str) -> Markup:
    """A script as it may stand within an element; only the ends of that are written otherwise, and mean the same."""
    return Markup(re.sub(r"<(?=/script|!--)", r"<\\", script, flags=re.IGNORECASE))


def digest(script: Markup) -> str:
    """The script's name in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
