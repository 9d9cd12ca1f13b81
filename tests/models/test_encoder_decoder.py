"""What an encoder reads and a decoder has before each token of an answer, against each sequence by itself."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.models.encoder_decoder import apart, opening_of
from bench_lib.models.stacks import fit_stacks, mark_ends

PAD = 0
tokens = st.lists(st.integers(1, 90), min_size=1, max_size=6)


@given(rows=st.lists(st.tuples(tokens, tokens), min_size=1, max_size=4), opening=st.sampled_from([[91], [91, 92]]))
def test_each_token_is_asked_for_after_the_opening_and_those_before_it(
    rows: list[tuple[list[int], list[int]]], opening: list[int]
) -> None:
    length = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids = torch.full((len(rows), length), PAD)
    asked = torch.zeros(len(rows), length, dtype=torch.bool)
    for row, (prompt, answer) in enumerate(rows):
        ids[row, : len(prompt) + len(answer)] = torch.tensor([*prompt, *answer])
        asked[row, len(prompt) - 1 : len(prompt) + len(answer) - 1] = True
    inputs, places = apart(ids, asked, opening)
    for row, (prompt, answer) in enumerate(rows):
        read, mask = inputs["input_ids"][row], inputs["attention_mask"][row].bool()
        assert read[mask].tolist() == prompt
        assert mask.tolist() == [True] * len(prompt) + [False] * (len(read) - len(prompt))
        written = inputs["decoder_input_ids"][row].tolist()
        for place, number in zip(torch.nonzero(places[row])[:, 0].tolist(), range(len(answer)), strict=True):
            assert written[: place + 1] == [*opening, *answer[:number]]
    assert inputs["input_ids"].shape[1] == max(len(prompt) for prompt, _ in rows)
    assert places.shape[1] == max(len(answer) for _, answer in rows) + len(opening) - 1


def test_what_a_decoder_begins_with_is_of_the_model_and_its_tokenizer(families: Any) -> None:
    found = {}
    for name in ("bart", "t5", "llama"):
        model, tokenizer = families.model(name), families.tokenizer(name)
        if name != "llama":
            mark_ends(tokenizer, name)
            fit_stacks(model.config, tokenizer)
        found[name] = tokenizer.convert_ids_to_tokens(opening_of(torch.nn.Sequential(model)))
    assert found == {"bart": ["</s>", "<s>"], "t5": ["<pad>"], "llama": []}
    assert isinstance(families.model("bart"), transformers.BartForSequenceClassification)
