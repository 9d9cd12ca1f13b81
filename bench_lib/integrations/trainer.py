"""A `transformers.Trainer` that runs the hooks of a stack of techniques."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, Unpack, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase, Trainer, TrainingArguments

from bench_lib.core.errors import BenchError, Unavailable, Unsupported, require
from bench_lib.harness.formats.features import Batch
from bench_lib.harness.gradients import Norms
from bench_lib.harness.updates import Updates
from bench_lib.integrations.arguments import check_arguments, profile_of, warmup_share, with_changes
from bench_lib.integrations.mapped import mapped_stack
from bench_lib.integrations.stabilised import StabilisedTraining, UserModel
from bench_lib.runner.resolved import configured
from bench_lib.techniques.interface.stack import Stack

TAKEN = ("compute_loss", "training_step", "create_optimizer", "create_scheduler", "get_batch_samples")
"""Methods in whose place the stack's hooks act, so that a subclass's own would never be called."""
NEEDED = ("set_initial_training_values", "_clip_grad_norm", "_get_grad_norm", "save_model", "evaluation_loop")
"""Methods that are extended."""
KNOWN = ("transformers.trainer", "trl.trainer.sft_trainer", "trl.trainer.base_trainer")
"""Modules whose versions of these methods compute what the harness computes."""
REFUSED = {
    "model_init": "the model is prepared once; give the model",
    "compute_loss_func": "the loss is the stack's",
    "optimizers": "the optimiser and its schedule are the stack's",
    "optimizer_cls_and_kwargs": "the optimiser is the stack's; choose a technique such as lion",
    "peft_config": "the adapter is the stack's; choose a technique such as lora",
}
"""Parameters of trainers that cannot be given, and why."""


class TrainerParameters(TypedDict, total=False):
    """The parameters of `Trainer` and `SFTTrainer` beside model and arguments."""

    data_collator: Any
    train_dataset: Any
    eval_dataset: Any
    processing_class: Any
    model_init: Any
    compute_loss_func: Any
    compute_metrics: Any
    callbacks: Any
    optimizers: Any
    optimizer_cls_and_kwargs: Any
    preprocess_logits_for_metrics: Any
    peft_config: Any
    formatting_func: Any


def stabilise(trainer: type[Trainer], techniques: str, new: tuple[str, ...] | None = None) -> type[Trainer]:
    """A subclass of a `Trainer` or of TRL's `SFTTrainer` that trains with techniques, such as `llrd+mixout`.

    `new` names the modules without pre-trained weights; by default those that `from_pretrained` had to draw. Raises
    `Unsupported`, by name and reason, for a technique that cannot run in a loop of one's own.
    """
    require(isinstance(trainer, type) and issubclass(trainer, Trainer), "trainer", trainer, "a class of Trainers")
    if missing := [name for name in NEEDED if not hasattr(trainer, name)]:
        raise Unavailable(f"this version of transformers has no Trainer.{missing[0]}; pip install -U transformers")
    for name in TAKEN:
        owner = next(each for each in trainer.__mro__ if name in vars(each))
        if owner.__module__ not in KNOWN:
            raise Unsupported(
                f"{owner.__name__}.{name} would not be called: the stack's hooks take its place; {trainer.__name__} "
                "must leave it as Trainer or SFTTrainer have it"
            )
    members = {"stack": mapped_stack(techniques), "new": new, "__doc__": f"{trainer.__name__} with {techniques}."}
    return type(f"Stabilised{trainer.__name__}", (_Stabilised, trainer), members)


if TYPE_CHECKING:
    Base = Trainer
else:
    Base = object  # the subclass that `stabilise` makes has the Trainer as its next base


class _Stabilised(Base):
    """The hooks of a stack in the methods of a Trainer, whose subclass comes after this class."""

    stack: ClassVar[Stack]
    new: ClassVar[tuple[str, ...] | None]

    def __init__(
        self,
        model: nn.Module | None = None,
        args: TrainingArguments | None = None,
        **given: Unpack[TrainerParameters],
    ) -> None:
        if not isinstance(model, nn.Module) or args is None:
            raise BenchError("a stabilised Trainer needs model=, a loaded model, and args=, its TrainingArguments")
        reasons = [f"{name}: {why}" for name, why in REFUSED.items() if _is_given(given.get(name))]
        if reasons:
            raise Unsupported("; ".join(reasons))
        check_arguments(args)
        self._before = profile_of(args)
        profile = configured(self._before, self.stack)
        tokenizer = _tokenizer_of(given)
        user = UserModel(model, tokenizer, args.device, self.new)
        self.stabilised = StabilisedTraining(user, self.stack, profile, args.seed)
        self._updates: Updates | None = None
        self._norms: Norms | None = None
        self._micro_batches: list[Any] = []
        self._read, self._evaluating, self._selected = 0, 0, False
        given.pop("peft_config", None)  # none is given, and only TRL's trainers know of it
        own = cast(dict[str, Any], given)
        super().__init__(self.stabilised.training.model, with_changes(args, self._before, profile), **own)

    # ---- before the training -----------------------------------------------------------------------------------------

    def train(self, resume_from_checkpoint: Any = None, trial: Any = None, ignore_keys_for_eval: Any = None) -> Any:
        if resume_from_checkpoint:
            raise Unsupported("a stabilised training cannot be resumed: checkpoints lack the state of its techniques")
        if trial is not None or self._updates is not None:
            raise Unsupported("a stabilised Trainer trains once, from the model as it was given; make another one")
        found = super().train(ignore_keys_for_eval=ignore_keys_for_eval)
        self._count()
        return found

    def set_initial_training_values(self, args: TrainingArguments, dataloader: Any) -> Any:
        found = super().set_initial_training_values(args, dataloader)
        self._steps_per_epoch, self._total_steps = found[1], found[-1]
        return found

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        training, total = self.stabilised.training, self._total_steps
        training.profile = warmup_share(self.args, training.profile, self._before, total)
        scaler = self.accelerator.scaler or torch.amp.GradScaler(training.device.type, enabled=False)
        self._updates = self.stabilised.start(self._steps_per_epoch, total, scaler)
        return self._followed()

    def _followed(self) -> torch.optim.Optimizer:
        """The optimiser, whose steps techniques follow at once, while the rate is still that of the update."""
        optimizer = self.updates.optimization.optimizer
        optimizer.register_step_post_hook(self._follow)
        # Wrapped here, since the Trainer would have its groups replaced, which one made of several does not follow.
        self.optimizer = self.accelerator.prepare(optimizer, device_placement=[False])
        return self.optimizer

    def _follow(self, *_: object) -> None:
        assert self._norms is not None, "gradients are settled before the optimiser's step"
        if self._norms.usable:
            self.updates.after_update()

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        # Accelerate has put autocast around the model by now; the stack's passes choose their precision themselves.
        model = self.stabilised.training.model
        if (forward := model.__dict__.pop("_original_forward", None)) is not None:
            model.forward = forward
        self.lr_scheduler = cast(Any, self.updates.optimization.schedule)
        self.stabilised.estimate(self.updates, self._all_batches)
        return self.lr_scheduler

    @property
    def updates(self) -> Updates:
        """The updates of the training, once it has begun."""
        assert self._updates is not None, "the training makes its optimiser before its first step"
        return self._updates

    def _all_batches(self) -> Iterator[Batch]:
        for inputs in self.get_train_dataloader():
            yield self.stabilised.read(self._prepare_inputs(inputs))

    # ---- an update ---------------------------------------------------------------------------------------------------

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> Any:
        found = super().get_batch_samples(epoch_iterator, num_batches, device)
        self._micro_batches, self._read = found[0], 0
        self._count()
        return found

    def training_step(self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """The passes of the whole batch, with its last micro-batch: techniques may need all of it, more than once."""
        self._read += 1
        if self._read < len(self._micro_batches):
            return torch.zeros((), device=self.args.device)
        model.train()
        optimization = self.updates.optimization
        before = optimization.optimizer
        optimization.start_step()
        if optimization.optimizer is not before:  # a phase began with a new one
            self._followed()
            self.lr_scheduler = cast(Any, optimization.schedule)
        batches = [self.stabilised.read(self._prepare_inputs(each)) for each in self._micro_batches]
        with self.stabilised.generators_kept():
            return self.updates.backward(batches).detach()

    def _clip_grad_norm(self, model: nn.Module) -> Tensor:
        return self._settled()

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        # Trainers without clipping come here alone.
        return self._settled() if grad_norm is None else grad_norm

    def _settled(self) -> Tensor:
        self.accelerator.unscale_gradients(self.optimizer)
        self._norms = self.updates.gradients.settle()
        if not self._norms.usable:
            self.stabilised.training.model.zero_grad(set_to_none=True)  # an optimiser skips what has no gradient
        return self._norms.whole

    def _count(self) -> None:
        """Count the updates so far; raises `Diverged` after many whose gradients were not finite."""
        training = self.stabilised.training
        training.step = self.state.global_step
        if self._norms is not None and not self._norms.usable:
            self.updates.gradients.check(training.step)

    # ---- evaluation --------------------------------------------------------------------------------------------------

    @contextmanager
    def _evaluated(self) -> Iterator[None]:
        """The weights that count, once: saving may evaluate, and evaluating may save."""
        self.stabilised.training.step = self.state.global_step
        self._evaluating += 1
        try:
            with self.stabilised.evaluated(self._evaluating == 1 and self._updates is not None and not self._selected):
                yield
        finally:
            self._evaluating -= 1

    def evaluation_loop(
        self,
        dataloader: Any,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> Any:
        # Without the optimiser: some have an `eval` of their own, by which the Trainer would replace weights as well.
        optimizer, self.optimizer = self.optimizer, cast(Any, None)
        try:
            with self._evaluated():
                return super().evaluation_loop(
                    dataloader, description, prediction_loss_only, ignore_keys, metric_key_prefix
                )
        finally:
            self.optimizer = optimizer

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        with self._evaluated():
            super().save_model(output_dir, _internal_call)

    def _load_best_model(self) -> None:
        super()._load_best_model()
        self._selected = True  # these are the weights that were evaluated


def _is_given(value: object) -> bool:
    return value is not None and value != (None, None)


def _tokenizer_of(given: Mapping[str, Any]) -> PreTrainedTokenizerBase | None:
    found = [given.get("processing_class"), getattr(given.get("data_collator"), "tokenizer", None)]
    return next((each for each in found if isinstance(each, PreTrainedTokenizerBase)), None)
