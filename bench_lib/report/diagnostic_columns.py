"""Leaderboard columns of what explains a cell: the noise floor, the training, and the models in use."""

from __future__ import annotations

from bench_lib.report import values
from bench_lib.report.column import Column, View, count, efficiency, number, share

NOISE_FLOOR = (
    Column(
        "noise_floor",
        "noise floor",
        "MAD of results of one seed, made again on other kinds of machine or with other kernels, corrected for the few "
        "results of each seed: what rounding alone makes of the spread. 0 where all are equal. Not known without such "
        "repeats (`stabbench doctor --noise`).",
        values.percent("noise_floor"),
        shown_in=frozenset({View.MARKDOWN, View.PAGE, View.TASK}),
        optional=True,
    ),
    share("noise_sd", "Standard deviation of results of one seed, pooled over the seeds that have several."),
    count("noise_seeds", "Seeds that have several results."),
)
TRAINING = (
    share("churn", "Share of the items that two runs predict differently."),
    number("kappa", "Agreement of the runs' predictions beyond chance (Fleiss)."),
    share("fluctuation", "Mean change of the score from one evaluation to the next."),
    number("explosions", "Mean number of jumps of the gradient's norm in a run."),
    share("clipped", "Share of the steps whose gradient was clipped."),
    share("vanishing", "Share of the steps at which the gradient of the first block vanishes beside the last's."),
    number("drift", "Relative distance of the weights from the pre-trained ones, mean over the layers."),
)


USE = (
    efficiency("robust", "with typos", "Mean score on inputs with typos.", values.percent("robust")),
    efficiency(
        "adversarial", "attacked", "Mean score under an attack on the embeddings.", values.percent("adversarial")
    ),
    efficiency("trained_share", "trained (%)", "Share of the parameters trained.", values.percent("trained_share")),
    efficiency(
        "saved_mib", "file (MiB)", "Median size of the file that a run must keep.", values.number("saved_mib", 1)
    ),
    efficiency("size_ratio", "of its size", "That size over the uncompressed model's.", values.number("size_ratio")),
    efficiency("sparsity", "zeros (%)", "Share of the weights that are zero.", values.percent("sparsity", digits=1)),
    *(
        efficiency(f"latency_{n}_ratio", f"latency, {n} input{'s' * (n > 1)}", "Over the uncompressed model's.", shown)
        for n, shown in ((1, values.number("latency_1_ratio")), (32, values.number("latency_32_ratio")))
    ),
)
