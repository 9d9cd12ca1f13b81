"""A page made from a small store, and a headless Chromium that opens it from disk; skipped where there is none."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import Profile, Ref, RunSpec, TechniqueSpec, canonical_json
from bench_lib.report.glossary import LEAST
from bench_lib.store import Store

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
PACKAGES = ("axe-core@4.14.1", "html-validate@9.7.1")
HOSTILE = """<img src=x onerror="document.title='broken'">'"&=1-1"""
NPM = Path(__file__).parents[2] / ".cache" / "npm"
SPREADS = {"adamw": 0.02, "mixout": 0.005, "llrd+reinit": 0.02, "bertadam": 0.02}

Open = Callable[..., Any]


def run(task: str, technique: str, seed: int, source: str = "local") -> RunRecord:
    """One run, drawn from its names: some of bertadam's diverge."""
    draws = np.random.default_rng([seed, *technique.encode()])
    stack = tuple(TechniqueSpec(name) for name in technique.split("+"))
    spec = RunSpec(task, "1", Ref(source, f"{source}-rows"), stack, Ref("minilm", "weights0"), Profile(), seed, "desk")
    record = RunRecord.of({
        "run_id": spec.run_id(), "training_id": spec.training().run_id(), "task": task, "technique": technique,
        "model": "minilm", "profile": "desk", "data_source": source, "seed": seed,
        "spec": canonical_json(spec.identity()), "status": Status.CONVERGED, "metric": "accuracy", "trivial_score": 0.5,
        "score": float(0.8 + SPREADS.get(technique, 0.02) * draws.normal()),
        "steps": 96, "curve_loss": tuple(np.exp(-np.arange(96) / 30)), "eval_step": (48, 96), "eval_score": (0.7, 0.8),
        "train_seconds": float(30 + draws.random()), "peak_memory_bytes": 900 * 2**20,
        "provenance": {"torch": "2.13.0", "machine": "box", "started": f"2026-01-01T00:00:{seed:02}+00:00"},
    })  # fmt: skip
    if technique == "bertadam" and seed % 2:
        record = dataclasses.replace(record, status=Status.DIVERGED, reason="not finite at step 17", score=None)
    return record


@pytest.fixture(scope="session")
def hostile() -> str:
    """The name of a technique that is markup and a formula."""
    return HOSTILE


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two tasks of real data, one of embedded; a name that holds markup, and cells of too few seeds."""
    made = Store(tmp_path_factory.mktemp("store"))
    for technique in SPREADS:
        for seed in range(LEAST):
            made.append(run("sst2", technique, seed))
        for seed in range(3):
            made.append(run("rte", technique, seed))
            made.append(run("sst2", technique, seed, "embedded"))
    for seed in range(3):
        made.append(run("sst2", HOSTILE, seed))
    return made


@pytest.fixture(scope="session")
def page(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as a file."""
    from bench_lib.report.analysis.results import summarise
    from bench_lib.report.figures.plan import figures
    from bench_lib.report.html.build import build
    from bench_lib.report.html.registry_entries import registered

    summary = summarise(store)
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(build(summary, figures(summary), registered()), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def npm() -> Path:
    """The folder of the packages from the npm registry, installed where they are not there yet."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    options = ["--no-audit", "--no-fund", "--ignore-scripts"]
    NPM.mkdir(parents=True, exist_ok=True)
    # Workers that run side by side would install into each other's hands.
    with FileLock(NPM / ".lock"):
        there = all(_version(name) == version for name, version in (package.split("@") for package in PACKAGES))
        command = ["npm", "install", "--prefix", str(NPM), *options, *PACKAGES]
        if told := "" if there else _install(command):
            pytest.skip(f"npm cannot install {', '.join(PACKAGES)}: {told}")
    return NPM / "node_modules"


def _install(command: list[str], tries: int = 2) -> str:
    """Run npm, which may hang on a bad line and is then tried again; what it says where it fails, or nothing."""
    for left in reversed(range(tries)):
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False
            )
        except subprocess.TimeoutExpired as error:
            if not left:
                return str(error)
        else:
            return done.stderr.strip()[-200:] or "no word" if done.returncode else ""
    return ""


def _version(name: str) -> str:
    manifest = NPM / "node_modules" / name / "package.json"
    return str(json.loads(manifest.read_text())["version"]) if manifest.exists() else ""


class Browser:
    """Chromium with a page from disk open, and what it logged."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: Path, view: str = "", width: int = 1280, dark: bool = False) -> Browser:
        """The page afresh, at a width and in a scheme, once it has drawn what it shows."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        self.driver.get("about:blank")
        self.driver.get_log("browser"), self.driver.get_log("performance")
        self.driver.get(page.as_uri() + view)
        self.until("return document.documentElement.classList.contains('ready')")
        return self

    def show(self, view: str) -> Browser:
        """Another view or dialog of the page that is open, once its charts are drawn."""
        address = view or "#leaderboard"
        self.driver.execute_script("location.hash = arguments[0]", address)
        opened = "dialog[open] h2" if address.startswith(("#run=", "#cell=")) else f'.view.shown[id="{address[1:]}"]'
        self.until(f"return document.querySelector('{opened}')")
        self.until("return [...document.querySelectorAll('.view.shown .chart')].every(c => c.querySelector('svg'))")
        return self

    def until(self, script: str, seconds: float = 60) -> Any:
        """What the script returns, as soon as that is true."""
        end = time.monotonic() + seconds
        while not (found := self.driver.execute_script(script)):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.02)
        return found

    def get(self, script: str) -> Any:
        return self.driver.execute_script(f"return {script}")

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def requests(self) -> list[str]:
        """Addresses that were asked for, but for the page's own and what it made itself."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith(("data:", "blob:", "about:")) and "/index.html" not in url]


@pytest.fixture(scope="module")  # ends with its tests, since an idle page still takes a share of a core
def browser() -> Iterator[Browser]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    for program in (CHROMIUM, DRIVER):
        if not Path(program).exists():
            pytest.skip(f"there is no {program}: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield Browser(driver)
    driver.quit()
