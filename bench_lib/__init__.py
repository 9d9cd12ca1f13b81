"""stabbench: how stable is the fine-tuning of a pre-trained language model, and what makes it more so."""

import importlib
import logging
from typing import TYPE_CHECKING

__all__ = [
    "MULTI_LABEL_CLASSIFICATION",
    "QUESTION_ANSWERING",
    "REGRESSION",
    "TEXT_CLASSIFICATION",
    "TEXT_GENERATION",
    "TOKEN_CLASSIFICATION",
    "BadValue",
    "BenchError",
    "Choice",
    "Corpus",
    "Diverged",
    "Example",
    "Format",
    "GenerationExample",
    "Group",
    "History",
    "LabelSetExample",
    "NumberExample",
    "Output",
    "Phase",
    "Predictions",
    "PretrainingStage",
    "Profile",
    "Reading",
    "Scalar",
    "SpanExample",
    "StabilisedLoop",
    "Step",
    "Study",
    "TagExample",
    "Task",
    "Technique",
    "TextExample",
    "Training",
    "Unsupported",
    "Update",
    "Vocabulary",
    "Weights",
    "Writing",
    "bounded",
    "decoupled_adam",
    "parameter_groups",
    "require",
    "stabilise",
    "with_gradients",
]

__version__ = "0.1.0"

# transformers loads torchao wherever it is installed, which then warns of kernels that are for other machines.
for _logger in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_logger).setLevel(logging.ERROR)

PUBLIC = {
    "MULTI_LABEL_CLASSIFICATION": "tasks.formats",
    "QUESTION_ANSWERING": "tasks.formats",
    "REGRESSION": "tasks.formats",
    "TEXT_CLASSIFICATION": "tasks.formats",
    "TEXT_GENERATION": "tasks.formats",
    "TOKEN_CLASSIFICATION": "tasks.formats",
    "BadValue": "core.errors",
    "BenchError": "core.errors",
    "Choice": "techniques.interface.history",
    "Corpus": "techniques.interface.training_set",
    "Diverged": "core.errors",
    "Example": "tasks.formats",
    "Format": "tasks.formats",
    "GenerationExample": "tasks.formats",
    "Group": "techniques.interface.context",
    "History": "techniques.interface.history",
    "LabelSetExample": "tasks.formats",
    "NumberExample": "tasks.formats",
    "Output": "techniques.interface.context",
    "Phase": "techniques.interface.context",
    "Predictions": "core.record",
    "PretrainingStage": "techniques.interface.pretraining",
    "Profile": "core.spec",
    "Reading": "tasks.formats.reading",
    "Scalar": "core.spec",
    "SpanExample": "tasks.formats",
    "StabilisedLoop": "integrations.loop",
    "Step": "techniques.interface.context",
    "Study": "techniques.interface.pretraining",
    "TagExample": "tasks.formats",
    "Task": "tasks.task",
    "Technique": "techniques.interface.technique",
    "TextExample": "tasks.formats",
    "Training": "techniques.interface.context",
    "Unsupported": "core.errors",
    "Update": "techniques.interface.context",
    "Vocabulary": "techniques.interface.training_set",
    "Weights": "techniques.interface.hooks",
    "Writing": "tasks.formats.writing",
    "bounded": "techniques.interface.bounds",
    "decoupled_adam": "techniques.interface.optimizers",
    "parameter_groups": "techniques.interface.optimizers",
    "require": "core.errors",
    "stabilise": "integrations.trainer",
    "with_gradients": "techniques.interface.context",
}
"""The public names, and the module of each."""


if TYPE_CHECKING:
    from bench_lib.core.errors import BadValue, BenchError, Diverged, Unsupported, require
    from bench_lib.core.record import Predictions
    from bench_lib.core.spec import Profile, Scalar
    from bench_lib.integrations.loop import StabilisedLoop
    from bench_lib.integrations.trainer import stabilise
    from bench_lib.tasks.formats import (
        MULTI_LABEL_CLASSIFICATION,
        QUESTION_ANSWERING,
        REGRESSION,
        TEXT_CLASSIFICATION,
        TEXT_GENERATION,
        TOKEN_CLASSIFICATION,
        Example,
        Format,
        GenerationExample,
        LabelSetExample,
        NumberExample,
        SpanExample,
        TagExample,
        TextExample,
    )
    from bench_lib.tasks.formats.reading import Reading
    from bench_lib.tasks.formats.writing import Writing
    from bench_lib.tasks.task import Task
    from bench_lib.techniques.interface.bounds import bounded
    from bench_lib.techniques.interface.context import Group, Output, Phase, Step, Training, Update, with_gradients
    from bench_lib.techniques.interface.history import Choice, History
    from bench_lib.techniques.interface.hooks import Weights
    from bench_lib.techniques.interface.optimizers import decoupled_adam, parameter_groups
    from bench_lib.techniques.interface.pretraining import PretrainingStage, Study
    from bench_lib.techniques.interface.technique import Technique
    from bench_lib.techniques.interface.training_set import Corpus, Vocabulary
else:

    def __getattr__(name: str) -> object:
        """What a technique, a task or a training of one's own needs, imported when asked for: torch takes its time."""
        if name not in PUBLIC:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"bench_lib.{PUBLIC[name]}"), name)
