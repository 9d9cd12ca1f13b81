from __future__ import annotations

import pytest
import torch
import transformers

from bench_lib.core.errors import Unsupported
from bench_lib.core.seeds import derive
from bench_lib.core.spec import Profile
from bench_lib.models import MODELS
from bench_lib.models.architecture import architecture_of
from bench_lib.models.load import instantiate, load_template
from bench_lib.models.source import resolve
from bench_lib.tasks.formats import FORMATS, QUESTION_ANSWERING, TOKEN_CLASSIFICATION
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.parameter_efficient.prefix import Prefix

FEW = {"train_examples": 8, "eval_examples": 4}
SIZES = {"vocab_size": 50, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 40}
BERT_LIKE = {**SIZES, "hidden_size": 16, "intermediate_size": 16, "attn_implementation": "eager"}


def begin(config, technique, max_length=16):
    """What a technique makes of a small random model that tags tokens."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.AutoModelForTokenClassification.from_config(config)
    profile = Profile(max_length=max_length, stride=0)
    pretrained = {n: p.detach() for n, p in model.named_parameters() if not n.startswith("classifier")}
    seed = lambda stream, *names: derive(0, stream, *names)  # noqa: E731
    training = Training(model, architecture_of(model), TOKEN_CLASSIFICATION, profile, pretrained, seed)
    technique.prepare(training)
    training.model.eval()
    return training


def test_a_head_that_hands_on_no_prefix_is_declined():
    """RemBERT's and MegatronBERT's take any option and pass on those that they know."""
    sizes = {**BERT_LIKE, "input_embedding_size": 8, "bos_token_id": 1, "eos_token_id": 2}
    training = begin(transformers.RemBertConfig(**sizes), Prefix(tokens=3))
    with pytest.raises(Unsupported, match="prefix: the head hands no keys and values on to RemBertModel, which sees"):
        training.model(**batch([5], 5))


@pytest.fixture
def bert():
    return begin(transformers.BertConfig(**BERT_LIKE), Prefix(tokens=3))


def batch(lengths, width):
    """Token ids of rows of these lengths, padded to a width."""
    ids = torch.randint(5, 50, (len(lengths), 12), generator=torch.Generator().manual_seed(0))[:, :width]
    mask = (torch.arange(width) < torch.tensor(lengths)[:, None]).long()
    return {"input_ids": ids * mask, "attention_mask": mask, "token_type_ids": (ids > 20).long() * mask}


def test_the_attention_by_hand(bert):
    seen = {}
    attention = bert.model.get_submodule("bert.encoder.layer.1.attention.self")
    attention.register_forward_hook(
        lambda _m, args, kw, out: seen.update(args=args, kw=kw, out=out[0]), with_kwargs=True
    )
    with torch.no_grad():
        bert.model(**batch([5], 5))
    states = (seen["args"] or (seen["kw"]["hidden_states"],))[0][0]  # (5, 16)
    # Of block 1, keys and values; peft holds them as (tokens, blocks * 2 * width).
    keys, values = bert.model.prompt_encoder["default"].embedding.weight.view(3, 2, 2, 16)[:, 1].unbind(1)
    for head in (slice(0, 8), slice(8, 16)):
        q = attention.query(states)[:, head]
        k = torch.cat((keys[:, head], attention.key(states)[:, head]))
        v = torch.cat((values[:, head], attention.value(states)[:, head]))
        expected = torch.softmax(q @ k.T / 8**0.5, dim=-1) @ v
        torch.testing.assert_close(seen["out"][0][:, head], expected, rtol=1e-5, atol=1e-6)


def test_every_token_of_every_block_has_a_part(bert):
    bert.model(**batch([5], 5)).logits.square().sum().backward()
    gradient = bert.model.prompt_encoder["default"].embedding.weight.grad.view(3, 2, 2, 16)
    assert gradient.abs().sum(-1).min() > 0


def test_logits_have_the_places_of_the_tokens_and_padding_is_not_seen(bert):
    short, padded = bert.model(**batch([5], 5)).logits, bert.model(**batch([5, 12], 12)).logits
    assert short.shape == (1, 5, 2)
    torch.testing.assert_close(padded[0, :5], short[0], rtol=1e-5, atol=1e-6)


def test_with_the_prefix_out_of_sight_it_is_the_base_model_at_later_positions(bert):
    given = batch([5, 12], 12)
    base, unseen = bert.model.prompted.base_model, torch.zeros(2, 3, dtype=torch.long)
    masked = {**given, "attention_mask": torch.cat((unseen, given["attention_mask"]), dim=1)}
    hidden = base(**masked, past_key_values=bert.model.prompted.get_prompt(2)).logits
    plain = base(**given, position_ids=torch.arange(3, 15)[None]).logits
    torch.testing.assert_close(hidden, plain, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        bert.model.prompt_encoder["default"].embedding.weight.mul_(50)
    assert (bert.model(**given).logits - plain).abs().max() > 1e-3


def test_token_types_count(bert):
    given = batch([12], 12)
    other = {**given, "token_type_ids": 1 - given["token_type_ids"]}
    assert not torch.allclose(bert.model(**given).logits, bert.model(**other).logits)


@pytest.mark.parametrize("config", [transformers.RobertaConfig, transformers.ElectraConfig])
def test_other_encoders_use_it_too(config):
    training = begin(
        config(**BERT_LIKE, embedding_size=16) if "Electra" in str(config) else config(**BERT_LIKE), Prefix()
    )
    given = {n: t for n, t in batch([5, 12], 12).items() if n != "token_type_ids"}
    before = training.model(**given).logits
    with torch.no_grad():
        training.model.prompt_encoder["default"].embedding.weight.normal_(generator=torch.Generator().manual_seed(1))
    assert (training.model(**given).logits - before).abs().max() > 1e-3


def test_an_encoder_that_would_ignore_it_is_refused():
    config = transformers.DistilBertConfig(vocab_size=50, dim=16, n_layers=2, n_heads=2, hidden_dim=16)
    with pytest.raises(Unsupported, match="DistilBertModel takes no keys and values"):
        begin(config, Prefix())


@pytest.mark.parametrize(("config", "positions"), [(transformers.BertConfig, 40), (transformers.RobertaConfig, 38)])
def test_texts_and_prefix_share_the_positions(config, positions):
    longest = begin(config(**BERT_LIKE), Prefix(tokens=18), max_length=positions - 18)
    ids = torch.full((1, positions - 18), 7)
    assert longest.model(ids, torch.ones_like(ids)).logits.shape == (1, positions - 18, 2)
    with pytest.raises(Unsupported, match=f"leave {positions - 18} of the model's positions"):
        begin(config(**BERT_LIKE), Prefix(tokens=18), max_length=positions - 17)


@pytest.mark.parametrize("task_format", [each for each in FORMATS if not each.writes_text], ids=str)
def test_a_pretrained_encoder_uses_it_on_every_kind_of_task(task_format):
    template = load_template(resolve("minilm", MODELS), task_format, 2)
    model = instantiate(template, torch.Generator().manual_seed(0))
    seed = lambda stream, *names: derive(0, stream, *names)  # noqa: E731
    training = Training(model, architecture_of(model), task_format, Profile(), template.pretrained(), seed)
    Prefix().prepare(training)
    given, weight = batch([5, 12], 12), training.model.eval().prompt_encoder["default"].embedding.weight
    with torch.no_grad():
        weight.mul_(50)  # as if it had learnt
        before = [logits.clone() for logits in training.model(**given).values()]
        weight.neg_()
        after = [*training.model(**given).values()]
    assert len(before) == len(after) == (2 if task_format is QUESTION_ANSWERING else 1)
    assert all(a.shape == b.shape and (a - b).abs().max() > 1e-2 for a, b in zip(after, before, strict=True))


def test_it_starts_from_the_seed_and_the_head_learns(train):
    def drawn(seed):
        training = train("squad", learning_rate=0.0, seed=seed, **FEW).training
        Prefix().prepare(training)
        return training.model.prompt_encoder["default"].embedding.weight

    first, again, other = drawn(0), drawn(0), drawn(1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.std().item() == pytest.approx(0.02, abs=0.001)
    training = train("squad", "prefix", **FEW).training
    head = {f"prompted.base_model.qa_outputs.{part}" for part in ("weight", "bias")}
    assert training.trainable().keys() == head | {"prompted.prompt_encoder.default.embedding.weight"}


@pytest.mark.parametrize("stack", ["prefix+linear_probe", "prefix+freeze_bottom", "prefix+gradual_unfreezing"])
def test_a_prefix_that_would_stay_as_it_was_drawn_is_refused(train, stack):
    record = train("sst2", stack, **FEW).record
    assert record.status == "unsupported"
    assert record.reason == "prefix: the stack freezes its keys and values, which were drawn at random"


def test_it_has_a_rate_of_its_own():
    assert Prefix().configure(Profile()) == Profile(learning_rate=1e-2)
