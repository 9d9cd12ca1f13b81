"""Variance components of runs whose sources were varied in any pattern: random main effects, and crossed grids."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench_lib.core.errors import BadValue, require
from bench_lib.stats.bootstrap import CHUNK, check_plan
from bench_lib.stats.spread import checked_scores
from bench_lib.stats.variance import REST, TOTAL, Component, Estimate, check_sources, component

Floats = NDArray[np.float64]
Levels = NDArray[np.int64]

MOST_RUNS = 1000
"""Maximum number of runs of a decomposition, since its matrices have a row and a column for each run."""
RESAMPLES = 1999

ALIASED = 1e-9
"""Smallest eigenvalue of the scaled information matrix of the components that is not a rounding error."""
ROUNDING = 1e-12
"""Variance of scores scaled to a range of 1 below which they differ by rounding only."""


def random_effects(
    levels: ArrayLike,
    scores: ArrayLike,
    names: Sequence[str],
    generator: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> tuple[Component, ...]:
    """A component for each factor's random main effect, then `rest`, then `total`, of runs in any pattern of levels.

    `levels` (runs, factors) are whole numbers that name the levels, such as seeds; `scores` are (runs,). Each factor
    adds a random effect of its level; the rest, interactions included, differs from run to run; the total is their sum.
    Estimates are quadratic, unbiased for any distribution, and may be negative: MINQUE with equal prior weights (Rao
    1971), which in balanced designs is the analysis of variance (Seely 1971). A factor with one level, or with levels
    confounded with those of others, is nan with a note, and so is a total that depends on such a division. With fewer
    than two runs all values are nan. Shares are those of the components truncated at zero: they add up to 1 where all
    components are known, and are nan without any spread.

    The interval of a component has the variances for which the estimate lies between the (1 - confidence) / 2 quantiles
    of simulated estimates; it is (0, 0) where even a variance of 0 gives larger ones. The `resamples` simulated runs
    are normal, with the other components at their estimates: for 100 exponential runs the interval of the rest covers
    70 % at 95 %. The interval of the total follows from those of its parts (Zou and Donner 2008).
    """
    check_sources(names)
    check_plan(confidence, resamples)
    values, table = checked_scores(scores), _checked_levels(levels, len(names))
    require(len(table) == values.size, "runs in the table of levels", len(table), f"{values.size}, as many as scores")
    require(values.size <= MOST_RUNS, "number of runs", values.size, f"{MOST_RUNS} or fewer")
    if values.size < 2:
        unknown = (math.nan, math.nan, math.nan)
        return tuple(component(name, unknown, math.nan, "fewer than two runs") for name in (*names, REST, TOTAL))
    width = float(np.ptp(values))
    area = width * width
    # Differences from a score, on the scale 0 to 1: neither size nor distance from zero costs precision.
    scaled = (values - values[0]) / width if area > 0 else np.zeros(values.size)
    design = _Design(tuple(names), table)
    found = _intervals(design, scaled, generator, confidence, resamples)
    return _components(design, {name: (v * area, low * area, high * area) for name, (v, low, high) in found.items()})


def crossed(
    levels: ArrayLike,
    scores: ArrayLike,
    names: Sequence[str],
    generator: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> tuple[Component, ...]:
    """Components of a grid of two factors, such as init x order: both, their interaction, `rest` and `total`.

    `levels` (runs, 2) and `scores` (runs,) are as for `random_effects`; a cell of the grid may have several runs, or
    none where all failed. Unless a cell has two runs, the rest includes the interaction. A full grid gives the analysis
    of variance; one with gaps is estimated too. Source: the design of Dodge et al. 2020.
    """
    require(len(names) == 2, "factors of a grid", list(names), "two")
    table = _checked_levels(levels, 2)
    _, cells = np.unique(table, axis=0, return_inverse=True)
    pair = " x ".join(names)
    if len(np.unique(cells)) < len(table):
        both = np.column_stack([table, cells.reshape(-1)])
        return random_effects(both, scores, (*names, pair), generator, confidence, resamples)
    *factors, rest, total = random_effects(table, scores, names, generator, confidence, resamples)
    note = rest.note or f"holds {pair}: no cell has two runs"
    return (*factors, Component(rest.source, rest.variance, rest.low, rest.high, rest.share, note), total)


@dataclass(frozen=True, eq=False)
class _Design:
    """The design of the runs: which of them share a level of each factor."""

    names: tuple[str, ...]
    levels: Levels

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The sources with a component: factors with two levels or more, and the rest."""
        varied = [name for name, column in zip(self.names, self.levels.T, strict=True) if np.ptp(column) > 0]
        return (*varied, REST)

    @cached_property
    def indicators(self) -> tuple[Floats, ...]:
        """For each source a matrix (runs, levels) of zeros and ones; in the rest each run is a level."""
        columns = dict(zip(self.names, self.levels.T, strict=True)) | {REST: np.arange(len(self.levels))}
        found = (np.unique(columns[name], return_inverse=True) for name in self.sources)
        return tuple(np.eye(len(known))[places.reshape(-1)] for known, places in found)

    @cached_property
    def projector(self) -> Floats:
        """Rao's matrix Q (runs, runs): the inverse of the prior covariance, with the mean projected out."""
        inverse = np.linalg.inv(sum(z @ z.T for z in self.indicators))
        ones = inverse.sum(axis=1)
        return np.asarray(inverse - np.outer(ones, ones) / ones.sum(), dtype=np.float64)

    @cached_property
    def _system(self) -> tuple[Floats, Floats, Floats]:
        """The matrix from quadratic forms to components (sources, sources); the projector of aliases; component sizes.

        For aliased components this is the minimum-norm solution, which gives the same covariance of the runs.
        """
        seen = [self.projector @ z for z in self.indicators]
        traces = np.array([[float(((z.T @ q) ** 2).sum()) for q in seen] for z in self.indicators])
        sizes = np.sqrt(np.diag(traces))
        values, vectors = np.linalg.eigh(traces / np.outer(sizes, sizes))
        aliased = values < ALIASED
        inverse = vectors[:, ~aliased] / values[~aliased] @ vectors[:, ~aliased].T
        return inverse / np.outer(sizes, sizes), vectors[:, aliased] @ vectors[:, aliased].T, sizes

    @cached_property
    def solver(self) -> Floats:
        """The matrix from quadratic forms (sources,) to the components and their sum (sources + 1,)."""
        solved = self._system[0]
        return np.vstack([solved, solved.sum(axis=0)])

    @cached_property
    def aliases(self) -> dict[str, str]:
        """For each component that is not identifiable, and for the total, the sources that it is confounded with."""
        _, lost, sizes = self._system
        whole = 1 / sizes
        mixed = np.vstack([lost, whole @ lost / np.linalg.norm(whole)])
        found = {}
        for place, name in enumerate((*self.sources, TOTAL)):
            if float(np.linalg.norm(mixed[place])) > math.sqrt(ALIASED):
                partners = np.flatnonzero(np.abs(mixed[place]) > math.sqrt(ALIASED))
                found[name] = ", ".join(self.sources[k] for k in partners if k != place)
        return found

    def estimates(self, scores: Floats) -> Floats:
        """The components and their sum for scores (runs,): (sources + 1,)."""
        seen = scores @ self.projector
        found = self.solver @ np.array([float(((seen @ z) ** 2).sum()) for z in self.indicators])
        return np.asarray(np.where(np.abs(found) <= ROUNDING, 0, found), dtype=np.float64)

    def simulated(self, generator: np.random.Generator, resamples: int) -> Floats:
        """Simulated components for standard normal effects, as matrices G: (resamples, sources, k, l).

        For effects with standard deviations s (sources,) the components are sum_kl s_k s_l G_kl.
        """
        rows = max(1, CHUNK // (len(self.levels) * len(self.sources)))
        parts = (self._forms(generator, min(rows, resamples - start)) for start in range(0, resamples, rows))
        return np.concatenate(list(parts))

    def _forms(self, generator: np.random.Generator, count: int) -> Floats:
        effects = [generator.standard_normal((count, z.shape[1])) @ (z.T @ self.projector) for z in self.indicators]
        seen = np.stack(effects, axis=1)  # (count, sources, runs)
        forms = np.stack([_squares(seen @ z) for z in self.indicators], axis=1)
        return np.asarray(np.tensordot(self.solver[:-1], forms, axes=(1, 1)).swapaxes(0, 1), dtype=np.float64)


def _squares(rows: Floats) -> Floats:
    """Inner products of the rows (count, k, n) of each matrix: (count, k, k)."""
    return rows @ rows.swapaxes(-1, -2)


def _intervals(
    design: _Design, scaled: Floats, generator: np.random.Generator, confidence: float, resamples: int
) -> dict[str, Estimate]:
    """(variance, low, high) of each identifiable source and of the total, on the scale of the scaled scores."""
    estimates = design.estimates(scaled)
    forms = design.simulated(generator, resamples)
    deviations = np.sqrt(np.maximum(estimates[:-1], 0))
    found = {}
    for place, name in enumerate(design.sources):
        if name not in design.aliases:
            ends = _inverted(forms[:, place], place, deviations, float(estimates[place]), confidence)
            found[name] = (float(estimates[place]), *ends)
    total = float(estimates[-1])
    if len(found) == len(design.sources):
        found[TOTAL] = _whole(total, list(found.values()))
    elif TOTAL not in design.aliases:
        found[TOTAL] = (total, math.nan, math.nan)
    return found


def _inverted(forms: Floats, place: int, deviations: Floats, estimate: float, confidence: float) -> tuple[float, float]:
    """The interval (low, high) of a variance by inverting the simulated estimates, from forms (resamples, k, l)."""
    others = np.where(np.arange(deviations.size) == place, 0, deviations)
    square, mixed, fixed = forms[:, place, place], forms[:, place] @ others, forms @ others @ others

    def reached(deviation: float) -> float:
        drawn = (square * deviation + 2 * mixed) * deviation + fixed
        return float(np.mean(drawn >= estimate - ROUNDING))

    def bound(share: float) -> float:
        low, high = 0.0, 1.0
        if reached(low) >= share:
            return 0.0
        while reached(high) < share:
            low, high = high, 2 * high
            if high > 1e12:
                return math.inf
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (low, middle) if reached(middle) >= share else (middle, high)
        return high * high

    return bound((1 - confidence) / 2), bound((1 + confidence) / 2)


def _whole(total: float, parts: Sequence[Estimate]) -> Estimate:
    """The total with the interval that follows from those of its parts; ends are not negative."""
    below = math.hypot(*(max(variance, 0.0) - low for variance, low, _ in parts))
    above = math.hypot(*(high - max(variance, 0.0) for variance, _, high in parts))
    return total, max(total - below, 0.0), max(total + above, 0.0)


def _components(design: _Design, found: dict[str, Estimate]) -> tuple[Component, ...]:
    """The components in order; those that are not identifiable with the reason."""
    below = sum(min(found[name][0], 0.0) for name in design.sources if name in found)
    total = found[TOTAL][0] - below if TOTAL in found else math.nan
    rows = []
    for name in (*design.names, REST, TOTAL):
        variance, low, high = found.get(name, (math.nan, math.nan, math.nan))
        rows.append(component(name, (variance, low, high), total, _note(design, name)))
    return tuple(rows)


def _note(design: _Design, name: str) -> str:
    """The reason why a component is unknown; empty if it is known."""
    if name == TOTAL:
        return f"hangs on what cannot be told apart: {design.aliases[name]}" if name in design.aliases else ""
    if name not in design.sources:
        return "has one level"
    return f"cannot be told from {design.aliases[name]}" if name in design.aliases else ""


def _checked_levels(levels: ArrayLike, factors: int) -> Levels:
    """The levels as whole numbers (runs, factors); anything else raises `BadValue`."""
    allowed = f"whole numbers, a row for each run with {factors} of them"
    try:
        table = np.asarray(levels)
    except (TypeError, ValueError) as error:
        raise BadValue("levels", levels, allowed) from error
    if table.size == 0:
        return np.empty((0, factors), dtype=np.int64)
    require(np.issubdtype(table.dtype, np.integer), "type of the levels", str(table.dtype), allowed)
    require(table.ndim == 2 and table.shape[1] == factors, "shape of the levels", table.shape, allowed)
    return table.astype(np.int64)
