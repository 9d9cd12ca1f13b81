"""Multi-task learning: further tasks are trained together with the run's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench_lib.core.errors import require
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class MultiTask(
    Technique,
    name="multi_task",
    family="data",
    paper="Liu et al. 2019, arXiv:1901.11504",
    identity={"weight": 0.0},
    space={"weight": (0.1, 0.3, 1.0)},  # our choice
    supersedes={"prefix": "declined: nothing of the body is trained that further tasks share"},
    no_trimming="it trains on the texts of other tasks as well",
):
    """Every batch is joined by one of each further task, whose head stands on the same body.

    L = L_task(body, head) + weight * sum over further tasks t of L_t(body, head_t)

    Liu et al. 2019, "Multi-Task Deep Neural Networks", algorithm 1, updates on a batch of one task at a time, all
    batches of all tasks in one shuffled order. Here they are summed in one update, so that the run takes as many steps
    as without, on its own task as much data, and the `weight` can be 0, at which it equals the baseline; a further
    task's data is read in an order of its own and again where it ends. Everything that the stack does to the loss or
    its gradient it does to theirs. The new heads train beside the run's own and are dropped afterwards. The tasks, with
    spaces between them, come from the run's own data source, with the profile's number of examples, or the run is
    declined, as it is where one is the run's own. Their data are no part of the run's identity. The paper's tasks are
    all of GLUE; mrpc is our choice. Source: namisan/mt-dnn:train.py, mt_dnn/batcher.py.
    """

    tasks: str = "mrpc"
    weight: float = bounded(1.0, "[0, inf)")

    def __post_init__(self) -> None:
        super().__post_init__()
        names = self.tasks.split()
        required = "the names of different tasks, with spaces between"
        require(0 < len({*names}) == len(names), "multi_task:tasks", self.tasks, required)

    def draws(self) -> tuple[str, ...]:
        return ("subset",)

    def passes(self) -> tuple[int, int]:
        each = 1 + len(self.joint_tasks())
        return each, each

    def joint_tasks(self) -> Mapping[str, float]:
        return dict.fromkeys(self.tasks.split() if self.weight else (), self.weight)
