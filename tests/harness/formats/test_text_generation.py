"""Prompts and references as tokens, with a chat template and without, cut to fit, and their likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerBase

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Ref
from bench_lib.harness.batches import collate
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import IGNORED, Feature
from bench_lib.harness.formats.text_generation import TextGeneration
from bench_lib.models import MODELS
from bench_lib.models.load import load_tokenizer
from bench_lib.models.source import resolve
from bench_lib.tasks.formats import TEXT_CLASSIFICATION, TEXT_GENERATION, GenerationExample

PUB = GenerationExample("name[The Mill]", ("The Mill is a pub.", "A pub: The Mill."), "Say ", " now:")
LONG = GenerationExample(" ".join(f"near[{i}]" for i in range(60)), ("It is near.",), "Facts: ", "\nDescription:")


@pytest.fixture(scope="module")
def writer() -> PreTrainedTokenizerBase:
    return load_tokenizer(resolve("tiny-llama", MODELS))


def encoded(example: GenerationExample, tokenizer: Any, length: int = 200, **settings: Any) -> list[Feature]:
    half = torch_half(TEXT_GENERATION).under(settings.get("chat", False), settings.get("answer_tokens", 40))
    return half.encode([example], tokenizer, length, 0)


def parts(feature: Feature, tokenizer: Any) -> tuple[str, str]:
    """The text of the prompt, and that of the answer."""
    start = feature.spots[0] + 1
    return tokenizer.decode(feature.input_ids[:start]), tokenizer.decode(feature.input_ids[start:])


def test_each_reference_is_a_sequence_whose_answer_alone_has_targets(writer: Any) -> None:
    one, other = encoded(PUB, writer)
    assert (one.item, other.item) == (0, 0)
    assert parts(one, writer) == ("Say name[The Mill] now:", " The Mill is a pub.<|end|>")
    assert parts(other, writer) == ("Say name[The Mill] now:", " A pub: The Mill.<|end|>")
    assert one.targets[one.spots].tolist() == one.places.tolist() == one.input_ids[one.spots + 1].tolist()
    assert (np.delete(one.targets, one.spots) == IGNORED).all()
    assert one.special.tolist() == [False] * (len(one) - 1) + [True]
    assert one.row == len(one) - 1


def test_no_blank_stands_after_a_line(writer: Any) -> None:
    (one,) = encoded(GenerationExample("Hi", ("Hello",), after="\n"), writer)
    assert parts(one, writer) == ("Hi\n", "Hello<|end|>")


def test_a_long_prompt_loses_the_beginning_of_its_input(writer: Any) -> None:
    (whole,) = encoded(LONG, writer, 1000)
    (cut,) = encoded(LONG, writer, 80)
    before, _ = parts(whole, writer)
    prompt, answer = parts(cut, writer)
    assert cut.spots[0] + 1 == 40
    assert answer == " It is near.<|end|>"
    assert prompt.startswith("Facts:")
    assert prompt.endswith("near[58] near[59]\nDescription:")
    assert before.endswith(prompt.removeprefix("Facts:"))
    # What is read does not depend on the answer.
    (other,) = encoded(GenerationExample(LONG.text, ("It is.",), LONG.before, LONG.after), writer, 80)
    assert parts(other, writer)[0] == prompt


def test_a_prompt_without_room_for_its_input_is_refused_by_name(writer: Any) -> None:
    with pytest.raises(
        Unsupported, match=r"tokens around its input, which leaves none for the input in 6 .*answer_tokens, 40"
    ):
        encoded(LONG, writer, 46)
    half = torch_half(TEXT_GENERATION).under(False, 40)
    with pytest.raises(Unsupported, match=r"leaves none for the input in 6 "):
        half.check([PUB, LONG], writer, 46, 0)
    half.check([PUB, LONG], writer, 80, 0)


def test_a_long_answer_loses_its_end(writer: Any) -> None:
    (one, _) = encoded(PUB, writer, answer_tokens=3)
    assert len(one.places) == 3
    assert " The Mill is a pub.".startswith(parts(one, writer)[1])
    (whole, _) = encoded(PUB, writer, answer_tokens=len(encoded(PUB, writer)[0].places))
    assert parts(whole, writer)[1].endswith("<|end|>")


# ---- chat templates --------------------------------------------------------------------------------------------------


def test_a_chat_template_goes_around_the_prompt(writer: Any) -> None:
    one, _ = encoded(PUB, writer, chat=True)
    assert parts(one, writer) == ("<|user|>Say name[The Mill] now:<|end|><|reply|>", "The Mill is a pub.<|end|>")
    start = one.spots[0] + 1
    assert one.special[[0, start - 2, start - 1, -1]].all()


def test_a_long_prompt_in_a_chat_template_is_cut_inside(writer: Any) -> None:
    (cut,) = encoded(LONG, writer, 90, chat=True)
    prompt, _ = parts(cut, writer)
    assert cut.spots[0] + 1 == 50
    assert prompt.startswith("<|user|>Facts:")
    assert prompt.endswith("near[59]\nDescription:<|end|><|reply|>")


def test_a_tokenizer_without_a_chat_template_is_refused_by_name(families: Any) -> None:
    with pytest.raises(Unsupported, match="has no chat template; use chat_template=False"):
        encoded(PUB, load_tokenizer(Ref(str(families.folder("llama")), "sha256:0")), chat=True)


def test_a_chat_template_that_changes_the_prompt_is_refused(writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "chat_template", "{% for m in messages %}{{ m['content'] | upper }}{% endfor %}")
    with pytest.raises(Unsupported, match="changes the prompt"):
        encoded(PUB, writer, chat=True)


def test_other_formats_have_no_prompt(writer: Any) -> None:
    with pytest.raises(Unsupported, match="for tasks whose answers are written; use chat_template=False"):
        torch_half(TEXT_CLASSIFICATION).under(True, 64)
    assert torch_half(TEXT_CLASSIFICATION).under(False, 9) is torch_half(TEXT_CLASSIFICATION)


def test_special_tokens_of_the_tokenizer_stand_before_a_prompt_and_not_after(families: Any) -> None:
    tokenizer = load_tokenizer(Ref(str(families.folder("gemma")), "sha256:0"))
    special = tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"]
    (one, _) = encoded(PUB, tokenizer)
    assert one.special[0] == special[0]
    assert not one.special[one.spots[0]]
    assert one.input_ids[-1] == tokenizer.eos_token_id


# ---- likelihood ------------------------------------------------------------------------------------------------------


def test_the_likelihood_of_an_item_is_that_of_all_its_references(prepare: Any, writer: Any) -> None:
    training, features = prepare(TEXT_GENERATION), encoded(PUB, writer)
    model, half = training.model.eval(), TextGeneration()
    with torch.no_grad():
        batch = collate(features, TEXT_GENERATION, 0, torch.device("cpu"))
        table = half.table(half.forward(model, batch), batch).numpy()
        outputs = [half.read(row, feature) for row, feature in zip(table, features, strict=True)]
        by_hand = 0.0
        for feature in features:
            logits = model(torch.tensor(feature.input_ids)[None]).logits[0].log_softmax(-1)
            for place in feature.spots:
                by_hand -= logits[place, feature.input_ids[place + 1]].item()
    (written,) = TEXT_GENERATION.answers([PUB], half.decode([PUB], features, outputs, ()))
    assert written.nll == pytest.approx(by_hand, rel=1e-5)
    assert written.tokens == sum(len(feature.places) for feature in features)
    assert (table == 0).sum() == table.size - written.tokens


def test_an_output_ends_before_the_first_stop() -> None:
    example = GenerationExample("a", ("b",), stops=("\n", "END"))
    half = TextGeneration()
    found = half.completed([example], half.decode([example], [], [], ()), [("Yes. \nEND No.", False)])
    (written,) = TEXT_GENERATION.answers([example], found)
    assert (written.text, written.ended) == ("Yes.", True)
