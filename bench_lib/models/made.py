"""A small random decoder for tests: its configuration and its tokenizer, made here from a few sentences."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Any

TEXT = """
The small restaurant near the river is a cheap place for families, and the food there is good. A quiet pub in the city
centre serves Italian food at a moderate price, but children are not welcome. It has a high customer rating of 5 out of
5, while the coffee shop beside the old bridge has a low one. name[ food[ price[ area[ rating[ family[ eatType[ near[
riverside city centre yes no cheap moderate expensive Chinese French Indian Japanese English fast food. Who is there?
They said that we would meet in the garden on Sunday. Question: How many apples are left? Answer: There are 3 + 4 = 7.
Summary: Anna and Ben will call her tomorrow. English: A man in a red hat is riding a bicycle. German: Ein Mann mit
einem roten Hut steht vor der Stadt und eine Frau spielt mit dem Hund. Description: Dialogue: Reply:
"""
"""What the tokenizer's pieces are counted in."""
PIECES = 700
END, USER, REPLY = "<|end|>", "<|user|>", "<|reply|>"
CHAT = (
    "{% for message in messages %}{{ '<|user|>' if message['role'] == 'user' else '<|reply|>' }}"
    "{{ message['content'] }}<|end|>{% endfor %}{% if add_generation_prompt %}<|reply|>{% endif %}"
)
SIZES: Mapping[str, Any] = {
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "initializer_range": 0.1,
    "tie_word_embeddings": True,
}


@functools.cache
def made_files() -> Mapping[str, str]:
    """The text of each file of the model, by name, without weights, which are drawn when it is loaded."""
    tokenizer = _tokenizer()
    vocabulary = tokenizer.get_vocab()
    end = vocabulary[END]
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": len(vocabulary), **SIZES}
    config |= {"bos_token_id": end, "eos_token_id": end}
    options: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END, "chat_template": CHAT}
    options |= {"clean_up_tokenization_spaces": False, "model_max_length": SIZES["max_position_embeddings"]}
    return {
        "config.json": json.dumps(config, indent=1),
        "tokenizer.json": str(tokenizer.to_str()),
        "tokenizer_config.json": json.dumps(options, indent=1),
    }


def digest_of(files: Mapping[str, str], digits: int) -> str:
    """The first hexadecimal digits of the SHA-256 over names and contents."""
    whole = "\0".join(f"{name}\0{text}" for name, text in sorted(files.items()))
    return hashlib.sha256(whole.encode()).hexdigest()[:digits]


def _tokenizer() -> Any:
    """Byte pairs counted in the sentences; every byte is a piece, so that no text has unknown ones."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=PIECES,
        special_tokens=[END, USER, REPLY],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    return tokenizer
