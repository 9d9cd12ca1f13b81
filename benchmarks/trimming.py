"""One run of minilm on SST-2 for `test_trimming.py`, with a whole or a trimmed vocabulary.

`python benchmarks/trimming.py whole|trimmed PROFILE DATA` does one epoch to warm up and then the run, and prints its
seconds of the processor, its peak memory in bytes and the parameters that it trained as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time

from bench_lib.core.errors import BenchError
from bench_lib.core.spec import RunSpec
from bench_lib.runner.execute import execute
from bench_lib.runner.grid import Grid, plan


def spec_of(kind: str, profile: str, data: str) -> RunSpec:
    """The run."""
    (spec,) = plan(Grid(("sst2",), ("adamw",), (0,), f"{profile}:trim_vocabulary={kind == 'trimmed'}", data=data))
    return spec


def main(kind: str, profile: str, data: str) -> dict[str, float]:
    """Run once, and measure it."""
    spec = spec_of(kind, profile, data)
    execute([dataclasses.replace(spec, profile=dataclasses.replace(spec.profile, epochs=1, evaluations=1))])
    start = time.process_time()
    (record,) = execute([spec])
    seconds = time.process_time() - start
    if record.score is None or record.timing.peak_memory_bytes is None:
        raise BenchError(f"the run ended {record.status}: {record.reason}")
    return {
        "seconds": seconds,
        "peak memory": record.timing.peak_memory_bytes,
        "parameters": record.cost.trainable_parameters,
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
