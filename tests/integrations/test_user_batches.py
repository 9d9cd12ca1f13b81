"""What transformers' collators make reads as the harness's own batches do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from torch import nn

from bench_lib.core.errors import BadData, BenchError, Unsupported
from bench_lib.harness.batches import collate
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.multi_label_classification import present
from bench_lib.integrations.user_batches import BatchReader, format_of, pretrained_weights
from bench_lib.models import MODELS
from bench_lib.models.architecture import Architecture, architecture_of
from bench_lib.models.load import load_tokenizer
from bench_lib.models.source import resolve
from bench_lib.tasks.formats import (
    MULTI_LABEL_CLASSIFICATION,
    QUESTION_ANSWERING,
    REGRESSION,
    TEXT_CLASSIFICATION,
    TEXT_GENERATION,
    TOKEN_CLASSIFICATION,
    GenerationExample,
    LabelSetExample,
    NumberExample,
    SpanExample,
    TagExample,
    TextExample,
)

CPU = torch.device("cpu")
TINY = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8, "vocab_size": 50}
EXAMPLES: dict[Any, list[Any]] = {
    TEXT_CLASSIFICATION: [TextExample("a fine film", 1), TextExample("dull", 0)],
    TOKEN_CLASSIFICATION: [TagExample(("EU", "rejects", "it"), (3, 0, 0)), TagExample(("Oslo",), (5,))],
    QUESTION_ANSWERING: [SpanExample("a", "It was built in 1879.", "When?", ("1879",), (16,))],
    MULTI_LABEL_CLASSIFICATION: [LabelSetExample("so it is", (0, 2)), LabelSetExample("no", ())],
    REGRESSION: [NumberExample("A dog runs.", 2.25, "Two dogs run.")],
    TEXT_GENERATION: [GenerationExample("pub", ("A pub.",), after=" Say:")],
}


def labels_of(task_format: Any, targets: torch.Tensor) -> dict[str, torch.Tensor]:
    """The targets as transformers' collators have them."""
    if task_format.points_at_tokens:
        return {"start_positions": targets[:, 0], "end_positions": targets[:, 1]}
    if task_format.labels_sets:
        return {"labels": present(targets, 3).float()}
    if task_format.writes_text:
        return {"labels": nn.functional.pad(targets[:, :-1], (1, 0), value=-100)}
    return {"labels": targets}


@pytest.mark.parametrize("task_format", EXAMPLES, ids=str)
def test_a_batch_reads_as_the_harnesss_own(task_format: Any) -> None:
    tokenizer = load_tokenizer(resolve("tiny-llama" if task_format.writes_text else "tiny", MODELS))
    half = torch_half(task_format)
    features = half.encode(EXAMPLES[task_format], tokenizer, 96, 8)
    own = collate(features, task_format, tokenizer.pad_token_id, CPU)
    architecture = Architecture("model", ("e",), ("l",), 1, None, causal=task_format.writes_text)
    found = BatchReader.of(task_format, architecture, tokenizer)({**own.inputs, **labels_of(task_format, own.targets)})
    assert found.inputs.keys() == own.inputs.keys()
    assert torch.equal(found.real_tokens, own.real_tokens)
    assert torch.equal(found.places, own.places)
    assert found.counted == own.counted
    if task_format.labels_sets:
        assert torch.equal(present(found.targets, 3), present(own.targets, 3))
    else:
        assert torch.equal(found.targets, own.targets)


def test_a_batch_without_labels_says_what_it_has() -> None:
    read = BatchReader.of(TEXT_CLASSIFICATION, Architecture("bert", ("e",), ("l",), 1, None), None)
    with pytest.raises(BadData, match="no 'labels', only input_ids; a sequence batch needs it"):
        read({"input_ids": torch.ones(1, 2, dtype=torch.int64)})


@pytest.mark.parametrize(
    ("head", "settings", "task_format"),
    [
        ("SequenceClassification", {"num_labels": 3}, TEXT_CLASSIFICATION),
        ("SequenceClassification", {"num_labels": 1}, REGRESSION),
        (
            "SequenceClassification",
            {"num_labels": 3, "problem_type": "multi_label_classification"},
            MULTI_LABEL_CLASSIFICATION,
        ),
        ("TokenClassification", {"num_labels": 3}, TOKEN_CLASSIFICATION),
        ("QuestionAnswering", {}, QUESTION_ANSWERING),
    ],
)
def test_the_head_says_the_format(head: str, settings: dict[str, Any], task_format: Any) -> None:
    config = transformers.BertConfig(**TINY, **settings)
    assert format_of(getattr(transformers, f"BertFor{head}")(config)) == task_format


def test_models_that_cannot_be_read_are_refused() -> None:
    with pytest.raises(Unsupported, match="BertModel has no head of a known task"):
        format_of(transformers.BertModel(transformers.BertConfig(**TINY)))
    transposed = transformers.GPT2LMHeadModel(transformers.GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=50))
    with pytest.raises(Unsupported, match="Conv1D"):
        format_of(transposed)
    wrapped = nn.Module()
    wrapped.peft_config = SimpleNamespace()  # type: ignore[assignment]
    with pytest.raises(Unsupported, match="peft adapter already"):
        format_of(wrapped)


def test_new_parts_are_those_that_were_drawn_those_named_or_the_head(tmp_path: Any) -> None:
    config = transformers.BertConfig(**TINY, num_labels=2)
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    made = transformers.BertForSequenceClassification(config)
    named = {name for name, _ in made.named_parameters()}

    def new(model: nn.Module, names: tuple[str, ...] | None = None) -> set[str]:
        return {name.split(".")[-2] for name in named - pretrained_weights(model, TEXT_CLASSIFICATION, names).keys()}

    assert new(made) == {"classifier"}
    loaded = transformers.BertForSequenceClassification.from_pretrained(tmp_path)
    assert new(loaded) == {"classifier", "dense"}, "the pooler that the checkpoint lacks is new too"
    assert new(made, ("bert.pooler",)) == {"dense"}
    with pytest.raises(BenchError, match=r"'head'; allowed: a module of the model \(bert, classifier\)"):
        new(made, ("head",))


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_answer_spans_of_two_stacks_have_a_new_head_and_read_as_the_harnesss_own(families: Any, name: str) -> None:
    """Also where the class is its own body, as T5's, and none of its names begins with that of a body."""
    model = families.model(name, transformers.AutoModelForQuestionAnswering)
    assert format_of(model) == QUESTION_ANSWERING
    known = pretrained_weights(model, QUESTION_ANSWERING, None).keys()
    assert {n for n, _ in model.named_parameters()} - known == {"qa_outputs.weight", "qa_outputs.bias"}
    tokenizer = load_tokenizer(resolve(str(families.folder(name)), MODELS))
    half = torch_half(QUESTION_ANSWERING)
    own = collate(
        half.encode(EXAMPLES[QUESTION_ANSWERING], tokenizer, 60, 8), QUESTION_ANSWERING, tokenizer.pad_token_id, CPU
    )
    read = BatchReader.of(QUESTION_ANSWERING, architecture_of(model), tokenizer)
    found = read({**own.inputs, **labels_of(QUESTION_ANSWERING, own.targets)})
    assert torch.equal(found.places, own.places)
    assert torch.equal(found.real_tokens, own.real_tokens)
    assert torch.equal(found.targets, own.targets)
