"""Model families as folders: tiny, of random weights, with a tokenizer of the family's own kind; no hub is needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PretrainedConfig, PreTrainedTokenizerBase

SUBJECTS = ("the film", "a house", "our garden", "Ada Moore", "Blue Bank", "nobody in Oslo", "the story of 1996")
VERBS = ("is good", "was left by the river", "visited New York", "costs $ 12.50 today", "isn't what it was")
CORPUS = [f"{subject} {verb} and {other} {verb} ." for subject in SUBJECTS for verb in VERBS for other in SUBJECTS]

BLOCKS, WIDTH, HEADS, INNER, POSITIONS = 2, 16, 2, 24, 64
SIZES = {"hidden_size": WIDTH, "num_hidden_layers": BLOCKS, "num_attention_heads": HEADS, "intermediate_size": INNER}
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
BYTES = pre_tokenizers.ByteLevel.alphabet()


def _trained(tokenizer: Tokenizer, trainer: Any) -> Tokenizer:
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def _ids(tokenizer: Tokenizer) -> dict[str, int]:
    return dict(tokenizer.get_vocab())


def _bpe(special: list[str], pre: Any = None) -> tuple[dict[str, int], list[tuple[str, str]], Tokenizer]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre or pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=special, initial_alphabet=BYTES, show_progress=False, min_frequency=1
    )
    _trained(tokenizer, trainer)
    merges = [tuple(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]]
    return _ids(tokenizer), merges, tokenizer


def wordpiece() -> PreTrainedTokenizerBase:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=160, special_tokens=special, show_progress=False)
    return transformers.BertTokenizer(vocab=_ids(_trained(tokenizer, trainer)), do_lower_case=True)


def byte_level() -> PreTrainedTokenizerBase:
    vocab, merges, _ = _bpe(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    return transformers.RobertaTokenizer(vocab=vocab, merges=merges)


def deberta_bytes() -> PreTrainedTokenizerBase:
    vocab, merges, _ = _bpe(["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"])
    return transformers.DebertaTokenizer(vocab=vocab, merges=merges)


def modern_bytes() -> PreTrainedTokenizerBase:
    """As ModernBERT's: byte-level pieces and BERT's special tokens; no setting puts a space before words."""
    _, _, tokenizer = _bpe(["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"])
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    names = {"pad": "[PAD]", "cls": "[CLS]", "sep": "[SEP]", "unk": "[UNK]", "mask": "[MASK]"}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **{f"{name}_token": token for name, token in names.items()}
    )


def llama3_bytes() -> PreTrainedTokenizerBase:
    split = pre_tokenizers.Split(Regex(LLAMA3), "isolated")
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    _, _, tokenizer = _bpe(["<|begin|>", "<|end|>", "<|pad|>"], pre_tokenizers.Sequence([split, plain]))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin|> $A", pair="<|begin|> $A <|begin|>:1 $B:1", special_tokens=[("<|begin|>", 0)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|begin|>", eos_token="<|end|>", pad_token="<|pad|>"
    )


def gpt2_bytes() -> PreTrainedTokenizerBase:
    """As GPT-2's, Pythia's and Phi's: nothing is added to a text, and there is no padding."""
    vocab, merges, _ = _bpe(["<|endoftext|>"])
    return transformers.GPT2Tokenizer(vocab=vocab, merges=merges)


def opt_bytes() -> PreTrainedTokenizerBase:
    """As OPT's: a text begins with the token that also ends it, and another one has none before it."""
    _, _, tokenizer = _bpe(["</s>", "<pad>"])
    template = processors.TemplateProcessing(single="</s> $A", pair="</s> $A $B", special_tokens=[("</s>", 0)])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="</s>", eos_token="</s>", pad_token="<pad>"
    )


def qwen_bytes() -> PreTrainedTokenizerBase:
    """As Qwen's: the padding is also what ends a text."""
    vocab, merges, _ = _bpe(["<|endoftext|>"])
    return transformers.Qwen2Tokenizer(vocab=vocab, merges=merges)


def llama_pieces() -> PreTrainedTokenizerBase:
    """As Llama 2's and Mistral's: pieces with fallback to bytes, one token before the text, and no padding."""
    special = ["<s>", "<unk>", "</s>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=special, show_progress=False, min_frequency=1)
    _trained(tokenizer, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 0)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def gemma_pieces() -> PreTrainedTokenizerBase:
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=special, show_progress=False, min_frequency=1)
    _trained(tokenizer, trainer)
    merges = [tuple(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]]
    return transformers.GemmaTokenizer(vocab=_ids(tokenizer), merges=merges)


def _unigram(special: list[str], unknown: str) -> list[tuple[str, float]]:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=160, special_tokens=special, unk_token=unknown, show_progress=False, max_piece_length=12
    )
    _trained(tokenizer, trainer)
    return [tuple(piece) for piece in json.loads(tokenizer.to_str())["model"]["vocab"]]


def xlm_pieces() -> PreTrainedTokenizerBase:
    return transformers.XLMRobertaTokenizer(vocab=_unigram(["<s>", "<pad>", "</s>", "<unk>", "<mask>"], "<unk>"))


def albert_pieces() -> PreTrainedTokenizerBase:
    return transformers.AlbertTokenizer(vocab=_unigram(["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"], "<unk>"))


def deberta_pieces() -> PreTrainedTokenizerBase:
    return transformers.DebertaV2Tokenizer(vocab=_unigram(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], "[UNK]"))


def t5_pieces() -> PreTrainedTokenizerBase:
    return transformers.T5Tokenizer(vocab=_unigram(["<pad>", "</s>", "<unk>"], "<unk>"), extra_ids=0)


TOKENIZERS: dict[str, Callable[[], PreTrainedTokenizerBase]] = {
    "wordpiece": wordpiece,
    "byte_level": byte_level,
    "deberta_bytes": deberta_bytes,
    "modern_bytes": modern_bytes,
    "llama3_bytes": llama3_bytes,
    "gpt2_bytes": gpt2_bytes,
    "opt_bytes": opt_bytes,
    "qwen_bytes": qwen_bytes,
    "llama_pieces": llama_pieces,
    "gemma_pieces": gemma_pieces,
    "xlm_pieces": xlm_pieces,
    "albert_pieces": albert_pieces,
    "deberta_pieces": deberta_pieces,
    "t5_pieces": t5_pieces,
}


def _renamed(
    make: Callable[..., PretrainedConfig], names: dict[str, str], **more: Any
) -> Callable[..., PretrainedConfig]:
    """Of a family that has names of its own for what others call alike."""
    return lambda **sizes: make(**{names.get(name, name): size for name, size in sizes.items()}, **more)


NAMES = {"num_hidden_layers": "n_layers", "num_attention_heads": "n_heads"}
OF_DISTIL = {**NAMES, "hidden_size": "dim", "intermediate_size": "hidden_dim"}
OF_XLM = {**NAMES, "hidden_size": "emb_dim", "pad_token_id": "pad_index"}


def _deberta(make: Callable[..., PretrainedConfig], **more: Any) -> Callable[..., PretrainedConfig]:
    relative = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_biased_input": False}
    return lambda **sizes: make(**sizes, **relative, type_vocab_size=0, **more)


def _padded(make: Callable[..., PretrainedConfig], **more: Any) -> Callable[..., PretrainedConfig]:
    """As RoBERTa counts its positions, from the padding's id on."""
    return lambda max_position_embeddings, **sizes: make(
        max_position_embeddings=max_position_embeddings + 2, **sizes, **more
    )


DEBERTA_V2 = {"share_att_key": True, "position_buckets": 8, "conv_kernel_size": 3, "norm_rel_ebd": "layer_norm"}

FAMILIES: dict[str, tuple[Callable[..., PretrainedConfig], str]] = {
    "bert": (transformers.BertConfig, "wordpiece"),
    "roberta": (_padded(transformers.RobertaConfig, type_vocab_size=1), "byte_level"),
    "xlm-r": (_padded(transformers.XLMRobertaConfig, type_vocab_size=1), "xlm_pieces"),
    "distilbert": (_renamed(transformers.DistilBertConfig, OF_DISTIL), "wordpiece"),
    "electra": (lambda **sizes: transformers.ElectraConfig(embedding_size=8, **sizes), "wordpiece"),
    "albert": (lambda **sizes: transformers.AlbertConfig(embedding_size=8, **sizes), "albert_pieces"),
    "deberta-v2": (_deberta(transformers.DebertaV2Config, **DEBERTA_V2), "deberta_pieces"),
    "deberta": (_deberta(transformers.DebertaConfig), "deberta_bytes"),
    "mpnet": (_padded(transformers.MPNetConfig), "wordpiece"),
    "modernbert": (
        lambda **sizes: transformers.ModernBertConfig(
            **sizes, cls_token_id=1, sep_token_id=2, bos_token_id=1, eos_token_id=2
        ),
        "modern_bytes",
    ),
    "nomic": (transformers.NomicBertConfig, "wordpiece"),
    "convbert": (lambda **sizes: transformers.ConvBertConfig(embedding_size=8, **sizes), "wordpiece"),
    "rembert": (
        lambda **sizes: transformers.RemBertConfig(input_embedding_size=8, output_embedding_size=8, **sizes),
        "albert_pieces",
    ),
    "roformer": (lambda **sizes: transformers.RoFormerConfig(embedding_size=8, **sizes), "wordpiece"),
    "xlm-r-xl": (_padded(transformers.XLMRobertaXLConfig, type_vocab_size=1), "xlm_pieces"),
    "megatron-bert": (transformers.MegatronBertConfig, "wordpiece"),
    "xlm": (_renamed(transformers.XLMConfig, OF_XLM, n_langs=2, use_lang_emb=True), "byte_level"),
    "flaubert": (_renamed(transformers.FlaubertConfig, OF_XLM), "byte_level"),
}
"""The families of encoders: how their configurations are made, and which tokenizer they come with."""

OF_GPT2 = {
    "hidden_size": "n_embd",
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
    "intermediate_size": "n_inner",
    "max_position_embeddings": "n_positions",
}


def _causal(make: Callable[..., PretrainedConfig], **more: Any) -> Callable[..., PretrainedConfig]:
    """Of a decoder that begins and ends texts with the first token of its vocabulary."""
    return lambda **sizes: make(**sizes, bos_token_id=0, eos_token_id=0, **more)


GEMMA3 = {
    "head_dim": 8,
    "query_pre_attn_scalar": 8,
    "sliding_window": 16,
    "layer_types": ["sliding_attention", "full_attention"],
}
"""One block of either attention, with a window that is shorter than the longest texts."""

DECODERS: dict[str, tuple[Callable[..., PretrainedConfig], str]] = {
    "llama": (
        lambda **sizes: transformers.LlamaConfig(**sizes | {"num_attention_heads": 4, "num_key_value_heads": 2}),
        "llama3_bytes",
    ),
    "gpt2": (_renamed(transformers.GPT2Config, OF_GPT2, bos_token_id=0, eos_token_id=0), "gpt2_bytes"),
    "gpt-neox": (_causal(transformers.GPTNeoXConfig), "gpt2_bytes"),
    "opt": (
        _renamed(transformers.OPTConfig, {"intermediate_size": "ffn_dim"}, word_embed_proj_dim=8, eos_token_id=0),
        "opt_bytes",
    ),
    "qwen2": (_causal(transformers.Qwen2Config, num_key_value_heads=1), "qwen_bytes"),
    "qwen3": (_causal(transformers.Qwen3Config, num_key_value_heads=1, head_dim=8), "qwen_bytes"),
    "mistral": (_causal(transformers.MistralConfig, num_key_value_heads=1, sliding_window=16), "llama_pieces"),
    "gemma": (_causal(transformers.GemmaConfig, num_key_value_heads=1, head_dim=8), "gemma_pieces"),
    "gemma3": (_causal(transformers.Gemma3TextConfig, num_key_value_heads=1, **GEMMA3), "gemma_pieces"),
    "phi": (_causal(transformers.PhiConfig), "gpt2_bytes"),
}
"""The families of decoders, likewise."""


def _bart(**sizes: Any) -> PretrainedConfig:
    """Three blocks read, and two write, so that the stacks are told apart."""
    heads, inner = sizes.pop("num_attention_heads"), sizes.pop("intermediate_size")
    blocks = {"encoder": sizes.pop("num_hidden_layers") + 1, "decoder": BLOCKS}
    each = {f"{side}_layers": number for side, number in blocks.items()}
    each |= {
        f"{side}_{name}": size for side in blocks for name, size in (("attention_heads", heads), ("ffn_dim", inner))
    }
    return transformers.BartConfig(
        d_model=sizes.pop("hidden_size"), **sizes, **each, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2
    )


def _t5(max_position_embeddings: int, **sizes: Any) -> PretrainedConfig:
    return transformers.T5Config(
        d_model=sizes.pop("hidden_size"),
        num_layers=sizes.pop("num_hidden_layers") + 1,
        num_decoder_layers=BLOCKS,
        num_heads=sizes.pop("num_attention_heads"),
        d_ff=sizes.pop("intermediate_size"),
        d_kv=WIDTH // HEADS,
        eos_token_id=1,
        **sizes,
    )


TWO_STACKS: dict[str, tuple[Callable[..., PretrainedConfig], str]] = {
    "bart": (_bart, "byte_level"),
    "t5": (_t5, "t5_pieces"),
}
"""The families of an encoder and a decoder, likewise."""

ALL = {**FAMILIES, **DECODERS, **TWO_STACKS}


def config_of(name: str, tokenizer: PreTrainedTokenizerBase, **changes: Any) -> PretrainedConfig:
    """The configuration of a family's tiny model, for a tokenizer."""
    make, _ = ALL[name]
    sizes = {**SIZES, "vocab_size": len(tokenizer), "max_position_embeddings": POSITIONS, **changes}
    return make(**sizes, pad_token_id=tokenizer.pad_token_id)


def drawn(model: type[Any], config: PretrainedConfig, seed: int = 0) -> Any:
    """A model with random weights, wide enough that what each part does is seen; the global generator is left alone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        built = model.from_config(config) if hasattr(model, "from_config") else model(config)
        for parameter in built.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.2)
    return built.eval()


class Families:
    """Folders of families, each made once: what a user would have downloaded."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tokenizers: dict[str, PreTrainedTokenizerBase] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(FAMILIES)

    def tokenizer(self, kind: str) -> PreTrainedTokenizerBase:
        """A tokenizer of a kind, or of a family."""
        kind = ALL[kind][1] if kind in ALL else kind
        if kind not in self.tokenizers:
            self.tokenizers[kind] = TOKENIZERS[kind]()
        return self.tokenizers[kind]

    def config(self, name: str, **changes: Any) -> PretrainedConfig:
        return config_of(name, self.tokenizer(name), **changes)

    def model(
        self, name: str, auto: type[Any] = transformers.AutoModelForSequenceClassification, **changes: Any
    ) -> Any:
        """A model with a head, with eager attention as the suite loads it."""
        return drawn(auto, self.config(name, attn_implementation="eager", **changes))

    def folder(self, name: str, auto: type[Any] = transformers.AutoModel, place: str = "", **changes: Any) -> Path:
        """A folder with a family's model and tokenizer; made anew where it has a `place` of its own."""
        folder = self.root / (place or name)
        if not folder.exists():
            save(drawn(auto, self.config(name, **changes)), folder)
            self.tokenizer(name).save_pretrained(folder)
        return folder


def save(model: Any, folder: Path) -> None:
    """Save a model's weights and configuration, without a bar of progress."""
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    model.save_pretrained(folder)
    if bars:
        logging.enable_progress_bar()
