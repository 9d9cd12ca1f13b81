"""Text for people: nothing but code, stress and sources is marked up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench_lib.report.prose import anchor, count, linked, name_list


def test_code_stress_and_sources_are_marked_up() -> None:
    text = linked("`a<b` is **not** *so*,\n see arXiv:2006.04884; doi:10.1/x_y.")
    assert text == (
        "<code>a&lt;b</code> is <strong>not</strong> <em>so</em>, see"
        ' <a href="https://arxiv.org/abs/2006.04884">arXiv:2006.04884</a>;'
        ' <a href="https://doi.org/10.1/x_y">doi:10.1/x_y</a>.'
    )


def test_markup_stays_text() -> None:
    assert linked("<b>&\"'") == "&lt;b&gt;&amp;&#34;&#39;"
    assert "<script" not in linked("`<script>` arXiv:<script>1 **<script>**")


@given(st.text())
def test_an_address_is_one_word_without_markup(name: str) -> None:
    assert not set(anchor("technique", name)) & set(" <>\"'&#\n")


def test_an_address_keeps_what_can_be_read() -> None:
    assert anchor("technique", "llrd:decay=0.9+reinit") == "technique=llrd:decay=0.9+reinit"
    assert anchor("technique", "a b") == "technique=a%20b"


def test_lists_and_counts_read_as_in_a_sentence() -> None:
    assert [name_list(names, 2) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and 1 more",
    ]
    assert (count(1, "seed"), count(2000, "seed")) == ("1 seed", "2,000 seeds")
