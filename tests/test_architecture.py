"""The design's roles and budgets, held by reading the source; each finding names its file and line.

Which package may import which is held by import-linter, prints and numbers of parameters by ruff (`tox -e lint`), types
and that imports exist by mypy, what a file of a technique defines by the registry; here is what none of them checks.
"""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import pytest

import bench_lib
from bench_lib.core.seeds import STREAMS
from bench_lib.core.spec import PRECISIONS, Profile

SOURCE = Path(bench_lib.__file__).parent

HEAVY = {"torch", "transformers", "peft", "pytorch_optimizer", "datasets"}
LIGHT = (
    "__init__.py",
    "core",
    "stats",
    "store",
    "tasks",
    "report",
    "runner/limits.py",
    "runner/options.py",
    "runner/progress.py",
    "pytest_plugin",
    "cli",
)
"""What loads without the heavy packages; the plugin is loaded by every pytest of its environment."""

WRITERS = {
    "core/atomic.py": "a file that one of the others names",
    "store": "results",
    "report/render.py": "reports",
    "integrations/trainer.py": "a Trainer of the user's own saves as it would have",
    "integrations/model_folder.py": "a trained model, in the folder that the user named",
    "submissions/archive.py": "the archive of a submission, and the folder that one is unpacked into",
    "integrations/trackers": "what the user exports to a tracker's local folder",
    "harness/efficiency.py": "saves a model into a temporary folder to see how large the file is, and deletes it",
    "instruments/cache.py": "keeps what planning found of models and data in the user's cache",
    "models/packaged.py": "keeps models from packages in the user's cache, in the form that transformers reads",
    "models/translation.py": "keeps translations in the user's cache, so that no text is translated twice",
    "executors/mps.py": "the temporary folder of a daemon that it starts and ends",
    "instruments/memory.py": "resets the high-water mark of memory through /proc/self/clear_refs: no file of anyone's",
}
READERS = {
    **WRITERS,
    "executors/runtime_env.py": "the runtime environment for Ray that the user named",
    "executors/slurm.py": "what a job wrote before it ended",
    "plans/plan_file.py": "the plan that the user named",
    "integrations/scores/files.py": "the runs from elsewhere that the user named",
    "tasks/sources/tables.py": "the files of data folders",
    "tasks/sources/general_text.py": "a text file of a data folder",
    "tasks/sources/own/definition.py": "the file of a task that the user named",
    "tasks/sources/hub.py": "the cache of the hub",
    "tasks/sources/synthetic/word_lists.py": "the word lists that ship with the package",
    "models": "weights",
    "report/analysis/calibration.py": "the calibration that ships with the package",
    "report/analysis/published_claims.py": "the claims of papers that ship with the package",
    "report/html": "its own templates, and the scripts that itables ships",
    "techniques/interface/effects.py": "what was measured of each technique, which ships with the package",
    "techniques/interface/plugin.py": "the file of a technique that the user named",
    "techniques/interface/sources.py": "what such a file imports",
    "instruments/provenance.py": "/proc/cpuinfo",
}
TECHNIQUE_FILE = r"techniques/(?!interface|toolkit)\w+/(?!__init__)\w+\.py"
"""The file of a technique, which has its name; the registry refuses any other."""
NAMELESS = {"utils", "util", "helpers", "helper", "misc", "common"}
MAX_FILE, MEDIAN_FILE, MAX_FUNCTION, MEAN_FUNCTION = 300, 120, 50, 12

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, eq=False)
class Module:
    """A source file: its dotted name, and its path inside the package."""

    name: str
    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    def at(self, node: ast.AST | int, what: str) -> str:
        return f"{self.path}:{node if isinstance(node, int) else node.lineno}: {what}"

    def functions(self) -> Iterator[Function]:
        return (node for node in self.nodes if isinstance(node, Function))

    def within(self, places: Iterable[str]) -> bool:
        return any(self.path == place or self.path.startswith(f"{place}/") for place in places)


class Package:
    """All modules of a package folder called `bench_lib`."""

    def __init__(self, root: Path) -> None:
        self.modules: dict[str, Module] = {}
        for file in sorted(root.rglob("*.py")):
            path = file.relative_to(root)
            name = ".".join(("bench_lib", *path.with_suffix("").parts)).removesuffix(".__init__")
            self.modules[name] = Module(name, path.as_posix(), file.read_text())

    def __iter__(self) -> Iterator[Module]:
        return iter(self.modules.values())


def _called(call: ast.Call) -> str:
    function = call.func
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


def _owner(call: ast.Call) -> str:
    """What a method is called on, where that is a plain name."""
    function = call.func
    return function.value.id if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) else ""


# ---- the checks: a package in, findings out --------------------------------------------------------------------------


def check_writes(package: Package) -> list[str]:
    """Only the store and the renderer of reports write files."""
    return [
        module.at(node, f"{ast.unparse(node.func)} writes a file")
        for module in package
        if not module.within(WRITERS)
        for node in module.nodes
        if isinstance(node, ast.Call) and _writes(node)
    ]


def _writes(call: ast.Call) -> bool:
    name, owner = _called(call), _owner(call)
    if name == "open":
        return bool(set(_mode(call)) & set("wax+"))
    if name == "replace_file":
        return True
    if name in ("remove", "rename", "replace", "makedirs", "rmdir"):
        return owner == "os"
    if name in ("dump", "save", "savez", "savetxt"):
        return owner in ("json", "pickle", "np", "torch")
    # A table as text, without a path, is no file.
    paths = name.startswith("to_") and name in (
        "to_csv",
        "to_parquet",
        "to_json",
        "to_pickle",
        "to_feather",
        "to_excel",
    )
    if paths:
        return bool(call.args) or any(k.arg in ("path", "path_or_buf") for k in call.keywords)
    return owner == "shutil" or name in (
        "write_text",
        "write_bytes",
        "write_table",
        "ParquetWriter",
        "savefig",
        "save_pretrained",
        "save_model",
        "save_file",
        "mkdir",
        "unlink",
        "touch",
        "symlink_to",
        "mkstemp",
        "NamedTemporaryFile",
    )


def _mode(call: ast.Call) -> str:
    """The mode of an `open`, as function or as method: the argument that reads as a mode."""
    values = [*call.args, *(k.value for k in call.keywords if k.arg == "mode")]
    modes = [v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)]
    return next((mode for mode in modes if re.fullmatch("[rwxabt+]{1,4}", mode)), "r")


def check_reads(package: Package) -> list[str]:
    """Only the store, the loading of data and models, and the look at the machine read files."""
    names = (
        "open",
        "read_text",
        "read_bytes",
        "read_csv",
        "ParquetFile",
        "read_table",
        "from_pretrained",
        "load_dataset",
    )
    return [
        module.at(node, f"{ast.unparse(node.func)} reads a file")
        for module in package
        if not module.within(READERS)
        for node in module.nodes
        if isinstance(node, ast.Call)
        and (
            _called(node) in names
            or (_called(node), _owner(node)) in {("load", "json"), ("load", "np"), ("load", "torch")}
        )
    ]


def check_file_sizes(package: Package) -> list[str]:
    """The largest file, and the median."""
    lengths = {module.path: len(module.text.splitlines()) for module in package}
    found = [f"{path}:{n}: {n} lines, of {MAX_FILE} at most" for path, n in lengths.items() if n > MAX_FILE]
    if (median := statistics.median(lengths.values())) > MEDIAN_FILE:
        path, longest = max(lengths.items(), key=lambda item: item[1])
        found.append(
            f"{path}:{longest}: the median file has {median:g} lines, of {MEDIAN_FILE} at most; this is the longest"
        )
    return found


def check_function_sizes(package: Package) -> list[str]:
    """The longest function, and the mean."""
    lengths = [(_length(f), module, f) for module in package for f in module.functions()]
    found = [m.at(f, f"{f.name} has {n} lines, of {MAX_FUNCTION} at most") for n, m, f in lengths if n > MAX_FUNCTION]
    if lengths and (mean := statistics.fmean(n for n, _, _ in lengths)) > MEAN_FUNCTION:
        n, module, function = max(lengths, key=lambda entry: entry[0])
        found.append(
            module.at(function, f"the mean function has {mean:.1f} lines, of {MEAN_FUNCTION} at most; this has {n}")
        )
    return found


def _length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def check_keywords(package: Package) -> list[str]:
    """No **kwargs in what is public, unless a TypedDict names them."""
    return [
        module.at(function, f"{function.name} is public and takes **{function.args.kwarg.arg}")
        for module in package
        for function in module.functions()
        if function.args.kwarg and (not function.name.startswith("_") or function.name.endswith("__"))
        if not ast.unparse(function.args.kwarg.annotation or function.args).startswith("Unpack[")
    ]


def check_names(package: Package) -> list[str]:
    """No file, folder or function is named after nothing."""
    found = [m.at(1, f"{part} says nothing") for m in package for part in m.name.split(".") if part in NAMELESS]
    return found + [m.at(f, f"{f.name} says nothing") for m in package for f in m.functions() if f.name in NAMELESS]


def check_harness_names(package: Package) -> list[str]:
    """The harness holds no technique's name, as text or as identifier.

    A profile's field may be called like one, and so may a precision and a seed stream, as the whole of a text.
    """
    names = {m.name.rpartition(".")[2] for m in package if re.fullmatch(TECHNIQUE_FILE, m.path)}
    settings, values = {field.name for field in fields(Profile)}, {*PRECISIONS, *STREAMS}
    return [
        module.at(node, f"names the technique {word!r}")
        for module in package
        if module.within(("harness",))
        for node in set(module.nodes) - _documentation(module)
        for word in _words(node) & names
        if not (isinstance(node, ast.Attribute) and word in settings)
        if not (isinstance(node, ast.Constant) and node.value in values)
    ]


def _documentation(module: Module) -> set[ast.AST]:
    """Text that stands as a statement of its own."""
    return {node.value for node in module.nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}


def _words(node: ast.AST) -> set[str]:
    """The identifiers that a node itself brings in, and the words of its text."""
    if isinstance(node, ast.Constant):
        return set(re.findall(r"\w+", node.value)) if isinstance(node.value, str) else set()
    if isinstance(node, ast.Name):
        return {node.id}
    if isinstance(node, ast.Attribute):
        return {node.attr}
    if isinstance(node, ast.arg):
        return {node.arg}
    if isinstance(node, ast.alias):
        return {*node.name.split("."), *filter(None, [node.asname])}
    if isinstance(node, ast.ImportFrom):
        return set((node.module or "").split("."))
    return {node.name} if isinstance(node, (*Function.__args__, ast.ClassDef)) else set()


CHECKS: tuple[Callable[[Package], list[str]], ...] = (
    check_writes,
    check_reads,
    check_file_sizes,
    check_function_sizes,
    check_keywords,
    check_names,
    check_harness_names,
)


# ---- the package against the checks ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def package() -> Package:
    return Package(SOURCE)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_the_package_holds(package: Package, check: Callable[[Package], list[str]]) -> None:
    findings = sorted(check(package))
    assert not findings, "\n" + "\n".join(f"bench_lib/{finding}" for finding in findings)


def test_the_package_is_seen_whole(package: Package) -> None:
    assert {
        "bench_lib",
        "bench_lib.core.spec",
        "bench_lib.harness.loop",
        "bench_lib.tasks.sources.synthetic",
    } <= package.modules.keys()
    assert len(list(package)) > 50


def test_light_modules_load_without_heavy_packages(package: Package) -> None:
    light = sorted(m.name for m in package if m.within(LIGHT))
    script = (
        "import importlib, sys\n"
        f"heavy = {HEAVY!r}\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    if found := heavy & sys.modules.keys():\n"
        "        sys.exit(f'{name} loads {found}; python -X importtime -c \"import {name}\" says by which way')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *light], capture_output=True, text=True, check=False, timeout=300
    )
    assert len(light) > 50
    assert done.returncode == 0, done.stderr


# ---- the checks against bad packages ---------------------------------------------------------------------------------

LONG = "def short() -> None: ...\n" * 9 + "def long() -> None:\n" + "    x = 1\n" * MAX_FUNCTION
MIDDLING = "def middling() -> None:\n" + "    x = 1\n" * MEAN_FUNCTION
MIXUP = {"techniques/data/mixup.py": ""}

BAD: list[tuple[Callable[[Package], list[str]], dict[str, str], str]] = [
    (
        check_writes,
        {"runner/execute.py": "def f(p):\n    p.write_text('x')"},
        r"runner/execute\.py:2: p\.write_text writes",
    ),
    (check_writes, {"runner/execute.py": "open('x', 'w')"}, r"runner/execute\.py:1: open writes"),
    (check_writes, {"runner/execute.py": "open('x', mode='ab')"}, r"runner/execute\.py:1: open writes"),
    (check_writes, {"stats/a.py": "p.open('r+')"}, r"stats/a\.py:1: p\.open writes"),
    (
        check_writes,
        {"report/analysis/summary.py": "frame.to_csv('x.csv')"},
        r"report/analysis/summary\.py:1: frame\.to_csv writes",
    ),
    (check_writes, {"report/plot.py": "figure.savefig('x.png')"}, r"report/plot\.py:1: figure\.savefig writes"),
    (check_writes, {"harness/a.py": "torch.save(x, y)"}, r"harness/a\.py:1: torch\.save writes"),
    (check_writes, {"harness/a.py": "replace_file(x, y)"}, r"harness/a\.py:1: replace_file writes"),
    (check_reads, {"harness/a.py": "\np.read_text()"}, r"harness/a\.py:2: p\.read_text reads"),
    (
        check_reads,
        {"report/analysis/summary.py": "with open(p) as f: pass"},
        r"report/analysis/summary\.py:1: open reads",
    ),
    (
        check_reads,
        {"techniques/a.py": "AutoModel.from_pretrained('x')"},
        r"techniques/a\.py:1: AutoModel\.from_pretrained reads",
    ),
    (
        check_file_sizes,
        {"runner/execute.py": "x = 1\n" * (MAX_FILE + 1), "a.py": "", "b.py": ""},
        r"runner/execute\.py:301: 301 lines",
    ),
    (check_file_sizes, {"runner/execute.py": "x = 1\n" * (MEDIAN_FILE + 1)}, r"runner/execute\.py:121: the median"),
    (check_function_sizes, {"runner/execute.py": LONG}, r"runner/execute\.py:10: long has 51 lines"),
    (check_function_sizes, {"runner/execute.py": MIDDLING}, r"runner/execute\.py:1: the mean function has 13\.0 lines"),
    (
        check_keywords,
        {"runner/execute.py": "def f(**options: int) -> None: ..."},
        r"runner/execute\.py:1: f is public and takes \*\*options",
    ),
    (check_names, {"stats/utils.py": ""}, r"stats/utils\.py:1: utils"),
    (check_names, {"helpers/a.py": ""}, r"helpers/a\.py:1: helpers"),
    (check_names, {"runner/execute.py": "\ndef helpers(): ..."}, r"runner/execute\.py:2: helpers"),
    (check_harness_names, MIXUP | {"harness/a.py": "\nif t.name == 'mixup': ..."}, r"harness/a\.py:2: .*'mixup'"),
    (check_harness_names, MIXUP | {"harness/a.py": "mixup(1)"}, r"harness/a\.py:1: .*'mixup'"),
    (check_harness_names, MIXUP | {"harness/a.py": "x.mixup"}, r"harness/a\.py:1: .*'mixup'"),
    (check_harness_names, MIXUP | {"harness/a.py": "from b.mixup import T"}, r"harness/a\.py:1: .*'mixup'"),
    (check_harness_names, MIXUP | {"harness/a.py": "x = 'use mixup, please'"}, r"harness/a\.py:1: .*'mixup'"),
    (
        check_harness_names,
        {"techniques/regularisation/dropout.py": "", "harness/a.py": "x = 'use dropout'"},
        r"harness/a\.py:1: .*'dropout'",
    ),
]

GOOD = {
    "__init__.py": '"""Says nothing of mixup."""',
    "core/errors.py": "",
    "store/a.py": "def f(path: Path, *rest: int) -> None:\n    path.write_text('x')",
    "report/render.py": "def _f(**options: int) -> None:\n    open('x', 'w')",
    "report/analysis/summary.py": "text: str = frame.to_csv(index=False)\nother = 'a'.replace('a', 'b')",
    "harness/a.py": '"""mixup, named."""\nfrom bench_lib.techniques.interface import technique\nx = profile.clip_norm',
    "harness/b.py": "seed('dropout')",
    "techniques/interface/technique.py": "class Base:\n    name: ClassVar[str]\n"
    "    def __init_subclass__(cls, **declared: Unpack[Names]) -> None: ...",
    "techniques/__init__.py": "",
    "techniques/data/mixup.py": "",
    "techniques/optimisation/clip_norm.py": "",
    "techniques/regularisation/dropout.py": "",
}


def _write(root: Path, files: dict[str, str]) -> Package:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return Package(root)


@pytest.mark.parametrize(
    ("check", "files", "expected"), BAD, ids=[f"{c.__name__[6:]}-{i}" for i, (c, _, _) in enumerate(BAD)]
)
def test_a_check_catches_a_bad_package(
    tmp_path: Path, check: Callable[[Package], list[str]], files: dict[str, str], expected: str
) -> None:
    findings = check(_write(tmp_path, files))
    assert len(findings) == 1, findings
    assert re.match(expected, findings[0]), findings


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_a_check_lets_a_good_package_pass(tmp_path: Path, check: Callable[[Package], list[str]]) -> None:
    assert check(_write(tmp_path, GOOD)) == []


def test_every_check_is_shown_to_catch_something() -> None:
    assert {check for check, _, _ in BAD} == set(CHECKS)
