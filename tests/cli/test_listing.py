from __future__ import annotations

import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, USAGE
from bench_lib.core.profiles import PROFILES
from bench_lib.models import MODELS
from bench_lib.tasks import TASKS
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.documentation import by_family, page, summary
from bench_lib.techniques.interface.technique import FAMILIES

Written = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("kind", "names"), [("tasks", TASKS.names()), ("models", MODELS.names()), ("profiles", PROFILES.names())]
)
def test_a_list_has_a_line_for_each_name(capsys: Written, kind: str, names: tuple[str, ...]) -> None:
    assert main(["list", kind]) == DONE
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == f"{kind}:"
    assert tuple(line.split()[0] for line in lines) == names
    assert all(len(line.split()) > 2 for line in lines)


def test_techniques_are_listed_by_family(capsys: Written) -> None:
    assert main(["list", "techniques"]) == DONE
    title, *lines = capsys.readouterr().out.splitlines()
    expected = [
        line
        for family, techniques in by_family(TECHNIQUES).items()
        for line in (f"  {FAMILIES[family]}", *(f"    {t.name}" for t in techniques))
    ]
    assert title == "techniques:"
    assert [line if line[2] != " " else f"    {line.split()[0]}" for line in lines] == expected
    texts = {line[4:].partition(" ")[2].strip() for line in lines if line.startswith("    ")}
    assert texts == {summary(t) + (f" [tune: {', '.join(t.space)}]" if t.space else "") for t in TECHNIQUES}
    assert sum(text.endswith(" [tune: k, t0]") for text in texts) == 1


def test_without_a_kind_all_are_listed(capsys: Written) -> None:
    assert main(["list"]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["tasks:", "techniques:", "models:", "profiles:"]
    rows = len(TASKS) + len(TECHNIQUES) + len(by_family(TECHNIQUES)) + len(MODELS) + len(PROFILES)
    assert len(lines) == 4 + rows


def test_the_catalogue_is_printed_as_it_is(capsys: Written) -> None:
    assert main(["list", "techniques", "--markdown"]) == DONE
    assert capsys.readouterr().out == page(TECHNIQUES)


@pytest.mark.parametrize("kind", [[], ["tasks"]])
def test_only_techniques_make_a_page(capsys: Written, kind: list[str]) -> None:
    assert main(["list", *kind, "--markdown"]) == USAGE
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith(f"stabbench: --markdown is '{kind[0] if kind else 'all'}'; allowed: given with `list")
