"""The command line; the only place that prints."""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Callable, Sequence

from bench_lib import __version__
from bench_lib.cli import (
    answers,
    audit,
    check,
    compare,
    doctor,
    export,
    export_model,
    imports,
    listing,
    plan,
    recommend,
    report,
    run,
    store,
    submit,
    tune,
)
from bench_lib.cli.console import DONE, INFRASTRUCTURE, USAGE
from bench_lib.core.errors import BadPlan, BenchError, Unwritten, one_line

Command = Callable[[argparse.Namespace], int]

EXHAUSTED = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
"""Errors for which the same command may work later: the machine ran out of something or lost it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 done or holds, 1 a regression, 2 bad usage or input, 3 inconclusive, 4 some runs failed for infrastructure.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names may have letters that the terminal has not
    reader = parser()
    options = reader.parse_args(arguments)
    for name, value in vars(options).items():
        if value == []:  # what argparse makes of `--name=--`
            reader.error(f"argument {name.replace('_', '-')}: expected one value")
    command: Command = options.command
    try:
        return command(options)
    except Unwritten as error:
        return _fail(INFRASTRUCTURE, str(error))
    except BadPlan as error:
        return _fail(USAGE, *error.problems)
    except BenchError as error:
        return _fail(USAGE, str(error))
    except KeyboardInterrupt as interrupt:
        text = str(interrupt) or "stopped; what is stored is kept, the same command goes on"
        print(f"stabbench: {text}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return DONE
    except OSError as error:
        where = "" if error.filename is None else f"{os.fspath(error.filename)!r}: "
        code = INFRASTRUCTURE if error.errno in EXHAUSTED else USAGE
        return _fail(code, f"{where}{error.strerror or error}")


def _fail(code: int, *problems: str) -> int:
    """Print one line per problem, and return the exit code."""
    for problem in problems:
        print(f"stabbench: {one_line(problem)}", file=sys.stderr)
    return code


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(prog="stabbench", description="How stable is fine-tuning, and what makes it more so?")
    top.add_argument("--version", action="version", version=f"stabbench {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    listing.add_to(commands.add_parser("list", help="tasks, techniques, models and profiles"))
    run.add_to(commands.add_parser("run", help="run what a grid or a plan asks for and the store does not hold"))
    plan.add_to(commands.add_parser("status", help="how far a plan is: done, left, failed, the rate, the time left"))
    tune.add_to(commands.add_parser("tune", help="choose settings of techniques, each with the same budget"))
    report.add_to(commands.add_parser("report", help="render the leaderboard from a store"))
    check.add_to(commands.add_parser("check", help="a technique against a baseline: is it more stable?"))
    recommend.add_to(commands.add_parser("recommend", help="the techniques that suit a kind of task and a budget"))
    compare.add_to(commands.add_parser("compare", help="two techniques of a store, two stores, or two files of scores"))
    answers.add_to(commands.add_parser("answers", help="what runs answered, on the items on which they differ most"))
    imports.add_to(commands.add_parser("import", help="runs of another harness, from files, into a store"))
    export.add_to(commands.add_parser("export", help="the runs of a store to trackio, TensorBoard, W&B or MLflow"))
    export_model.add_train(commands.add_parser("train", help="train one run and save its model"))
    export_model.add_export(commands.add_parser("export-model", help="save the model of a stored run, trained again"))
    audit.add_to(commands.add_parser("data", help="audit data sets: duplicates, leaks, labels, lengths, vocabulary"))
    submit.add_to(commands.add_parser("submit", help="pack a technique and its runs for the leaderboard"))
    verification = commands.add_parser("verify-submission", help="check a submission, and train some of its runs again")
    submit.add_verification_to(verification)
    store.add_to(commands.add_parser("store", help="verify, compact or merge stores"))
    doctor.add_to(commands.add_parser("doctor", help="what works on this machine"))
    return top
