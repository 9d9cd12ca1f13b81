"""The arguments of a Trainer as a profile, and changes that techniques make to the profile as arguments."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from transformers import TrainingArguments
from transformers.trainer_utils import SchedulerType
from transformers.training_args import OptimizerNames

from bench_lib.core.errors import BadValue, Unsupported, require
from bench_lib.core.spec import SCHEDULES, Profile

SAME = {
    "learning_rate": "learning_rate",
    "weight_decay": "weight_decay",
    "beta1": "adam_beta1",
    "beta2": "adam_beta2",
    "eps": "adam_epsilon",
}
"""Fields of a profile that are an argument each."""
CHANGED = {*SAME, "epochs", "batch_size", "accumulate", "schedule", "warmup", "clip_norm", "dropout", "precision"}
"""Fields of a profile that a technique may change in a Trainer."""
OPTIMIZERS = ("adamw_torch", "adamw_torch_fused")

REFUSED: Mapping[str, tuple[Any, str]] = {
    "label_smoothing_factor": (0.0, "the loss is the stack's; add the technique label_smoothing"),
    "lr_scheduler_kwargs": (None, f"schedules are {', '.join(SCHEDULES)}"),
    "optim_args": (None, "the optimiser is the stack's"),
    "torch_compile": (False, "techniques change the model between forward passes"),
    "use_liger_kernel": (False, "techniques need the model's logits"),
    "auto_find_batch_size": (False, "the number of steps has to be known"),
    "deepspeed": (None, "hooks act on whole tensors in one process"),
    "fsdp": (None, "hooks act on whole tensors in one process"),
    "full_determinism": (False, "call transformers.enable_full_determinism before the model is made"),
    # of TRL
    "activation_offloading": (False, "the forward passes are the stack's"),
}
"""Arguments that only have their default, and why."""


def check_arguments(args: TrainingArguments) -> None:
    """Raise `Unsupported`, with all reasons, for arguments under which the hooks would not run as they should."""
    if reasons := list(_reasons(args)):
        raise Unsupported("; ".join(reasons))


def _reasons(args: TrainingArguments) -> Iterator[str]:
    for name, (default, why) in REFUSED.items():
        value = getattr(args, name, default)
        if value and value != default:
            yield f"{name}={value!r}: {why}"
    if args.optim not in OPTIMIZERS:
        asked = OptimizerNames(args.optim).value
        yield f"optim={asked!r}: the optimiser is AdamW, or that of a technique such as adafactor or lion"
    if args.world_size > 1 or args.n_gpu > 1:
        yield f"{max(args.world_size, args.n_gpu)} devices: hooks act on one; set CUDA_VISIBLE_DEVICES to one"
    if getattr(args, "loss_type", "nll") != "nll":
        yield f"loss_type={getattr(args, 'loss_type', '')!r}: the loss is the stack's; add a technique such as dft"


def profile_of(args: TrainingArguments) -> Profile:
    """The profile of a Trainer's arguments; a warm-up in steps is a share once the number of steps is known."""
    schedule = SchedulerType(args.lr_scheduler_type).value
    if schedule == "constant":
        schedule = "constant_with_warmup"
    require(schedule in SCHEDULES, "lr_scheduler_type", schedule, ", ".join((*SCHEDULES, "constant")))
    warms = args.lr_scheduler_type != SchedulerType.CONSTANT and args.warmup_steps < 1
    precision = "bf16" if args.bf16 else "fp16" if args.fp16 else "fp32"
    return Profile(
        epochs=max(1, math.ceil(args.num_train_epochs)),
        batch_size=args.per_device_train_batch_size * args.gradient_accumulation_steps,
        accumulate=args.gradient_accumulation_steps,
        schedule=schedule,
        warmup=float(args.warmup_steps) if warms else 0.0,
        clip_norm=args.max_grad_norm if args.max_grad_norm > 0 else math.inf,
        precision=precision,
        **{field: getattr(args, argument) for field, argument in SAME.items()},
    )


def with_changes(args: TrainingArguments, before: Profile, after: Profile) -> TrainingArguments:
    """A copy of the arguments with what the techniques changed; `Unsupported` for what a Trainer has no setting for."""
    changed = {f.name for f in dataclasses.fields(Profile) if getattr(before, f.name) != getattr(after, f.name)}
    if strange := sorted(changed - CHANGED):
        raise Unsupported(f"a technique of the stack changes {', '.join(strange)}, for which a Trainer has no argument")
    if "epochs" in changed and args.max_steps > 0:
        raise BadValue("max_steps", args.max_steps, "-1, since a technique of the stack changes the number of epochs")
    values: dict[str, Any] = {SAME[field]: getattr(after, field) for field in changed & SAME.keys()}
    if "epochs" in changed:
        values["num_train_epochs"] = float(after.epochs)
    if changed & {"batch_size", "accumulate"}:
        values["per_device_train_batch_size"] = after.batch_size // after.accumulate
        values["gradient_accumulation_steps"] = after.accumulate
    if "precision" in changed:
        half = after.precision if after.precision != "fp32" else "no"
        values |= {"bf16": half == "bf16", "fp16": half == "fp16", "mixed_precision": half}
    if "clip_norm" in changed:
        values["max_grad_norm"] = after.clip_norm if math.isfinite(after.clip_norm) else 0.0
    if "schedule" in changed:
        values["lr_scheduler_type"] = SchedulerType(after.schedule)
    if "warmup" in changed:
        values["warmup_steps"] = after.warmup
    # A NaN that is replaced by the mean of earlier losses would hide what this is about.
    values["logging_nan_inf_filter"] = False
    return _copied(args, values)


def _copied(args: TrainingArguments, values: Mapping[str, Any]) -> TrainingArguments:
    # Not by `dataclasses.replace`, which would initialise devices and precision again from fields changed since.
    found = copy.copy(args)
    for name, value in values.items():
        setattr(found, name, value)
    return found


def warmup_share(args: TrainingArguments, profile: Profile, before: Profile, total_steps: int) -> Profile:
    """The profile with the warm-up that the Trainer would do, unless a technique chose another one."""
    constant = args.lr_scheduler_type == SchedulerType.CONSTANT
    if profile.warmup != before.warmup or constant:
        return profile
    return dataclasses.replace(profile, warmup=min(1.0, args.get_warmup_steps(total_steps) / total_steps))
