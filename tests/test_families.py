"""Model families of many kinds, tiny and random, through the whole of a run: what each can do and what it declines."""

from __future__ import annotations

import copy
import dataclasses
import re
from typing import Any

import pytest
import torch
from torch import Tensor

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import RunSpec
from bench_lib.harness.fitness import model_problems
from bench_lib.models import MODELS
from bench_lib.models.load import load_template
from bench_lib.models.source import resolve
from bench_lib.runner.execute import execute, prepared
from bench_lib.runner.resolved import resolve_run
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import QUESTION_ANSWERING

FAMILIES = ["bert", "roberta", "xlm-r", "distilbert", "electra", "albert", "deberta-v2", "deberta", "mpnet"]
FAMILIES += ["modernbert", "nomic", "convbert", "rembert", "roformer", "xlm-r-xl", "megatron-bert", "xlm", "flaubert"]
SMALL = {"train_examples": 6, "eval_examples": 4, "batch_size": 3, "evaluations": 1, "max_length": 32, "stride": 4}
FUSED = "changes some of queries, keys and values, which are one matrix, "
NOT_AS_BERT = "`dense`, `dropout` and `LayerNorm` follow one another as in BERT"
NO_DROPOUT = "has none in effect; set a rate in the profile"
IGNORES = "takes no keys and values from outside and would ignore it"
NO_WHOLE_BLOCKS = "parts of its blocks in each of transformer.attentions, transformer.layer_norm1, transformer.ffns"
IN_LISTS = dict.fromkeys(("xlm", "flaubert"), NO_WHOLE_BLOCKS)
DECLINED = {
    "lora": {"deberta": f"{FUSED}attention.self.in_proj", "modernbert": f"{FUSED}attn.Wqkv", **IN_LISTS},
    "ia3": {"deberta": f"{FUSED}attention.self.in_proj", "modernbert": f"{FUSED}attn.Wqkv", **IN_LISTS},
    "adalora": {},
    "adapter": {
        **dict.fromkeys(("distilbert", "albert", "mpnet", "modernbert", "nomic"), NOT_AS_BERT),
        **dict.fromkeys(("xlm-r-xl", "megatron-bert"), NOT_AS_BERT),
        **IN_LISTS,
    },
    "prefix": {
        **dict.fromkeys(("distilbert", "albert", "deberta-v2", "deberta", "mpnet", "modernbert", "nomic"), IGNORES),
        **dict.fromkeys(("convbert", "xlm", "flaubert"), IGNORES),
    },
    "bitfit": {"modernbert": "finds no pre-trained bias"},
    "ln_only": {},
    "r_drop": dict.fromkeys(("modernbert", "nomic"), NO_DROPOUT),
    "dropout": {},
}
"""What a technique declines to do with a family, and why; all else it does."""


def spec_of(make_spec: Any, families: Any, name: str, task: str, stack: str = "adamw") -> RunSpec:
    """The spec of a run of a family's tiny model."""
    # A question of words that its vocabulary lacks has many tokens.
    changes = {**SMALL, **({"max_length": 60} if task == "squad" else {})}
    model = resolve(str(families.folder(name)), MODELS)
    found: RunSpec = dataclasses.replace(make_spec(task, stack, **changes), model=model)
    return found


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("task", ["rte", "conll2003", "squad"])
def test_a_family_trains_on_every_kind_of_task_that_it_has_a_head_for(
    make_spec: Any, families: Any, name: str, task: str
) -> None:
    spec, found = spec_of(make_spec, families, name, task), TASKS.get(task)
    (record,) = execute([spec])
    problems = model_problems(spec.model, found.format, len(found.labels), spec.profile)
    if (name, task) == ("nomic", "squad"):
        assert (record.status, record.reason) == ("unsupported", problems[0])
        assert problems[0].endswith("(nomic_bert) has no head for span tasks")
        return
    assert problems == []
    assert record.status in ("converged", "collapsed"), record.reason
    assert record.cost.steps >= 2
    # A step of training moves every block, and the embeddings.
    assert len(record.drift) >= 2
    assert all(moved > 0 for moved in record.drift)
    assert record.provenance["new_parameters"].split(", ")[0] in ("classifier", "qa_outputs", "sequence_summary")


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("technique", DECLINED)
def test_a_technique_takes_a_family_or_says_why_not(make_spec: Any, families: Any, name: str, technique: str) -> None:
    run = resolve_run(spec_of(make_spec, families, name, "sst2", technique))
    reason = DECLINED[technique].get(name)
    if reason is not None:
        with pytest.raises(Unsupported, match=re.escape(reason)) as caught:
            prepared(run, torch.device("cpu"))
        assert "peft does not take" not in str(caught.value)
        return
    training = prepared(run, torch.device("cpu"))
    assert training.trainable()


@pytest.mark.parametrize(
    ("name", "queries", "outer"),
    [
        ("albert", "albert_layers.0.attention.query", "albert_layers.0.ffn_output"),
        ("mpnet", "attention.attn.q", "output.dense"),
        ("nomic", "self_attn.q_proj", "mlp.down_proj"),
        ("distilbert", "attention.q_lin", "ffn.lin2"),
    ],
)
def test_what_is_added_stands_where_the_layout_says(
    make_spec: Any, families: Any, name: str, queries: str, outer: str
) -> None:
    for technique, place, added in (("lora", queries, "lora_A"), ("ia3", outer, "ia3_l")):
        run = resolve_run(spec_of(make_spec, families, name, "sst2", technique))
        training = prepared(run, torch.device("cpu"))
        names = {n for n in training.trainable() if f".{added}" in n and f".{place}." in n}
        assert len(names) == training.architecture.depth


@pytest.mark.parametrize("kind", ["rte", "conll2003", "squad"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_deberta_runs_in_half_precision_and_is_what_it_was_in_fp32(
    families: Any, kind: str, dtype: torch.dtype
) -> None:
    """Its biases are fp32 beside projections in half precision, which transformers' own mask cannot take."""
    task = TASKS.get(kind)
    model = load_template(resolve(str(families.folder("deberta")), MODELS), task.format, len(task.labels)).model
    plain = copy.deepcopy(model)
    mended = [module for module in plain.modules() if vars(module).pop("transpose_for_scores", None)]
    assert len(mended) == 2
    texts = families.tokenizer("deberta")(["the film is good", "a"], ["Ada", "b"], return_tensors="pt", padding=True)

    def logits(model: Any) -> Tensor:
        output = model.eval()(**texts)
        return output.start_logits if task.format is QUESTION_ANSWERING else output.logits

    exact = logits(plain)
    assert torch.equal(logits(model), exact)
    with torch.autocast("cpu", dtype):
        with pytest.raises(RuntimeError, match="without overflow"):
            logits(plain)
        found = logits(model)
    torch.testing.assert_close(found.float(), exact, rtol=0.05, atol=0.02)
    found.float().sum().backward()
    biases = [p.grad for n, p in model.named_parameters() if n.endswith("q_bias")]
    assert all(gradient is not None and gradient.dtype == torch.float32 for gradient in biases)
    model.zero_grad(set_to_none=True)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_deberta_trains_in_half_precision(make_spec: Any, families: Any, precision: str) -> None:
    spec = spec_of(make_spec, families, "deberta", "conll2003")
    (record,) = execute([dataclasses.replace(spec, profile=dataclasses.replace(spec.profile, precision=precision))])
    assert record.status in ("converged", "collapsed"), record.reason
    assert all(moved > 0 for moved in record.drift)
