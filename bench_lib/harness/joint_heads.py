"""The heads of further tasks that are trained together with the run's own, on the run's body."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from torch import nn

from bench_lib.core.errors import Unsupported
from bench_lib.harness.joint import JointTask
from bench_lib.harness.pretraining import RunPretraining
from bench_lib.models.architecture import architecture_of, body_prefix
from bench_lib.models.load import instantiate, load_template
from bench_lib.tasks.task import Task
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.hooks import TrainsJointly
from bench_lib.techniques.toolkit.dropout_rates import set_dropout

HEADS = "joint_heads"
"""The module of a run's model that holds the heads of its further tasks, which are dropped after the training."""


def is_joint(name: str) -> bool:
    """Whether a parameter belongs to the head of a further task, which is not saved."""
    return f".{HEADS}." in f".{name}"


def join_tasks(stage: RunPretraining, body: nn.Module) -> list[JointTask]:
    """The further tasks of a run that trains, whose heads its model gets; `body` is that of the prepared model."""
    joined, heads = [], nn.ModuleDict()
    for technique in stage.stack.having(TrainsJointly) if stage.features else ():
        stage.owner = technique.name
        for name, weight in technique.joint_tasks().items():
            task, features, prior = stage.other_task(name, stage.training.profile)
            stage.stack.check(task.format)
            if not features:
                raise Unsupported(f"{technique.name} finds no training example of {name}")
            training, heads[str(len(heads))] = _training(stage, task, body, prior)
            joined.append(JointTask(stage.training, training, features, stage.pad_id(), weight))
    if joined and not any(parameter.requires_grad for parameter in body.parameters()):
        raise Unsupported(f"{stage.owner} shares the run's body with further tasks, and nothing of it is trained")
    if joined:
        stage.training.model.add_module(HEADS, heads)
    return joined


def _training(
    stage: RunPretraining, task: Task, body: nn.Module, prior: Sequence[float] | None
) -> tuple[Training, nn.Module]:
    """The training of a further task on the run's own body, not a copy, and its head, with what that body lacks."""
    run = stage.training
    template = load_template(stage.key.model, task.format, len(task.labels), run.profile.attention)
    model: nn.Module = instantiate(template, run.generator("init", stage.owner, task.name), prior=prior)
    set_dropout(model, run.profile.dropout)
    place = body_prefix(model).rstrip(".")
    if not place or not run.architecture.body:
        whole = model if not place else run.model
        raise Unsupported(
            f"{stage.owner} puts several heads on one body, and {type(whole).__name__} is its own body, with its head"
        )
    if architecture_of(model).encoder != run.architecture.encoder:
        raise Unsupported(
            f"{stage.owner} puts several heads on one body, and of this model {task.name} and the run's own task read "
            "different ones: one the encoder alone, the other the encoder and the decoder"
        )
    own = model.get_submodule(place)
    lacking = {name: part for name, part in own.named_children() if getattr(body, name, None) is None}
    head = nn.ModuleDict({**{name: part for name, part in model.named_children() if name != place}, **lacking})
    # Another module with the same parts, so that the run's own body does not get what it lacks, such as a pooler.
    shared = copy.copy(body)
    shared.__dict__.update(_modules={**body._modules})
    for name, part in lacking.items():
        shared.__dict__.pop(name, None)  # None may stand there
        shared.add_module(name, part)
    setattr(model, place, shared)
    model.to(run.device)

    def seed(stream: str, *names: str | int) -> int:
        return run.seed(stream, stage.owner, task.name, *names)

    return Training(model, architecture_of(model), task.format, run.profile, run.pretrained, seed, run.device), head
