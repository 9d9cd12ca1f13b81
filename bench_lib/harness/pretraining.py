"""The pre-training stage: further trainings through the same loop, whose cost is the run's."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from bench_lib.core.errors import BadData, Diverged, Unavailable, UnknownName, Unsupported
from bench_lib.core.record import Predictions
from bench_lib.core.spec import Profile
from bench_lib.harness.datasets import (
    DataKey,
    Evaluation,
    Subset,
    data_key,
    train_examples,
    train_features,
    unlabelled_pool,
)
from bench_lib.harness.efficiency import sampled
from bench_lib.harness.evaluate import evaluate
from bench_lib.harness.formats.features import Batch, Feature, asked_for_words
from bench_lib.harness.loop import Loop
from bench_lib.harness.observers import NOTHING, ObserverRun, Progress
from bench_lib.instruments.timing import Stopwatch
from bench_lib.models.architecture import architecture_of, body_prefix, word_embeddings
from bench_lib.models.load import instantiate, load_template
from bench_lib.models.prompted import PromptedModel, mask_id
from bench_lib.models.word_head import word_head
from bench_lib.tasks.formats import Example, Format
from bench_lib.tasks.formats.token_classification import TOKEN_CLASSIFICATION
from bench_lib.tasks.task import Data, Task
from bench_lib.tasks.transforms.sampling import choose
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.hooks import Prepares, Pretrains
from bench_lib.techniques.interface.pretraining import Study
from bench_lib.techniques.interface.stack import Stack
from bench_lib.techniques.toolkit.dropout_rates import set_dropout

ALONE = Stack(())
NOBODY = Evaluation((), (), 0.0)


def prepare(training: Training, stack: Stack) -> None:
    """Let the techniques change the model before the optimiser is built."""
    for technique in stack.having(Prepares):
        technique.prepare(training)
    training.model.to(training.device)


class StudyLoop(Loop):
    """A loop over texts with new targets of language modelling each time they are read."""

    study: Study

    def _collated(self, features: Sequence[Feature]) -> Batch:
        return super()._collated([self._corrupted(feature) for feature in features])

    def _corrupted(self, feature: Feature) -> Feature:
        read, is_target = self.study.corrupt(feature.input_ids, feature.special)
        return asked_for_words(feature, read, is_target, self.study.next_token)


@dataclass(eq=False)
class RunPretraining:
    """The pre-training stage of one run; `owner` is the technique whose turn it is.

    `profile` is the run's before any technique changed it; `other_data` looks up another task in the run's source.
    `features` are those of the run's training, and `cost` the stage's passes, tokens and seconds so far.
    """

    key: DataKey
    subset: Subset
    profile: Profile
    other_data: Callable[[str], Data]
    stack: Stack
    training: Training
    features: Sequence[Feature]
    owner: str = ""
    cost: Progress = field(default=NOTHING)

    def train(self) -> None:
        """Let the techniques with the hook pre-train, if the run trains at all."""
        for technique in self.stack.techniques if self.features else ():
            self.owner = technique.name
            if isinstance(technique, Pretrains):
                technique.pretrain(self)

    @property
    def sequences(self) -> int:
        return len(self.features)

    def pieces(self) -> tuple[int | None, int]:
        tokenizer = self.key.tokenizer()
        return mask_id(tokenizer, self.owner, self.key.model.name), len(tokenizer)

    def word_head(self) -> nn.Module | None:
        if isinstance(self.training.model, PromptedModel):
            return self.training.model.word_head
        head = word_head(self.key.model)
        if head is not None:
            head.tie(word_embeddings(self.training.model).get_parameter("weight"))
        return head

    def unlabelled(self, size: int) -> Sequence[Example]:
        task, left = self.key.task.name, unlabelled_pool(self.key.data, self.subset, self.profile.dev_examples)
        if not left:
            raise Unsupported(f"{self.owner} finds no training example of {task} that the run does not use")
        return [left[i] for i in choose(len(left), size, self.subset.generator(task, "unused"))]

    def add(self, examples: Sequence[Example]) -> None:
        more = self.key.encode(examples)
        self.features = [*self.features, *more]
        if self.training.epoch_size is not None:
            self.training.epoch_size += len(more)

    def study(self, study: Study, profile: Profile) -> None:
        # A sequence of special tokens alone has no targets, nor what begins one whose next tokens are predicted.
        texts = [feature for feature in self.features if not feature.special[int(study.next_token) :].all()]
        if not texts:
            raise Unsupported(f"{self.owner} finds no word in the training texts")
        loop = StudyLoop(self._training(study.model, TOKEN_CLASSIFICATION, profile), ALONE, texts, self.pad_id(), [])
        loop.study, loop.updates.criterion = study, study.loss
        self._run(loop)

    def tune(self, task: str, profile: Profile) -> None:
        chosen, features, prior = self.other_task(task, profile)
        template = load_template(self.key.model, chosen.format, len(chosen.labels), profile.attention)
        generator = torch.Generator().manual_seed(self._seed("init", "head"))
        model: nn.Module = instantiate(template, generator, prior=prior)
        model.to(self.training.device)
        set_dropout(model, profile.dropout)
        self._hand_over(self.training.model, model)
        self._run(Loop(self._training(model, chosen.format, profile), ALONE, features, self.pad_id(), []))
        self._hand_over(model, self.training.model)

    def pseudo_labels(self, examples: Sequence[Example]) -> Predictions:
        profile = dataclasses.replace(self.training.profile, evaluations=1)
        teacher = self._training(copy.deepcopy(self.training.model), self.training.format, profile)
        teacher.epoch_size = self.training.epoch_size
        prepare(teacher, self.stack)
        asked = self.key.evaluation(tuple(examples), 0.0)
        inputs = functools.partial(sampled, teacher, asked.features, self.pad_id())
        run = ObserverRun(ALONE, Stopwatch(teacher.device), Stopwatch(teacher.device), inputs)
        self._run(Loop(teacher, self.stack, self.features, self.pad_id(), [run]), asked)
        assert run.selected is not None, "an observer run without observers keeps its last evaluation"
        return run.selected.predictions

    def progress(self) -> Progress:
        """The cost so far and what was reported: all there is of a run that ends in its pre-training stage."""
        return dataclasses.replace(self.cost, reported=dict(self.training.reported))

    def _run(self, loop: Loop, asked: Evaluation = NOBODY) -> None:
        """Train, then evaluate if there is an observer run for it; the cost is counted also on failure."""
        try:
            loop.run(lambda: evaluate(loop.training, self.key.task, asked, self.pad_id()))
        except Diverged as error:
            raise Diverged(error.step, f"{self.owner}, before the training: {error.what}") from error
        finally:
            self._count(loop)
        self._report(loop)

    def _count(self, loop: Loop) -> None:
        more = loop.progress()
        self.cost = dataclasses.replace(
            self.cost,
            tokens=self.cost.tokens + more.tokens,
            forward_passes=self.cost.forward_passes + more.forward_passes,
            backward_passes=self.cost.backward_passes + more.backward_passes,
            seconds=self.cost.seconds + more.seconds + sum(run.evaluating.seconds for run in loop.observer_runs),
        )

    def _report(self, loop: Loop) -> None:
        """Report the stage's own steps and passes, and the mean loss of its last epoch."""
        done, last = loop.progress(), loop.curve.loss[-loop.training.steps_per_epoch :]
        for quantity, value in (
            ("steps", done.steps),
            ("forward_passes", done.forward_passes),
            ("backward_passes", done.backward_passes),
            ("loss", sum(last) / len(last)),
        ):
            self.training.report(self.owner, quantity, value)

    def _training(self, model: nn.Module, task_format: Format, profile: Profile) -> Training:
        """A training of its own, which draws from streams under the owner's name."""
        run = self.training
        return Training(model, architecture_of(model), task_format, profile, run.pretrained, self._seed, run.device)

    def _seed(self, stream: str, *names: str | int) -> int:
        return self.training.seed(stream, self.owner, *names)

    def pad_id(self) -> int:
        return int(self.key.tokenizer().pad_token_id)

    def other_task(self, task: str, profile: Profile) -> tuple[Task, Sequence[Feature], Sequence[float] | None]:
        """Another task, its training features and what its head starts from, from the run's source."""
        if task == self.key.task.name:
            raise Unsupported(f"{self.owner} is to train on {task}, which is the run's own task; choose another")
        try:
            key = data_key(self.other_data(task), self.key.model, profile)
            subset = Subset.of(profile, self.subset.seed)
            prior = key.format.prior(train_examples(key.data, subset), key.task.labels)
            return key.task, train_features(key, subset), prior
        except (UnknownName, BadData, Unavailable) as error:
            if isinstance(error, Unavailable) and self.key.data.source == "hub":
                raise  # unavailable for now, which says nothing about the combination
            raise Unsupported(f"{self.owner} needs the task {task} from the run's data source: {error}") from error

    @torch.no_grad()
    def _hand_over(self, source: nn.Module, target: nn.Module) -> None:
        """Copy the parameters with a pre-trained value in both models; new heads stay as they are."""
        # By their names within the body, which classes of a family may call differently.
        known = {name.removeprefix(body_prefix(self.training.model)) for name in self.training.pretrained}
        values = {name.removeprefix(body_prefix(source)): p for name, p in source.named_parameters()}
        for name, parameter in target.named_parameters():
            own = name.removeprefix(body_prefix(target))
            if own in known and own in values:
                parameter.copy_(values[own])
