from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.errors import BadValue
from bench_lib.seeds import STREAMS, derive, parse_seeds

SEEDS = st.integers(0, 2**31)


def test_derived_seeds_are_what_they_were() -> None:
    # Whatever changes these changes every run: raise PROTOCOL with them.
    assert derive(0, "init", "head") == 2238545850127954668
    assert derive(7, "order", 2) == 4540344361050710463
    assert derive(0, "subset") == 8911103313905969139


@given(SEEDS, st.sampled_from(STREAMS), st.lists(st.one_of(st.text(max_size=5), st.integers(0, 99)), max_size=3))
def test_derived_seeds_fit_every_generator(base: int, stream: str, names: list[str | int]) -> None:
    seed = derive(base, stream, *names)
    assert 0 <= seed < 2**63
    assert seed == derive(base, stream, *names)
    np.random.default_rng(seed)


@given(SEEDS)
def test_streams_parts_and_bases_all_differ(base: int) -> None:
    seeds = [
        derive(b, stream, *names)
        for b in (base, base + 1)
        for stream in STREAMS
        for names in ((), (0,), (1,), (0, 1), ("01",))
    ]
    assert len(set(seeds)) == len(seeds)


def test_parts_are_not_run_together() -> None:
    assert derive(1, "order", 1, 2) != derive(1, "order", 12)
    assert derive(1, "order", 12) != derive(11, "order", 2)


def test_streams_are_not_correlated() -> None:
    draws = np.array(
        [[np.random.default_rng(derive(seed, stream)).normal() for seed in range(400)] for stream in STREAMS]
    )
    # Of ten correlations of 400 independent pairs, each has a standard error of 0.05.
    correlations = np.corrcoef(draws)[np.triu_indices(len(STREAMS), 1)]
    assert np.abs(correlations).max() < 0.2


def test_an_unknown_stream_is_refused() -> None:
    with pytest.raises(BadValue, match="seed stream is 'shuffle'; allowed: init, order, dropout, augment, subset"):
        derive(0, "shuffle")


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("5", (5,)),
        ("0-4,7", (0, 1, 2, 3, 4, 7)),
        (" 3 , 1-2 ", (3, 1, 2)),
        ("2-2", (2,)),
        ("1,0-2,1", (1, 0, 2)),
        ("007", (7,)),
    ],
)
def test_seeds_are_read(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", ",", "1,", "a", "-1", "1-", "4-2", "1-2-3", "1.5", "0..4", "1 2", "²", "0-²"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match=r"seed range is .*0-4,7,9"):
        parse_seeds(text)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 20)), min_size=1, max_size=8))
def test_ranges_are_read_in_order_without_duplicates(ranges: list[tuple[int, int]]) -> None:
    text = ",".join(f"{first}-{first + more}" if more else str(first) for first, more in ranges)
    wanted = [seed for first, more in ranges for seed in range(first, first + more + 1)]
    assert parse_seeds(text) == tuple(sorted(set(wanted), key=wanted.index))


@given(st.text(alphabet="0123456789-,. x", max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    if len(max(text.replace("-", ",").split(","), key=len)) > 4:
        return
    try:
        seeds = parse_seeds(text)
    except BadValue:
        return
    assert len(seeds) == len(set(seeds)) > 0
    assert all(seed >= 0 for seed in seeds)
