"""The scripts of others, as their packages carry them, in a form that a page can hold."""

from __future__ import annotations

import pytest

from bench_lib.core.errors import BenchError
from bench_lib.report.html import scripts
from bench_lib.report.html.scripts import charts_script, digest, inline, tables_script


def test_the_libraries_leave_themselves_at_the_window() -> None:
    assert "window.DataTable=" in tables_script()
    assert "export{" not in tables_script()
    assert charts_script().rstrip().endswith("window.vegaEmbed = vegaEmbed;") or "window.vegaEmbed" in charts_script()


def test_a_bundle_of_another_form_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts.pkgutil, "get_data", lambda *_: b"var a=1;export{a as b};")
    tables_script.cache_clear()
    with pytest.raises(BenchError, match="itables"):
        tables_script()
    tables_script.cache_clear()


def test_no_script_can_end_its_element() -> None:
    held = inline("a='</script>';b='</SCRIPT';c='<!--'")
    assert held == r"a='<\/script>';b='<\/SCRIPT';c='<\!--'"


def test_a_script_is_named_by_its_text() -> None:
    assert digest(inline("1")) == "'sha256-a4ayc/80/OGda4BO/1o/V0etpOqiLx1JwB5S3beHW0s='"
