from __future__ import annotations

from bench_lib.core.machine import machine_of

BOX = {"cpu": "x (avx2)", "cores": "2", "memory_gib": "24", "device": "cpu"}


def test_machines_are_told_apart_by_what_decides_speed_and_memory() -> None:
    assert machine_of(BOX) == machine_of({**BOX, "torch": "2.13.0", "started": "2026-01-01"})
    others = [machine_of({**BOX, name: "other"}) for name in BOX]
    assert len({machine_of(BOX), *others}) == len(BOX) + 1


def test_what_is_not_known_is_no_name() -> None:
    assert machine_of({}) == machine_of(dict.fromkeys(BOX, ""))
