from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from transformers import AutoModelForMaskedLM, AutoTokenizer

from bench_lib.api import run
from bench_lib.core.errors import BadValue, BenchError, Unsupported
from bench_lib.executors.inline import InlineExecutor
from bench_lib.harness.datasets import Subset, data_key, evaluation_set, train_features
from bench_lib.harness.robustness import perturbed_set
from bench_lib.models import MODELS
from bench_lib.models.load import load_tokenizer
from bench_lib.models.source import resolve
from bench_lib.runner.execute import execute
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.resolved import spec_data
from bench_lib.runner.sweep import run_suite
from bench_lib.store import Store
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import QUESTION_ANSWERING, TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION, TextExample
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.data.lm_bff import LMBFF, PROMPTS
from bench_lib.techniques.interface.stack import parse_stack

FEW = {"train_examples": 8, "eval_examples": 8, "batch_size": 4}
WRITTEN = {
    "sst2": lambda text, _: f"{text} It was {{}}.",
    "mrpc": lambda text, pair: f"{text} {{}}, {pair[0].lower()}{pair[1:]}",
    "rte": lambda text, pair: f"{text[:-1]}? {{}}, {pair[0].lower()}{pair[1:]}",
}
"""The templates of the paper's table 1, written out."""


def on(spec, folder):
    return dataclasses.replace(spec, model=resolve(folder, MODELS))


def key_of(spec):
    return data_key(spec_data(spec), spec.model, spec.profile, parse_stack("lm_bff", TECHNIQUES))


def told(folder, texts, words):
    """The logits of the words at the mask of each text, by the checkpoint's whole model and no code of ours."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForMaskedLM.from_pretrained(folder, attn_implementation="eager").eval()
    ids = [tokenizer.encode(f" {word}", add_special_tokens=False)[0] for word in words]
    rows = []
    for text in texts:
        # The tokenizer of the published RoBERTa takes the space before a mask away, the one made here does not.
        inputs = tokenizer(text.replace(" {}", "{}").format(tokenizer.mask_token), return_tensors="pt")
        at = inputs["input_ids"][0].tolist().index(tokenizer.mask_token_id)
        with torch.no_grad():
            rows.append(model(**inputs).logits[0, at, ids])
    return torch.stack(rows).numpy()


@pytest.mark.parametrize("task", WRITTEN)
@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_before_training_it_tells_what_the_checkpoint_tells(make_spec, with_words, family, task):
    spec = on(make_spec(task, "lm_bff", train_examples=0, eval_examples=12), with_words(family))
    (record,) = execute([spec])
    assert (record.status, record.cost.forward_passes) == ("converged", 0), record.reason
    examples = evaluation_set(key_of(spec), 12).examples
    texts = [WRITTEN[task](example.text.strip(), example.pair) for example in examples]
    expected = told(spec.model.name, texts, PROMPTS[task][1].split())
    np.testing.assert_allclose(record.predictions.values, expected, rtol=1e-4, atol=1e-5)
    new, layers = (record.provenance[fact] for fact in ("new_parameters", "head_layers"))
    assert (new, layers) == ("none (head for words)", "2")


def test_the_templates_and_words_are_the_authors():
    """In the order of the labels: the negative class of a sentiment first, and RTE's entailment is a yes."""
    for task in PROMPTS:
        assert len(LMBFF().label_words(task)) == len(TASKS.get(task).labels), task
    words = {task: dict(zip(TASKS.get(task).labels, LMBFF().label_words(task), strict=True)) for task in PROMPTS}
    assert words["sst2"] == {"negative": "terrible", "positive": "great"}
    assert words["imdb"] == {"neg": "terrible", "pos": "great"}
    assert words["cola"] == {"unacceptable": "incorrect", "acceptable": "correct"}
    assert words["mrpc"] == {"not_equivalent": "No", "equivalent": "Yes"}
    assert words["rte"] == {"entailment": "Yes", "not_entailment": "No"}
    assert PROMPTS["cola"][0] == "{text} This is {mask}."
    assert PROMPTS["imdb"][0] == PROMPTS["sst2"][0]


def test_the_loss_is_over_the_label_words_alone(make_spec, with_words):
    spec = make_spec("sst2", "lm_bff", train_examples=4, batch_size=4, eval_examples=4, dropout=0.0)
    (record,) = execute([spec])
    features = train_features(key_of(spec), Subset(4, 0))
    tokenizer = load_tokenizer(spec.model)
    texts = [tokenizer.decode(f.input_ids[1:-1]).replace("[MASK]", "{}") for f in features]
    if any(len(f) == spec.profile.max_length for f in features):
        texts = [text.replace(" .", ".") for text in texts]
    logits = torch.tensor(told(spec.model.name, texts, ("terrible", "great")))
    targets = torch.tensor([int(f.targets[0]) for f in features])
    assert record.curve.loss[0] == pytest.approx(F.cross_entropy(logits, targets).item(), rel=1e-4)


def test_all_of_it_trains_and_the_decoder_is_the_word_embeddings(train):
    found = train("sst2", "lm_bff", **FEW, learning_rate=0.01)
    model, pretrained = found.training.model, found.training.pretrained
    assert found.parameters.keys() == pretrained.keys(), "nothing is new, and nothing has lost its start"
    assert found.training.trainable().keys() == found.parameters.keys()
    still = {name for name, p in found.parameters.items() if torch.equal(p, pretrained[name])}
    assert not still
    decoder = model.word_head.masked_lm.get_submodule(model.word_head.decoder)
    assert decoder.weight is model.get_input_embeddings().weight
    assert found.record.cost.parameters == found.record.cost.trainable_parameters


def test_a_text_is_cut_and_the_template_never(make_spec):
    spec = make_spec("rte", "lm_bff", max_length=24)
    tokenizer = load_tokenizer(spec.model)
    mask, question, comma = tokenizer.convert_tokens_to_ids(["[MASK]", "?", ","])
    features = train_features(key_of(spec), Subset(None, 0))
    longest = max(features, key=len)
    assert len(longest) == 24
    for feature in features:
        ids = feature.input_ids.tolist()
        at = ids.index(mask)
        assert ids.count(mask) == 1
        assert feature.spots.tolist() == [at]
        assert ids[at - 1 : at + 2] == [question, mask, comma]
        assert not feature.token_types.any()
        assert feature.special.nonzero()[0].tolist() == [0, at, len(ids) - 1]


def test_the_longer_text_is_cut_first(make_spec):
    key = dataclasses.replace(key_of(make_spec("mrpc", "lm_bff")), max_length=16)
    words = [" ".join(["great"] * number) for number in (9, 3, 30)]  # which is one token
    for text, pair, found in ((0, 1, (9, 3)), (2, 1, (9, 3)), (0, 2, (6, 6)), (2, 0, (6, 6))):
        (feature,) = key.encode([TextExample(words[text], 0, words[pair])])
        # Two special tokens, the mask and a comma.
        assert (feature.spots[0] - 1, len(feature) - feature.spots[0] - 3) == found


def test_a_template_that_leaves_no_room_is_a_reason(make_spec):
    text = "lm_bff:template={text} " + "It was " * 8 + "{mask}.:words=terrible great"
    (record,) = execute([make_spec("sst2", text, max_length=16)])
    assert record.status == "unsupported"
    assert "leaves no room for the text in 14 tokens" in record.reason


def test_a_mask_in_a_text_is_left_out(make_spec):
    key = key_of(make_spec("sst2", "lm_bff"))
    plain, masked = key.encode([TextExample(text, 1) for text in ("the film was good", "the film [MASK] was good")])
    assert plain.input_ids.tolist() == masked.input_ids.tolist()


def test_noise_is_in_the_text_and_not_in_the_template(make_spec):
    key = key_of(make_spec("sst2", "lm_bff"))
    tokenizer, end = key.tokenizer(), "it was [MASK]. [SEP]"
    clean = evaluation_set(key, 12)
    noisy = perturbed_set(key, clean, 1.0)
    texts = [[tokenizer.decode(f.input_ids) for f in each.features] for each in (clean, noisy)]
    assert all(one != other for one, other in zip(*texts, strict=True))
    assert all(text.replace(" .", ".").endswith(end) for each in texts for text in each)
    (record,) = execute([make_spec("sst2", "lm_bff", **FEW, perturb=0.5, attack=1.0)])
    assert None not in (record.robustness.perturbed, record.robustness.adversarial)


@pytest.mark.parametrize("name", ["minilm", "tiny"])
def test_a_checkpoint_without_the_head_is_declined(make_spec, name):
    (record,) = execute([on(make_spec("sst2", "lm_bff", **FEW), name)])
    assert record.status == "unsupported"
    assert record.reason == (
        "lm_bff needs the head for words that a model was pre-trained with, and the checkpoint holds none"
    )


def test_other_tasks_are_declined():
    assert LMBFF().declines(TEXT_CLASSIFICATION) is None
    assert "one masked word" in LMBFF().declines(TOKEN_CLASSIFICATION)
    assert "one masked word" in LMBFF().declines(QUESTION_ANSWERING)
    for made in (LMBFF(), LMBFF(words="bad good"), LMBFF(template="{text} {mask}")):
        with pytest.raises(Unsupported, match="templates for sst2, imdb, cola, mrpc, rte; for trec give both"):
            _ = made.prompt("trec", TextExample("A house.", 0)), made.label_words("trec")
    own = LMBFF(template="{mask}: {text}", words="bad good")
    assert own.label_words("trec") == ["bad", "good"]
    assert len(own.prompt("trec", TextExample("A house.", 0))) == 3


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("great", r"has the 1 words great for the 2 labels negative, positive of sst2"),
        ("terrible greatest", r"the label word 'greatest' is \d+ tokens of this model \(great .*\), and must be one"),
        ("terrible Ω", r"the label word 'Ω' is no token of this model, which reads it as an unknown one"),
        ("Great great", r"some of the label words Great, great are the same token"),
        ("terrible [MASK]", r"the label word '\[MASK\]' is no token"),
    ],
)
def test_words_that_cannot_answer_are_a_reason(make_spec, words, reason):
    (record,) = execute([make_spec("sst2", f"lm_bff:words={words}", **FEW)])
    assert record.status == "unsupported"
    assert re.search(reason, record.reason), record.reason


def test_own_templates_and_words_are_settings(train):
    own = "lm_bff:template={mask}. {text}:words=incorrect correct"
    one, other = (train("sst2", text, **FEW).record for text in (own, "lm_bff"))
    assert one.status in ("converged", "collapsed")
    assert one.curve.loss != other.curve.loss
    assert one.technique.startswith(own)
    for field, value in (("template", "{text} It was."), ("words", "great great")):
        with pytest.raises(BadValue, match=f"lm_bff:{field}"):
            LMBFF(**{field: value})


def test_a_head_of_the_task_that_is_to_be_kept_is_another(make_spec, with_words, tmp_path):
    from transformers import AutoModelForSequenceClassification

    folder = with_words("bert")
    AutoModelForSequenceClassification.from_pretrained(folder).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    (record,) = execute([on(make_spec("sst2", "lm_bff", **FEW, keep_head=True), str(tmp_path))])
    assert record.status == "unsupported"
    assert "keep_head asks for another" in record.reason


@pytest.mark.exhaustive
@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_the_whole_suite_runs_on_it_and_goes_on_where_it_stopped(with_words, tmp_path, family):
    """Over embedded data from a folder: what is stored is not run again, and a new run of a spec has the same bits."""
    grid = Grid(("sst2",), ("lm_bff", "lm_bff+ema", "lm_bff+ensemble:members=2"), (0, 1), "smoke", with_words(family))
    store = Store(tmp_path / "one")
    run_suite(dataclasses.replace(grid, seeds=(0,), techniques=("lm_bff",)), store, InlineExecutor())
    went_on, had_all = (run_suite(grid, store, InlineExecutor()) for _ in range(2))
    assert (went_on.stored, went_on.finished) == (1, went_on.total - 1)
    assert (had_all.stored, had_all.finished) == (went_on.total, 0)
    frame = run(grid, tmp_path / "two")
    assert {*frame.status} <= {"converged", "collapsed"}
    again = {record.run_id: record for record in Store(tmp_path / "two").records()}
    first = {record.run_id: record for record in store.records()}
    assert first.keys() == again.keys()
    assert all(first[name].result() == again[name].result() for name in first)
    losses = {record.curve.loss for record in first.values() if record.technique == "lm_bff"}
    assert len(losses) == 2, "order and dropout differ"


def test_seeds_of_the_head_change_nothing_and_are_refused(make_spec, with_words):
    spec = make_spec("sst2", "lm_bff", **FEW)
    one, other = (execute([dataclasses.replace(spec, frozen=(("init", seed), ("subset", 0)))])[0] for seed in (0, 1))
    assert one.curve.loss == other.curve.loss
    held = (("augment", 0), ("dropout", 0), ("order", 0), ("subset", 0))
    grid = Grid(("sst2",), ("lm_bff",), (0, 1), "smoke", with_words("bert"), frozen=(held,))
    with pytest.raises(BenchError, match="would be equal, since no part of the model is drawn"):
        plan(grid)
    assert plan(dataclasses.replace(grid, techniques=("lm_bff+reinit",)))
    assert plan(dataclasses.replace(grid, frozen=((*held[:1], *held[2:]),)))


# What other techniques make of a head that is not new.


def test_the_head_is_pulled_to_where_it_was_pretrained(train):
    strong = train("sst2", "lm_bff+l2_sp:alpha=1e4:beta=0.0", **FEW, learning_rate=0.01, clip_norm=1.0)
    plain = train("sst2", "lm_bff", **FEW, learning_rate=0.01)
    name = next(n for n in plain.parameters if n.endswith("transform.dense.weight"))
    start = plain.training.pretrained[name]
    near, far = ((found.parameters[name] - start).norm() for found in (strong, plain))
    assert near < far


def test_what_trains_few_parameters_freezes_the_head_with_the_rest(train):
    for stack in ("lm_bff+lora", "lora+lm_bff", "lm_bff+prefix"):
        assert not [name for name in train("sst2", stack, **FEW).training.trainable() if "word_head" in name], stack
    biases = [n for n in train("sst2", "bitfit+lm_bff", **FEW).training.trainable() if "word_head" in n]
    assert biases
    assert all(name.endswith("bias") for name in biases)
    probed = train("sst2", "lm_bff+linear_probe", **FEW).training
    moved = {n for n, p in probed.model.named_parameters() if not torch.equal(p, probed.pretrained[n])}
    assert moved
    assert all(name.startswith("word_head.") for name in moved)


def test_tapt_teaches_the_head_that_answers(train):
    still = {**FEW, "learning_rate": 0.0}
    taught = train("sst2", "tapt:epochs=2:learning_rate=0.01+lm_bff", **still)
    assert taught.record.reported["tapt.pretrained_head"] == 1.0
    model, head = taught.training.model, [name for name in taught.parameters if name.startswith("word_head.")]
    assert all(not torch.equal(taught.parameters[n], taught.training.pretrained[n]) for n in head)
    decoder = model.word_head.masked_lm.get_submodule(model.word_head.decoder)
    assert decoder.weight is model.get_input_embeddings().weight


def test_features_are_the_states_at_the_mask(train, monkeypatch):
    from bench_lib.harness.step import MicroStep

    seen = []
    forward = MicroStep.forward

    def watched(self, repeat=0, hidden=False, full_precision=False):
        output = forward(self, repeat, hidden, full_precision)
        seen.append((self.batch.inputs["input_ids"][output.places], len(output.targets[0])))
        return output

    monkeypatch.setattr(MicroStep, "forward", watched)
    found = train("sst2", "lm_bff+scl", **FEW)
    assert found.record.status in ("converged", "collapsed"), found.record.reason
    mask = found.training.model.mask
    assert seen
    assert all(ids.tolist() == [mask] * rows for ids, rows in seen)


@pytest.mark.parametrize("stack", ["self_training", "intermediate_task:task=imdb:examples=8", "eda", "dedupe"])
def test_it_goes_with_techniques_that_change_what_is_trained_on(with_words, stack):
    grid = Grid(("sst2",), (f"lm_bff+{stack}",), (0,), "smoke", with_words("bert"))
    (record,) = execute(plan(grid))
    assert record.status in ("converged", "collapsed"), record.reason
