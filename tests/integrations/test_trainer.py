"""What a stabilised Trainer refuses, evaluates and saves, and that it is one."""

from __future__ import annotations

import copy
import math
from typing import Any

import datasets
import pytest
import torch
import transformers
import trl

from bench_lib import StabilisedLoop, stabilise
from bench_lib.core.errors import BadValue, BenchError, Diverged, UnknownName, Unsupported
from bench_lib.core.spec import Profile
from bench_lib.models import MODELS
from bench_lib.models.load import load_template, load_tokenizer
from bench_lib.models.source import resolve
from bench_lib.tasks.formats import TEXT_GENERATION

EXPECTED = {
    "eda": "eda cannot run in a training loop of your own: it makes new examples from raw ones",
    "lm_bff": "lm_bff cannot .*: it replaces the head and writes prompts",
    "tapt": "tapt cannot .*: it trains on raw texts or other tasks before the training",
    "multi_task": "multi_task cannot .*: it needs the data of further tasks",
    "quantize_dynamic_int8": "quantize_dynamic_int8 cannot .*: it changes a trained model",
    "llrd+early_stopping": "early_stopping cannot .*EarlyStoppingCallback",
    "uniform_soup": "uniform_soup cannot .*: it combines several trained seeds",
    "ensemble": "ensemble cannot .*: it combines several trained seeds",
    "deni": "deni cannot .*: it predicts by several states",
}


@pytest.mark.parametrize(("techniques", "reason"), EXPECTED.items())
def test_what_cannot_run_says_so_when_asked_for(world: Any, techniques: str, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        stabilise(transformers.Trainer, techniques)
    with pytest.raises(Unsupported, match=reason):
        StabilisedLoop(world.model(), techniques, Profile())


def test_names_and_clashes_are_those_of_stacks() -> None:
    with pytest.raises(UnknownName, match="did you mean 'mixout'"):
        stabilise(transformers.Trainer, "mixuot")
    with pytest.raises(BenchError, match="fgm and pgd cannot be stacked"):
        stabilise(transformers.Trainer, "fgm+pgd")
    with pytest.raises(BadValue, match="a class of Trainers"):
        stabilise(dict, "llrd")  # type: ignore[arg-type]


def test_a_trainer_with_a_loss_of_its_own_is_refused() -> None:
    class Weighted(transformers.Trainer):
        """Weighs the classes."""

        def compute_loss(self, *arguments: Any, **options: Any) -> Any:
            raise AssertionError

    with pytest.raises(Unsupported, match=r"Weighted\.compute_loss would not be called"):
        stabilise(Weighted, "llrd")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"label_smoothing_factor": 0.1}, "label_smoothing_factor=0.1: .*add the technique label_smoothing"),
        ({"optim": "adafactor"}, "optim='adafactor': "),
        ({"lr_scheduler_type": "polynomial"}, "lr_scheduler_type is 'polynomial'; allowed: linear, cosine"),
        ({"torch_compile": True}, "torch_compile=True"),
    ],
)
def test_arguments_that_would_be_lost_are_refused(world: Any, arguments: dict[str, Any], reason: str) -> None:
    args = world.arguments(**arguments)
    with pytest.raises(BenchError, match=reason):
        stabilise(transformers.Trainer, "llrd")(model=world.model(), args=args)


def test_parameters_that_would_be_lost_are_refused(world: Any) -> None:
    stable, args = stabilise(transformers.Trainer, "fgm"), world.arguments()
    with pytest.raises(Unsupported, match="compute_loss_func: the loss is the stack's"):
        stable(model=world.model(), args=args, compute_loss_func=print)
    with pytest.raises(Unsupported, match="give the tokenizer, as processing_class"):
        stable(model=world.model(), args=args)
    with pytest.raises(BenchError, match="needs model="):
        stable(args=args)


def test_a_number_of_epochs_and_a_number_of_steps_clash(world: Any) -> None:
    args = world.arguments(max_steps=3)
    with pytest.raises(BadValue, match="max_steps is 3; allowed: -1"):
        stabilise(transformers.Trainer, "longer")(model=world.model(), args=args)


def rows(world: Any) -> list[dict[str, Any]]:
    return [{"input_ids": f.input_ids, "labels": int(f.targets[0])} for f in world.features]


def trainer_of(world: Any, techniques: str, **arguments: Any) -> Any:
    return stabilise(transformers.Trainer, techniques)(
        model=world.model(),
        args=world.arguments(**arguments),
        train_dataset=rows(world),
        eval_dataset=rows(world),
        processing_class=world.tokenizer,
    )


@pytest.mark.parametrize("techniques", ["ema", "schedule_free"])
def test_evaluation_and_what_is_saved_have_the_weights_that_count(world: Any, techniques: str) -> None:
    trainer = trainer_of(world, techniques, max_steps=6)
    trainer.train()
    last = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    trainer.save_model(str(world.folder / "saved"))
    saved = transformers.BertForSequenceClassification.from_pretrained(world.folder / "saved")
    assert any(not torch.equal(p, last[name]) for name, p in saved.named_parameters())
    predictions = trainer.predict(rows(world)).predictions
    inputs = world.tokenizer.pad([{"input_ids": row["input_ids"]} for row in rows(world)], return_tensors="pt")
    with torch.inference_mode():
        expected = saved.eval()(**inputs).logits.numpy()
    assert predictions == pytest.approx(expected, abs=1e-5)
    assert all(torch.equal(p, last[name]) for name, p in trainer.model.named_parameters()), "restored to the bit"


def test_the_best_checkpoint_has_the_weights_that_were_evaluated(world: Any) -> None:
    trainer = trainer_of(
        world,
        "ema",
        max_steps=6,
        eval_strategy="steps",
        save_strategy="steps",
        eval_steps=2,
        save_steps=2,
        load_best_model_at_end=True,
    )
    trainer.add_callback(transformers.EarlyStoppingCallback(early_stopping_patience=5))
    trainer.train()
    evaluated = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
    assert len(evaluated) == 3
    assert trainer.evaluate()["eval_loss"] == pytest.approx(min(evaluated), abs=1e-6)


def test_a_mixed_model_is_saved_as_a_plain_one(world: Any) -> None:
    trainer = trainer_of(world, "mixout", max_steps=1)
    trainer.train()
    trainer.save_model(str(world.folder / "saved"))
    saved = transformers.BertForSequenceClassification.from_pretrained(world.folder / "saved")
    trained = dict(trainer.model.named_parameters())
    assert all(torch.equal(p, trained[name]) for name, p in saved.named_parameters())


@pytest.mark.parametrize(("techniques", "told"), [("adapter", True), ("llrd+mixout", False), ("lora", False)])
def test_a_model_that_would_not_load_whole_is_told_of_when_it_is_made(
    world: Any, caplog: pytest.LogCaptureFixture, techniques: str, told: bool
) -> None:
    trainer_of(world, techniques)
    found = [each.getMessage() for each in caplog.records if each.name.startswith("bench_lib")]
    assert bool(found) == told
    if told:
        assert "parts that BertForSequenceClassification does not know, such as bert.encoder.layer.0" in found[0]


def test_order_does_not_depend_on_the_techniques(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[torch.Tensor]] = {}
    for techniques in ("adamw", "r_drop"):
        trainer, found = trainer_of(world, techniques, num_train_epochs=2), seen.setdefault(techniques, [])
        prepared = trainer._prepare_inputs

        def noted(inputs: Any, found: list[Any] = found, prepared: Any = prepared) -> Any:
            found.append(inputs["input_ids"])
            return prepared(inputs)

        monkeypatch.setattr(trainer, "_prepare_inputs", noted)
        trainer.train()
    assert len(seen["adamw"]) == 10
    assert all(torch.equal(*pair) for pair in zip(*seen.values(), strict=True))


def test_a_training_is_not_done_twice_nor_resumed(world: Any) -> None:
    trainer = trainer_of(world, "llrd", max_steps=1)
    with pytest.raises(Unsupported, match="cannot be resumed"):
        trainer.train(resume_from_checkpoint=True)
    trainer.train()
    with pytest.raises(Unsupported, match="trains once"):
        trainer.train()


def test_gradients_that_are_not_finite_end_the_training_and_are_not_applied(world: Any) -> None:
    trainer = trainer_of(world, "adamw", max_steps=2)
    with torch.no_grad():
        trainer.model.classifier.bias.fill_(math.inf)
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    with pytest.raises(Diverged, match="the gradient, after 2 such steps in a row"):
        trainer.train()
    assert all(torch.equal(p, before[name]) for name, p in trainer.model.named_parameters())


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.* is deprecated:FutureWarning")
def test_trls_trainer_fine_tunes_a_decoder(world: Any) -> None:
    ref = resolve("tiny-llama", MODELS)
    args = trl.SFTConfig(
        output_dir=str(world.folder),
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        max_steps=3,
        logging_steps=1,
        bf16=False,
        learning_rate=1e-3,
        save_strategy="no",
    )
    texts = [{"prompt": f"name {i} Say:", "completion": f" the name is {i}."} for i in range(8)]
    losses = []
    for make in (trl.SFTTrainer, *(stabilise(trl.SFTTrainer, each) for each in ("adamw", "lora+fgm:scope=example"))):
        model = copy.deepcopy(load_template(ref, TEXT_GENERATION, 0).model)
        data = datasets.Dataset.from_list(texts)
        trainer = make(model=model, args=args, train_dataset=data, processing_class=load_tokenizer(ref))
        trainer.train()
        losses.append([entry["loss"] for entry in trainer.state.log_history if "loss" in entry])
    plain, same, other = losses
    assert same[0] == pytest.approx(plain[0], abs=1e-4), "the loss of the first update is TRL's own"
    assert len(other) == 3
    assert all(map(math.isfinite, other))
