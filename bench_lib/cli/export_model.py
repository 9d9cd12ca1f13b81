"""`stabbench train` and `stabbench export-model`: a run's model as a folder that transformers loads."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from bench_lib.cli.arguments import location
from bench_lib.cli.console import DONE, print_damaged_files
from bench_lib.core.errors import BadValue
from bench_lib.core.seeds import parse_seeds

if TYPE_CHECKING:
    from bench_lib.core.record import RunRecord
    from bench_lib.core.spec import RunSpec
    from bench_lib.store import Store

ADAPTERS = ("merged", "apart")


def add_train(command: argparse.ArgumentParser) -> None:
    """The options of `train`."""
    add = command.add_argument
    add("technique", metavar="TECHNIQUE", help="a technique or a stack such as llrd:decay=0.9+mixout")
    add("--task", required=True, metavar="NAME|FILE.toml|DIR", help="a task, or the file or folder of one of your own")
    add("--seed", default="0", metavar="N", help="default: 0")
    add("--profile", default="quick", help="budget of the run, with settings such as desk:per_class=8 (default: quick)")
    add("--model", default="minilm", help="a registered name, a hub id or a folder (default: minilm)")
    add("--data", default="embedded", metavar="hub|embedded|DIR", help="default: embedded")
    add("--store", type=location, metavar="DIR", help="a store with other seeds, whose spread the model card then has")
    _add_folder(command)
    command.set_defaults(command=_train)


def add_export(command: argparse.ArgumentParser) -> None:
    """The options of `export-model`."""
    add = command.add_argument
    add("run_id", metavar="RUN_ID", help="the id of a stored run, or the first six digits or more")
    add("--store", default="bench-results", type=location, metavar="DIR", help="default: bench-results")
    add("--data", metavar="DIR|FILE.toml", help="what the run read, where it was neither hub nor embedded")
    _add_folder(command)
    command.set_defaults(command=_export)


def _add_folder(command: argparse.ArgumentParser) -> None:
    command.add_argument("--save", required=True, type=location, metavar="DIR", help="the model's folder, empty or new")
    command.add_argument(
        "--adapters", default="merged", choices=ADAPTERS, help="of peft: merged into the weights (default), or apart"
    )


def _train(options: argparse.Namespace) -> int:
    from bench_lib.integrations.model_folder import check_folder
    from bench_lib.runner.grid import Grid, plan
    from bench_lib.store import Store
    from bench_lib.tasks.find import absolute, is_path

    check_folder(options.save)
    seeds = parse_seeds(options.seed)
    if len(seeds) != 1:
        raise BadValue("--seed", options.seed, "one seed, since one model is saved")
    task = absolute(options.task) if is_path(options.task) else options.task
    grid = Grid(
        tasks=(task,),
        techniques=(_of_one_run(options.technique),),
        seeds=seeds,
        profile=options.profile,
        model=options.model,
        data=options.data,
    )
    (spec,) = plan(grid)
    return _save(options, spec, Store(options.store) if options.store else None, None)


def _of_one_run(technique: str) -> str:
    """The text of a stack; `Unsupported` for a seed ensemble, of which a grid would ask for more seeds."""
    from bench_lib.core.errors import Unsupported
    from bench_lib.techniques import TECHNIQUES
    from bench_lib.techniques.interface.stack import parse_stack

    for each in parse_stack(technique, TECHNIQUES).techniques:
        if each.pools():
            raise Unsupported(f"{each.name} has no model of its own: it combines several trained seeds; train one")
    return technique


def _export(options: argparse.Namespace) -> int:
    from bench_lib.integrations.model_folder import check_folder
    from bench_lib.integrations.trained_run import stored_run
    from bench_lib.store import Store

    check_folder(options.save)
    if not options.store.is_dir():
        raise BadValue("store", str(options.store), "a folder that exists")
    store = Store(options.store)
    stored, spec = stored_run(store, options.run_id, options.data)
    return _save(options, spec, store, stored)


def _save(options: argparse.Namespace, spec: RunSpec, store: Store | None, stored: RunRecord | None) -> int:
    """Train, save, and say what there is; of a stored run also whether its score is what it was."""
    from bench_lib.integrations.model_card import card_of, cell_of
    from bench_lib.integrations.model_folder import portable, save
    from bench_lib.integrations.trained_run import differs, train

    print(f"training {spec.technique()} on {spec.task}, seed {spec.seed}", flush=True)
    trained = train(spec, lambda model: portable(model, options.adapters))
    note = differs(trained.record, stored) if stored else ""
    cell = cell_of(store, trained.record) if store else []
    card = card_of(trained, options.adapters, cell, note)
    save(trained.model, trained.run.task, trained.run.key.tokenizer(), options.save, options.adapters, card)
    record = trained.record
    print(f"{record.metric} {record.score:.4f} ({record.status}); the model is in {options.save}")
    if note:
        print(f"stabbench: {note}; the kind of machine or of package differs", file=sys.stderr)
    elif stored:
        print("the score is the stored one to the bit")
    if store is not None:
        print_damaged_files(store)
    return DONE
