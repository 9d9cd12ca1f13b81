"""`stabbench list`: tasks, techniques, models and profiles."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bench_lib.cli.console import DONE
from bench_lib.core.errors import require

if TYPE_CHECKING:
    from bench_lib.techniques.interface.technique import Technique

KINDS = ("tasks", "techniques", "models", "profiles")
Rows = list[tuple[str, str]]


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `list`."""
    command.add_argument("kind", nargs="?", choices=KINDS, help="default: all")
    command.add_argument("--markdown", action="store_true", help="with techniques: a page with all that they declare")
    command.set_defaults(command=_list)


def _list(options: argparse.Namespace) -> int:
    if options.markdown:
        require(options.kind == "techniques", "--markdown", options.kind or "all", "given with `list techniques` only")
        return _page()
    for kind in [options.kind] if options.kind else KINDS:
        _print(f"{kind}:", _grouped_techniques() if kind == "techniques" else {"": _rows(kind)})
    return DONE


def _page() -> int:
    from bench_lib.techniques import TECHNIQUES
    from bench_lib.techniques.interface.documentation import page

    print(page(TECHNIQUES), end="")
    return DONE


def _print(title: str, groups: dict[str, Rows]) -> None:
    width = max(len(name) for rows in groups.values() for name, _ in rows)
    print(title)
    for group, rows in groups.items():
        if group:
            print(f"  {group}")
        indent = "    " if group else "  "
        print(*(f"{indent}{name:<{width}}  {text}" for name, text in rows), sep="\n")


def _rows(kind: str) -> Rows:
    from bench_lib.core.profiles import PROFILES
    from bench_lib.models import MODELS
    from bench_lib.tasks import TASKS

    if kind == "tasks":
        return [(t.name, f"{t.description} [{t.format}; {', '.join(t.metrics)}]") for t in TASKS]
    return [(entry.name, entry.description) for entry in (MODELS if kind == "models" else PROFILES)]


def _grouped_techniques() -> dict[str, Rows]:
    from bench_lib.techniques import TECHNIQUES  # needs torch: only where it is asked for
    from bench_lib.techniques.interface.documentation import by_family
    from bench_lib.techniques.interface.technique import FAMILIES

    return {
        FAMILIES[family]: [(t.name, _description(t)) for t in found] for family, found in by_family(TECHNIQUES).items()
    }


def _description(technique: type[Technique]) -> str:
    """The summary of a technique, and the names of the settings that are tuned."""
    from bench_lib.techniques.interface.documentation import summary

    tuned = f" [tune: {', '.join(technique.space)}]" if technique.space else ""
    return summary(technique) + tuned
