"""The runs of cells over seeds: which there are, how many, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench_lib.core.errors import BadValue
from bench_lib.core.spec import RunSpec, TechniqueSpec
from bench_lib.runner.members import members, needs_member_weights


@dataclass(frozen=True)
class CellRuns:
    """The runs of a cell: any one of them, and the seeds of all in order; those of a seed ensemble are its first."""

    spec: RunSpec
    seeds: tuple[int, ...]

    def key(self) -> str:
        """What tells the cell from others, by value."""
        return self.spec.at(0).run_id()


def cell_runs(cells: Iterable[RunSpec], seeds: tuple[int, ...]) -> list[CellRuns]:
    """The runs of cells on these seeds: of a seed ensemble its members, then the ensemble, on full groups of seeds.

    With five members groups are 0-4, 5-9 and so on. A member may be a cell of its own as well.
    """
    known = frozenset(seeds)
    return [part for cell in cells for part in _parts(cell, seeds, known)]


def _parts(cell: RunSpec, seeds: tuple[int, ...], known: frozenset[int]) -> Iterator[CellRuns]:
    size = cell.pools()
    if not size:
        yield CellRuns(cell, seeds)
        return
    firsts = dict.fromkeys(seed - seed % size for seed in seeds)
    whole = (
        {first: None for first in firsts if known.issuperset(range(first, first + size))} if size <= len(known) else {}
    )
    if whole:
        for member in members(cell)[:1]:
            yield CellRuns(member, tuple(seed for seed in seeds if seed - seed % size in whole))
        yield CellRuns(cell, tuple(whole))


def in_order(parts: Sequence[CellRuns], seeds: tuple[int, ...]) -> list[RunSpec]:
    """The runs seed by seed; ensembles that need weights directly follow their last member, others come at the end."""
    places = {seed: place for place, seed in enumerate(seeds)}
    by_cell = [(part.key(), part.spec, _begun_at(part, places)) for part in parts]
    by_cell.sort(key=lambda one: is_seed_ensemble(one[1]))
    now: list[RunSpec] = []
    at_end: list[RunSpec] = []
    later = {key for key, spec, _ in by_cell if is_seed_ensemble(spec) and not needs_member_weights(spec)}
    for seed in seeds:
        row: dict[str, RunSpec] = {}
        for key, spec, begun_at in by_cell:
            if (own := begun_at.get(seed)) is None:
                continue
            if key not in row:
                row[key] = spec.at(own)
            elif spec.keep_weights:
                row[key] = row[key].keeping_weights(True)
        for key, spec in row.items():
            (at_end if key in later else now).append(spec)
    return now + at_end


def _begun_at(part: CellRuns, places: Mapping[int, int]) -> dict[int, int]:
    """The seeds of the runs of a cell, by the seed with which their turn comes: of an ensemble its last member's."""
    size = part.spec.pools()
    if not size:
        return dict(zip(part.seeds, part.seeds, strict=True))
    return {max(range(first, first + size), key=places.__getitem__): first for first in part.seeds}


def is_seed_ensemble(spec: RunSpec) -> bool:
    """Whether a spec is a seed ensemble, built from stored runs without training."""
    return spec.pools() > 0


def one_of_each(parts: Iterable[CellRuns]) -> Iterator[RunSpec]:
    """A run of each cell, or all of those whose examples differ with the seed: what is checked before training."""
    for part in sorted(parts, key=lambda part: is_seed_ensemble(part.spec)):
        same = any(stream == "subset" for stream, _ in part.spec.frozen)
        yield from (part.spec.at(seed) for seed in (part.seeds[:1] if same else part.seeds))


def check_seed_groups(
    stacks: Iterable[tuple[TechniqueSpec, ...]], parts: Iterable[CellRuns], seeds: Sequence[int]
) -> None:
    """Raise `BadValue` for a seed ensemble without a full group of seeds."""
    found = {part.spec.stack for part in parts}
    for stack in stacks:
        size = max((t.pools for t in stack), default=0)
        if size and stack not in found:
            name = "+".join(t.label for t in stack)
            raise BadValue(f"seeds for {name}", list(seeds), f"whole groups of {size}: {_groups(size, seeds)}")


def _groups(size: int, seeds: Sequence[int]) -> str:
    """The first few seed groups that contain any of the seeds."""
    firsts = sorted({seed - seed % size for seed in seeds})
    named = [f"{first}-{first + size - 1}" if size > 1 else str(first) for first in firsts]
    return ", ".join([*named[:3], *(["..."] if len(named) > 3 else [])])
