"""What a sweep takes beside its trainings: start, overhead a run and end of each executor, into a folder and a bucket.

`pytest benchmarks/test_scale.py --benchmark-only --bench-overhead [--bench-max-runs 10000]`; some minutes of an
otherwise idle machine, or with so many runs of no length an hour. Without the option each is tried with a few runs.
The runs sleep in place of training; planning, claims, processes, records and the store are those of any sweep. The
bucket is on moto's S3 server, a process of this machine, which takes most of the time there.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import scale

from bench_lib.pytest_plugin import Benchmark

PACKAGES = {"ray": "ray", "slurm": "submitit"}
CELLS = [(0.0, "folder", 500), (0.1, "folder", 20), (10.0, "folder", 2), (0.0, "bucket", 100)]
"""Seconds of a run, where it is stored, and the number of runs for each worker."""
FEW = 6
"""Runs where the option is not given, and then only of those of no length."""
Row = dict[str, float | str]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """What each took, filled by the tests in order."""
    return []


@pytest.fixture(scope="module")
def bucket() -> Iterator[Mapping[str, str]]:
    """The environment in which a bucket is reached, on an S3 server in a process of its own."""
    pytest.importorskip("moto")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _make_bucket(port)
        keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "test")
        yield {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_REGION": "us-east-1", **keys}
    finally:
        server.terminate()
        server.wait()


def _make_bucket(port: int) -> None:
    scope = "test/20260101/us-east-1/s3/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}
    end = time.monotonic() + 60
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.closing(connection), contextlib.suppress(ConnectionRefusedError):
            connection.request("PUT", "/bench", headers=headers)
            assert connection.getresponse().status == 200
            return
        assert time.monotonic() < end, "moto's server does not answer"
        time.sleep(0.1)


@pytest.mark.parametrize("name", scale.EXECUTORS)
def test_sweeps(
    benchmark: Benchmark,
    name: str,
    rows: list[Row],
    bucket: Mapping[str, str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    whole, most = (request.config.getoption(f"--bench-{option}") for option in ("overhead", "max-runs"))
    cells, workers = [], scale.EXECUTORS[name].workers or 1
    for seconds, place, runs in CELLS:
        root = f"s3://bench/{name}" if place == "bucket" else str(tmp_path / f"{seconds:g}")
        if whole or not seconds:
            asked = most if most and not seconds else runs * workers
            cells.append((asked if whole else FEW, seconds, root))
    folders = [str(Path(scale.__file__).parent), *filter(None, sys.path)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {**bucket, "PYTHONPATH": os.pathsep.join(folders)}
    command = [sys.executable, scale.__file__, name, json.dumps(cells)]

    def measure() -> None:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment, cwd=tmp_path)
        found = json.loads(done.stdout.splitlines()[-1])
        for (_, seconds, root), figures in zip(cells, found, strict=True):
            place = "bucket" if root.startswith("s3:") else "folder"
            rows.append({"name": name, "seconds": seconds, "place": place, **figures})

    benchmark.pedantic(measure, setup=tuple, rounds=1, iterations=1)
    benchmark.extra_info["sweeps"] = rows[-len(cells) :]


def test_table(benchmark: Benchmark, rows: list[Row], capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.pedantic(lambda: rows, setup=tuple, rounds=1, iterations=1)
    titles = ("", "a run", "into", "runs", "plan s", "start s", "end s", "ms a run")
    with capsys.disabled():
        print("\n" + "".join(f"{title:>9}" for title in titles))
        for row in rows:
            times = "".join(f"{row[name]:>9.1f}" for name in ("plan", "start", "end"))
            what = f"{row['name']:>9}{row['seconds']:>7g} s{row['place']:>9}{row['runs']:>9}"
            print(f"{what}{times}{1000 * float(row['overhead']):>9.1f}")
