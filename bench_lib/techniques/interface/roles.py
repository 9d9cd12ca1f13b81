"""What a hook declares beside its methods: which techniques may have it, and whether only one of a stack can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar


class Role(StrEnum):
    """What a technique is, which decides the hooks that it may have."""

    TRAINING = "no observer"
    OBSERVING = "an observer"
    """It leaves the trajectory of the training alone."""
    POOLING = "one that pools trained seeds"
    """It has one hook of this role, and no other."""


@dataclass(frozen=True)
class Declared:
    """The roles of the techniques that may have a hook, and whether only one technique of a stack can."""

    roles: tuple[Role, ...]
    exclusive: bool


DECLARED: dict[type, Declared] = {}
"""Every hook, in the order of its definition."""

Hook = TypeVar("Hook", bound=type)


def hook(*roles: Role, exclusive: bool = False) -> Callable[[Hook], Hook]:
    """Declare a protocol to be a hook; stored beside it, since techniques must have all attributes of a protocol."""

    def declare(protocol: Hook) -> Hook:
        DECLARED[protocol] = Declared(roles, exclusive)
        return protocol

    return declare


def hooks_of(role: Role) -> tuple[type, ...]:
    """The hooks that techniques of a role may have."""
    return tuple(protocol for protocol, declared in DECLARED.items() if role in declared.roles)
