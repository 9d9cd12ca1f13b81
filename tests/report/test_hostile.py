"""A store of runs with every hostile text and number that a record can hold: shown as text, everywhere."""

from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import io
import json
import re
import xml.etree.ElementTree as ET
import zlib
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bench_lib.cli import main
from bench_lib.core.record import RunRecord
from bench_lib.report import render
from bench_lib.report.analysis import results as results_of_a_store
from bench_lib.report.analysis.results import Summary, summarise
from bench_lib.report.figures.plan import planned
from bench_lib.report.html.build import build
from bench_lib.report.html.registry_entries import registered
from bench_lib.store import Store
from bench_lib.store.files import stage
from bench_lib.store.schema import RUNS, to_table

NAMES = {
    "markup": "<script>alert(1)</script><b onclick='x'>\"&",
    "closing": "</script></title></style>--><img src=x onerror=alert(1)>",
    "markdown": "a|b`c`$d$ **e** [f](javascript:x) ![g](figures/power.svg) \\",
    "an image of its own": "x](figures/mine.svg)\n![y](figures/mine.svg)\n# heading",
    "control characters": "a\x00b\x07c\x1b[31md\x7f\u0085e",
    "turned writing": "\u202egnp.exe\u2066",
    "right to left": "\u05e9\u05dc\u05d5\u05dd-\u0645\u0631\u062d\u0628\u0627",
    "a path": "../../etc/passwd%2e%2e\\con",
    "spaces and hyphens": "  a - b-c  d ",
    "composed": "caf\u00e9",
    "decomposed": "cafe\u0301",
    "empty": "",
    "long": "n" * 10_000,
    "another long": "n" * 10_001,
    "a formula": "=cmd|' /C calc'!A0",
    "an object's own name": "__proto__",
    "a string's end": "');alert(1)//\u2028${x}",
    "beyond 16 bits": "\U0001f600\U000e0001\ufffe",
}
TASKS = ("control characters", "spaces and hyphens", "a path", "closing", "composed", "decomposed", "empty", "long")
MODELS = ("control characters", "closing", "another long")
"""The names of which tasks have some, and models and profiles others: each takes figures of its own."""

FACTS = {NAMES["closing"]: "</script>|`x`\n\x1b[31m", "a|b\x07": "1", "": "", "k" * 10_000: "v" * 10_000}
CLEANED = "a b c [31md e"
"""The control characters as they are shown."""

STARTED = ("9999-12-31T23:59:59", "garbage\x1b[2J", "99999-01-01", "0001-01-01T00:00:00", "2026-01-01T00:00:00+99:99")


class Page(HTMLParser):
    """Which elements a page has, with which attributes; its addresses, ids, and the text of its scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[tuple[str, str]] = set()
        self.scripts = 0
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements |= {(tag, ""), *((tag, name) for name, _ in attrs)}
        self.scripts += tag == "script"
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links |= {found["href"] or ""} if "href" in found else set()


def numbers(run: RunRecord) -> list[RunRecord]:
    """The run with amounts that no run can have, each with a seed of its own."""
    amounts: list[dict[str, Any]] = [
        {"train_seconds": -5.0, "tokens_per_second": float("inf"), "peak_memory_bytes": -(2**62)},
        {"train_seconds": 1e308, "trivial_score": 1e308, "robust_score": float("inf"), "adversarial_score": -1e308},
        {"train_seconds": float("nan"), "trivial_score": float("nan"), "saved_bytes": 0, "uncompressed_bytes": 0},
        {"curve_loss": (1e308, -1e308, float("nan"), 1e-320) * 9, "steps": -7, "parameters": -3, "sparsity": -1e308},
        {"curve_grad_norm": (1e308, -1.0, float("nan")), "clipped_steps": -4, "nonfinite_steps": 2**60},
        {"drift": (float("inf"), -1e308), "eval_score": (1e308, float("nan")), "eval_step": (-5, 2**62)},
        {"latency_1": 0.0, "uncompressed_latency_1": 0.0, "latency_32": -1.0, "uncompressed_latency_32": 1e-300},
        {"metrics": {"<b>|\x1b": float("nan")}, "reported": {"x\x1b": 1e308}, "metric": "m\x07|" * 9_000},
        {"status": "diverged", "score": 1e308, "reason": "\x1b[31mred|`a`<b>\n\n# c" + "r" * 20_000},
        {"status": "collapsed", "score": float("-inf"), "reason": NAMES["closing"]},
    ]
    return [altered(run, seed=seed).changed(amount) for seed, amount in enumerate(amounts)]


def altered(run: RunRecord, **fields: Any) -> RunRecord:
    """The run with other fields, which its spec has as well; a plan would refuse many of them."""
    spec = json.loads(run.spec)
    if "technique" in fields:
        spec["stack"] = [[fields["technique"], {}, "1"]]
    if "task" in fields:
        spec["task"] = [fields["task"], "1"]
    if "seed" in fields:
        spec["seed"] = fields["seed"]
    return run.changed({"spec": json.dumps(spec, separators=(",", ":"), sort_keys=True), **fields})


def hostile(record: Callable[..., RunRecord]) -> list[RunRecord]:
    """Every name as a technique, some as tasks, models and profiles; all facts; amounts; odd seeds and specs."""
    seeds = (0, 1, 2, 3, 2**62, -(2**62))
    runs = [altered(record(0), seed=seed, score=0.8 + n / 50) for n, seed in enumerate(seeds)]
    for name in NAMES.values():
        runs += [altered(record(seed), technique=name, score=0.8 + seed / 50) for seed in (0, 1)]
    runs += [altered(record(0), task=NAMES[name], score=0.7) for name in TASKS]
    for n, name in enumerate(NAMES[name] for name in MODELS):
        runs.append(dataclasses.replace(record(0, rate=3e-5 + n / 1e6), model=name, profile=name))
    runs += numbers(record(0, 0.8, "amounts"))
    runs += [
        dataclasses.replace(record(n, 0.8, "facts"), provenance={**FACTS, "started": text})
        for n, text in enumerate(STARTED)
    ]
    params = {NAMES["markup"]: NAMES["closing"], "x\x1b\u202e": [1, {"z": "\ud800"}], "long": "p" * 10_000}
    spec = json.loads(record(0, 0.8, "odd").spec) | {"stack": [["odd\x1b<i>", params, "1\u202e"]], "protocol": "\ud800"}
    runs.append(dataclasses.replace(record(0, 0.8, "odd"), spec=json.dumps(spec), data_source="<x>\x07"))
    return [run.changed({"curve_loss": run.curve.loss or (2.0, 1.0, 0.5)}) for run in runs]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, record: Any) -> Store:
    return filled(tmp_path_factory.mktemp("hostile"), hostile(record))


def filled(root: Path, runs: list[RunRecord]) -> Store:
    """A store of some runs in one file, each under the digest of its spec, whose texts nobody has cleaned."""
    named = [dataclasses.replace(run, run_id=hashlib.sha256(run.spec.encode()).hexdigest()[:20]) for run in runs]
    assert len({run.run_id for run in named}) == len(named)
    stage(root / "runs", [to_table(named)], RUNS, compact=True).replace(root / "runs" / "all.parquet")
    return Store(root)


@pytest.fixture(scope="module")
def found(store: Store) -> Summary:
    return summarise(store)


@pytest.fixture(scope="module")
def out(store: Store, found: Summary) -> Path:
    """The folder that the command line rendered the store into, once."""
    folder = store.root / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, "summarise", lambda *_: found)
        assert main(["report", "--store", str(store.root), "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def page(out: Path) -> str:
    return (out / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(out: Path) -> str:
    return (out / "leaderboard.md").read_text(encoding="utf-8")


def unseen(written: str) -> set[str]:
    """The characters of a text that cannot be seen, but for the end of a line."""
    return {c for c in set(written) if not c.isprintable() and c != "\n"}


def test_no_text_becomes_an_element_or_an_attribute_of_the_page(page: str, summary: Summary) -> None:
    drawn = [next(figure for plan in planned(summary) if (figure := plan.figure()))]
    friendly = Page(build(summary, drawn, registered()))
    found = Page(page)
    assert found.elements <= friendly.elements
    assert found.scripts == friendly.scripts
    assert len(found.ids) == len(set(found.ids))
    assert {link for link in found.links if link.startswith("#")} <= {f"#{one}" for one in found.ids}
    others = {link for link in found.links if not re.fullmatch(r"#.*|figures/[a-z0-9._-]+", link)}
    assert all(
        link.startswith(("https://arxiv.org/", "https://doi.org/", "leaderboard.", "claims.md")) for link in others
    )


def test_no_file_holds_a_character_that_cannot_be_seen(out: Path, page: str) -> None:
    for path in out.rglob("*"):
        if path.suffix in (".md", ".csv", ".svg"):
            assert not unseen(path.read_text(encoding="utf-8")), path
    # The libraries' own scripts are not the records'.
    assert not unseen(re.sub(r"<script type=\"module\">.*?</script>", "", page, flags=re.DOTALL))


def test_the_data_of_the_page_are_visible_text(page: str) -> None:
    (found,) = re.findall(r'<script type="text/plain" id="data">([A-Za-z0-9+/=]+)</script>', page)
    data = json.loads(zlib.decompress(base64.b64decode(found)))
    assert not unseen(json.dumps(data, ensure_ascii=False))
    assert len(data["runs"]["cell"]) == len(data["runs"]["status"])
    assert max(data["runs"]["cell"]) == len(data["cells"]) - 1


def test_tables_of_markdown_keep_their_columns(text: str) -> None:
    blocks = [block for block in re.split(r"\n\n+", text) if block.startswith("| ")]
    assert len(blocks) > len(TASKS)
    for block in blocks:
        lines = [line for line in block.strip("\n").splitlines() if not line.startswith("![")]
        counts = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines}
        assert len(counts) == 1, block[:300]


def test_nothing_but_the_report_has_headings_images_or_markup_in_markdown(text: str, out: Path) -> None:
    assert not re.search(r"<[a-zA-Z/!]", text)
    lines = text.splitlines()
    heads = [line for line in lines if line.startswith("#")]
    assert all(re.match(r"# Leaderboard|## |### ", line) for line in heads)
    assert not any("heading" in line and not line.startswith("###") for line in heads)
    images = [line for line in lines if line.startswith("![")]
    names = [re.fullmatch(r"!\[.*\]\((figures/[a-z0-9._-]+\.svg)\)", line) for line in images]
    assert {found[1] for found in names if found} == {f"figures/{p.name}" for p in (out / "figures").glob("*.svg")}
    assert len(names) == len(images) == len([found for found in names if found])


def test_names_that_differ_stay_different(out: Path) -> None:
    with (out / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for column, expected in (("task", len(TASKS) + 1), ("technique", len(NAMES) + 4), ("model", len(MODELS) + 1)):
        assert len({row[column] for row in rows}) == expected, column
    assert all(0 < len(row["technique"]) <= 150 for row in rows)
    assert not any(str(value).startswith(("=", "+", "@")) for row in rows for value in row.values())


def test_figures_have_names_for_any_system_and_are_whole(out: Path) -> None:
    paths = sorted((out / "figures").iterdir())
    assert all(re.fullmatch(r"[a-z0-9._-]{1,120}", path.name) for path in paths)
    kinds = Counter(path.suffix for path in paths)
    assert kinds[".svg"] == kinds[".csv"] > 2 * len(TASKS)
    for path in paths:
        if path.suffix == ".svg":
            ET.parse(path)
            assert path.stat().st_size < 1_000_000
            assert list(csv.reader(io.StringIO(path.with_suffix(".csv").read_text(encoding="utf-8"))))


def test_each_task_shows_its_figures_whatever_it_is_called(page: str) -> None:
    views = re.split(r'<section class="view" id="', page)
    tasks = [view for view in views if view.startswith("task=")]
    assert len(tasks) == len(TASKS) + 1
    for view in tasks:
        assert len(re.findall(r'<a href="figures/seeds-[^"]*\.csv">', view)) >= 1, view[:200]
        assert len(re.findall(r'<a href="figures/curves-[^"]*\.csv">', view)) >= 1, view[:200]


def test_what_was_rendered_is_current(store: Store, out: Path, monkeypatch: Any, capsys: Any) -> None:
    files = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    monkeypatch.setattr(render, "build_report", lambda *_: render.Report(files))
    assert main(["report", "--store", str(store.root), "--out", str(out), "--check"]) == 0
    assert capsys.readouterr().out == f"{out} is what {store.root} gives\n"


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_answers_on_the_command_line_are_visible_text(
    store: Store, found: Summary, options: list[str], monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setattr(results_of_a_store, "summarise", lambda *_, **__: found)
    for command in (["recommend", "--task-like", "sst2", "--top", "50"], ["compare", "amounts", CLEANED]):
        assert main([*command, "--store", str(store.root), *options]) == 0
        told = capsys.readouterr()
        assert not unseen(told.out)
        assert not told.err
        assert CLEANED in told.out
        assert not options or json.loads(told.out)


def test_stores_are_compared_in_visible_text(store: Store, tmp_path: Path, record: Any, capsys: Any) -> None:
    lower = [dataclasses.replace(run, score=0.75 * (run.score or 0)) for run in hostile(record)[:20]]
    other = filled(tmp_path / "other", lower)
    for options in ([], ["--json"]):
        assert main(["compare", str(store.root), str(other.root), *options]) == 1
        told = capsys.readouterr()
        assert not unseen(told.out)
        assert CLEANED in told.out


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("stack", 5),
        ("stack", [["a"]]),
        ("stack", [["a", [1], "1"]]),
        ("profile", [1]),
        ("profile", None),
        ("task", "sst2"),
        ("task", None),
        ("frozen", []),
        ("frozen", {"subset": "\x1b"}),
    ],
)
def test_a_spec_of_another_form_is_refused_in_one_line(
    tmp_path: Path, record: Any, part: str, value: Any, capsys: Any
) -> None:
    spec = json.loads(record(0).spec) | {part: value}
    assert refused(tmp_path, dataclasses.replace(record(0), spec=json.dumps(spec)), capsys).count("spec") == 1


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000, "5", ""])
def test_text_that_is_no_spec_is_refused_in_one_line(tmp_path: Path, record: Any, text: str, capsys: Any) -> None:
    assert "is not a JSON object" in refused(tmp_path, dataclasses.replace(record(0), spec=text), capsys)


@pytest.mark.parametrize("score", [1e308, -1e99, 1.5, float("nan"), None])
def test_a_run_that_converged_without_a_fraction_for_a_score_is_named(
    tmp_path: Path, record: Any, score: Any, capsys: Any
) -> None:
    assert "allowed: a fraction, from -1 to 1" in refused(tmp_path, record(0, score), capsys)


def refused(root: Path, run: RunRecord, capsys: Any) -> str:
    """What each command that reads a store says of a run, after they have all refused it."""
    filled(root, [run])
    said = set()
    for command in (
        ["report", "--out", str(root / "out")],
        ["recommend", "--task-like", "sst2"],
        ["compare", "a", "b"],
    ):
        assert main([*command, "--store", str(root)]) == 2
        told = capsys.readouterr()
        assert not told.out
        assert told.err.startswith("stabbench: ")
        assert told.err.count("\n") == 1
        assert not unseen(told.err)
        said.add(told.err)
    assert len(said) == 1
    return said.pop()
