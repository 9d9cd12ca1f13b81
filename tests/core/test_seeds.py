from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.errors import BadValue, UnknownName
from bench_lib.core.seeds import LARGEST, STREAMS, Frozen, derive, is_seed, parse_seeds, parse_vary

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


# ---- what varies in turn ---------------------------------------------------------------------------------------------


def varying(*varied: str, **places: int) -> Frozen:
    """All streams but those that vary, at 0 unless another place is given."""
    return tuple(sorted((stream, places.get(stream, 0)) for stream in STREAMS if stream not in varied))


@pytest.mark.parametrize(
    ("text", "configurations"),
    [
        ("init", [varying("init")]),
        ("subset", [(("augment", 0), ("dropout", 0), ("init", 0), ("order", 0))]),
        ("order, init", [varying("order"), varying("init")]),
        ("init+order", [varying("init", "order")]),
        ("order + init", [varying("init", "order")]),
        ("all", [()]),
        ("all,dropout,dropout", [(), varying("dropout")]),
        (
            "initxorder",
            [varying("init", order=3), varying("init", order=0), varying("init", order=7)],
        ),
        (
            "order x init",
            [varying("init", order=3), varying("init", order=0), varying("init", order=7)],
        ),
        ("init,orderxsubset", [varying("init"), *(varying("order", subset=n) for n in (3, 0, 7))]),
        ("init,initxorder", [varying("init"), varying("init", order=3), varying("init", order=7)]),
    ],
)
def test_configurations_are_read(text: str, configurations: list[Frozen]) -> None:
    assert parse_vary(text, (3, 0, 7)) == tuple(configurations)


def test_the_reference_can_be_moved() -> None:
    assert parse_vary("init,order", (0, 1), (("dropout", 7),)) == (
        varying("init", dropout=7),
        varying("order", dropout=7),
    )
    assert parse_vary("initxorder", (1,), (("subset", 5),)) == (varying("init", order=1, subset=5),)


@pytest.mark.parametrize(("text", "stream"), [("init,order", "order"), ("initxorder", "order"), ("all", "subset")])
def test_what_varies_cannot_be_held(text: str, stream: str) -> None:
    with pytest.raises(BadValue, match=f"--freeze is '{stream}=7'; allowed: what --vary {text} does not vary"):
        parse_vary(text, (0, 1), ((stream, 7),))


@pytest.mark.parametrize(
    "text", ["odrer", "", "init,", "init+", "x", "initxhead", "init order", "al", "none", "all+init"]
)
def test_an_unknown_stream_to_vary_is_refused(text: str) -> None:
    with pytest.raises(UnknownName, match="unknown stream in --vary"):
        parse_vary(text, (0,))


@pytest.mark.parametrize(
    "text", ["init+init", "initxinit", "initxorderxdropout", "init+orderxdropout", "initxorder+init"]
)
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match=r"--vary is .* allowed: init, init\+order, initxorder"):
        parse_vary(text, (0,))


def test_a_grid_that_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(BadValue, match="seeds of a grid is 1001; allowed: at most 1,000,000 pairs"):
        parse_vary("initxorder", tuple(range(1001)))


@given(
    st.lists(st.sampled_from(STREAMS), min_size=1, max_size=5, unique=True), st.lists(SEEDS, min_size=1, unique=True)
)
def test_a_grid_holds_every_pair_once_and_a_configuration_every_other_stream(
    varied: list[str], seeds: list[int]
) -> None:
    (configuration,) = parse_vary("+".join(varied), tuple(seeds))
    assert list(configuration) == sorted((stream, 0) for stream in STREAMS if stream not in varied)
    if len(varied) > 1:
        configurations = parse_vary("x".join(varied[:2]), tuple(seeds))
        carried, crossed = sorted(varied[:2], key=STREAMS.index)
        assert [dict(configuration)[crossed] for configuration in configurations] == seeds
        assert all(dict(configuration).keys() == set(STREAMS) - {carried} for configuration in configurations)


def test_seeds_are_what_the_store_can_hold() -> None:
    assert np.iinfo(np.int64).max == LARGEST
    assert parse_seeds(str(LARGEST)) == (LARGEST,)
    assert parse_seeds(f"{LARGEST - 1}-{LARGEST}") == (LARGEST - 1, LARGEST)


@pytest.mark.parametrize("text", [str(LARGEST + 1), "9" * 5000, "0-" + "9" * 5000, "٣", "²", "1e3", "-1", "+1", "1_0"])
def test_what_no_store_can_hold_is_no_seed(text: str) -> None:
    with pytest.raises(BadValue, match=r"seed range is .*; allowed: numbers and rising ranges"):
        parse_seeds(text)
    assert not is_seed(text)


@pytest.mark.parametrize("text", ["0-1000000", f"0-{LARGEST}", "0-999999,1000000", ",".join(["0-9999"] * 101)])
def test_more_seeds_than_memory_should_hold_are_refused(text: str) -> None:
    with pytest.raises(BadValue, match="allowed: at most 1,000,000 seeds"):
        parse_seeds(text)
