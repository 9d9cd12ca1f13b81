"""The architecture of a pre-trained model: where embeddings, blocks, pooler and new head are."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from bench_lib.core.errors import Unsupported

PLACES = (
    (r"deberta\.encoder\.LayerNorm", 0),  # DeBERTa-v2's norm of the table of relative positions
    (r"deberta\.encoder\.conv", 1),  # DeBERTa-v2 adds its convolution to the output of the first block
    (r"model\.decoder\.project_out", -1),  # OPT's, after its blocks
    (r"\w+\.((en|de)coder\.)?(LayerNorm|layer_norm|ln|ln_f|norm|final_norm|final_layer_?norm)", -1),
)
"""Levels of what a body has beside embeddings, blocks and pooler, by a pattern of the name, -1 for the last block's.

The first match counts. Without one it is 0: projections of embeddings, position tables and the like are before the
blocks or read by all of them.
"""

LEFT_PADDED = ("xlnet",)
"""Families whose outputs depend on padding on the right."""

TWO_STACKS = ("bart", "t5")
"""Families of an encoder and a decoder that are supported, with the heads of `STACKED`."""

STACKED = ("ForSequenceClassification", "ForQuestionAnswering", "ForConditionalGeneration")
"""Ends of the names of classes with two stacks: texts are classified, searched for answers, and written."""


@dataclass(frozen=True, eq=False)
class Architecture:
    """The parts of a model by module name; all outside the body is the head.

    `embedded` is the module that outputs the first block's input, or the tables that the body sums itself. `lists` hold
    the blocks: one list, or several whose parts of equal index make up one block. `layers` is the number of layers that
    a text passes, more than `depth` where they share weights, 0 if unknown. `beside` names the model's other parts,
    which distinguish its body from a wrapper's part of the same name. In a `causal` one, tokens see only those before.
    A body of two stacks has its encoder's blocks first: `encoder` is their number, 0 in a body of one stack. `body` is
    empty where a model is its own body, as T5 with its head for words or for answer spans.
    """

    body: str
    embedded: tuple[str, ...]
    lists: tuple[str, ...]
    depth: int
    pooler: str | None
    layers: int = 0
    beside: frozenset[str] = frozenset()
    causal: bool = False
    encoder: int = 0

    @property
    def embeddings(self) -> str:
        """The module that outputs the first block's input; `Unsupported` where there is none."""
        self.need_one_stack("input of a first block")
        if len(self.embedded) > 1:
            raise Unsupported(
                f"the model adds up {', '.join(self.embedded)} itself, and no module gives the first block its input"
            )
        return self.embedded[0]

    @property
    def block_list(self) -> str:
        """The list of blocks; `Unsupported` where no module is a whole block."""
        self.need_one_stack("list of blocks")
        if len(self.lists) > 1:
            raise Unsupported(
                f"the model has parts of its blocks in each of {', '.join(self.lists)}, and no whole ones"
            )
        return self.lists[0]

    @property
    def stacks(self) -> tuple[str, ...]:
        """The list of blocks, or the encoder's and the decoder's; `Unsupported` where no module is a whole block."""
        return self.lists if self.encoder else (self.block_list,)

    @property
    def shared(self) -> bool:
        """Whether layers share blocks."""
        return self.layers > self.depth

    def need_one_stack(self, what: str) -> None:
        """Raise `Unsupported` in a body of two stacks, for what a body has only one of if it has one stack."""
        if self.encoder:
            raise Unsupported(f"a body of two stacks has no one {what}, but an encoder's and a decoder's")

    def need_separate_layers(self, technique: str) -> None:
        """Raise `Unsupported` for a technique that treats layers differently, where they are not in one line.

        They may share their weights, or be in two stacks.
        """
        if self.encoder:
            raise Unsupported(
                f"{technique} tells layers apart by their place in one line, and a body of two stacks has no one line "
                "of layers: all decoder blocks read the encoder's output"
            )
        if self.shared:
            raise Unsupported(
                f"{technique} tells layers apart, and all {self.layers} layers here share the weights of {self.depth}"
            )

    def block(self, number: int) -> list[str]:
        """The modules that make up a block, counted from 0."""
        if self.encoder:
            stack, own = (0, number) if number < self.encoder else (1, number - self.encoder)
            return [f"{self.lists[stack]}.{own}"]
        return [f"{each}.{number}" for each in self.lists]

    def block_of(self, name: str) -> int | None:
        """The block of a parameter, counted from 0; None for a parameter outside the blocks."""
        for stack, each in enumerate(self.lists):
            _, found, rest = f".{name}".partition(f".{each}.")
            if found:
                return int(rest.split(".", 1)[0]) + (self.encoder if stack else 0)
        return None

    def in_body(self, name: str) -> str:
        """A parameter's name from the body on, without a wrapper's prefix; empty outside the body."""
        roots = [self.body] if self.body else [place.split(".")[0] for place in (*self.embedded, *self.lists)]
        parts = name.split(".")
        for place, (part, after) in enumerate(pairwise(parts)):
            if part in roots and after not in (self.body, *self.beside):
                return ".".join(parts[place:])
        return ""

    def in_pooler(self, name: str) -> bool:
        """Whether a parameter belongs to the body's pooler."""
        return self.pooler is not None and f".{self.pooler}." in f".{name}."

    def layer_index(self, name: str) -> int:
        """The layer index of a parameter: 0 embeddings, 1 to `depth` blocks, `depth` + 1 pooler and head.

        Parts are found anywhere in a name, since wrappers such as peft's add a prefix. A prompt is read before the
        first block, as embeddings are; other parts of the body are in `PLACES`. The blocks of a decoder that reads an
        encoder are counted after the encoder's.
        """
        block, inside = self.block_of(name), self.in_body(name)
        if block is not None:
            return 1 + block
        if ".prompt_encoder." in name:
            return 0
        if not inside or self.in_pooler(name):
            return self.depth + 1
        found = next((where for part, where in PLACES if re.match(rf"({part})(\.|$)", inside)), 0)
        last = self.encoder if ".encoder." in f".{inside}" and self.encoder else self.depth
        return range(last + 1)[found]

    def is_pretrained(self, name: str) -> bool:
        """Whether a parameter belongs to the embeddings or blocks, not to the pooler or the head."""
        return self.layer_index(name) <= self.depth


def architecture_of(model: nn.Module) -> Architecture:
    """Find the parts of a transformers model with a task head; a model without them raises `Unsupported`."""
    prefix, config = getattr(model, "base_model_prefix", ""), getattr(model, "config", None)
    if getattr(config, "is_encoder_decoder", False):
        return _two_stacks(model, config)
    body = getattr(model, prefix) if prefix else nn.Module()
    if getattr(config, "model_type", "") in LEFT_PADDED:
        raise Unsupported(f"{type(model).__name__} needs its padding on the left, and it is on the right here")
    lists = _lists(body)
    embedded = _embedded(body)
    if not lists or not embedded:
        raise Unsupported(f"{type(model).__name__} has no embeddings followed by a list of equal blocks")
    if grouped := [name for name, blocks in lists.items() if isinstance(blocks[0], nn.ModuleList)]:
        raise Unsupported(f"{type(model).__name__} has groups of layers in {grouped[0]}, and no one list of all")
    depth = max(map(len, lists.values()))
    longest = [name for name, blocks in lists.items() if len(blocks) == depth]
    owner = longest[0].rpartition(".")[0]
    return Architecture(
        body=prefix,
        embedded=tuple(f"{prefix}.{name}" for name in embedded),
        lists=tuple(f"{prefix}.{name}" for name in longest if name.rpartition(".")[0] == owner),
        depth=depth,
        pooler=f"{prefix}.pooler" if getattr(body, "pooler", None) is not None else None,
        layers=int(getattr(getattr(body, "config", None), "num_hidden_layers", 0)),
        beside=frozenset(name for name, _ in model.named_children() if not hasattr(body, name)),
        causal=is_causal(config),
    )


def _two_stacks(model: nn.Module, config: object) -> Architecture:
    """The parts of an encoder and a decoder, which share the word embeddings."""
    name = type(model).__name__
    if not reads_by_two_stacks(config) or not name.endswith(STACKED):
        raise Unsupported(
            f"{name} has two stacks of blocks, an encoder's and a decoder's, which are supported in classifiers, "
            f"models of answer spans and writers of texts of the families {', '.join(TWO_STACKS)}"
        )
    prefix = body_prefix(model)
    lists = _lists(body := model.get_submodule(prefix.rstrip(".")))
    encoder, decoder = (next(n for n in lists if n.startswith(f"{side}.")) for side in ("encoder", "decoder"))
    depth = len(lists[encoder]) + len(lists[decoder])
    return Architecture(
        body=prefix.rstrip("."),
        embedded=(f"{prefix}shared",),
        lists=(f"{prefix}{encoder}", f"{prefix}{decoder}"),
        depth=depth,
        pooler=None,
        layers=depth,
        beside=frozenset(part for part, _ in model.named_children() if not hasattr(body, part)),
        encoder=len(lists[encoder]),
    )


def body_prefix(model: nn.Module) -> str:
    """What stands before the names of the body's parts; empty where a model of two stacks is its own body."""
    prefix = str(getattr(model, "base_model_prefix", ""))
    return "" if type(model).__name__.endswith(STACKED[1:]) and not hasattr(model, prefix) else f"{prefix}."


def body_names(model: nn.Module) -> tuple[str, ...]:
    """What the names of the body's parameters begin with, each with one of these."""
    prefix = body_prefix(model)
    return (prefix,) if prefix else ("shared.", "encoder.", "decoder.")


def reads_by_two_stacks(config: object) -> bool:
    """Whether a model has an encoder and a decoder that are described as two stacks."""
    return bool(getattr(config, "is_encoder_decoder", False)) and getattr(config, "model_type", "") in TWO_STACKS


def is_causal(config: object) -> bool:
    """Whether a model's tokens see only those before them: it was pre-trained for next words, not for masked ones."""
    # Heavy, and techniques are listed without it.
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as NEXT
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as MASKED

    kind = getattr(config, "model_type", "")
    return kind in NEXT and kind not in MASKED and not getattr(config, "is_encoder_decoder", False)


def _lists(body: nn.Module) -> dict[str, nn.ModuleList]:
    """The outermost lists of modules of one class, by name."""
    found: dict[str, nn.ModuleList] = {}
    for name, module in body.named_modules():
        equal = isinstance(module, nn.ModuleList) and len({type(part) for part in module}) == 1
        if equal and not any(name.startswith(f"{outer}.") for outer in found):
            found[name] = module
    return found


def _embedded(body: nn.Module) -> list[str]:
    """The module with a name for embeddings, or else that of the words; where it is a table, all beside it."""
    named = dict(body.named_modules())
    first = next((name for name in named if name.endswith("embeddings")), None)
    if first is None and hasattr(body, "get_input_embeddings"):
        words = word_embeddings(body)
        first = next((name for name, module in named.items() if module is words), None)
    if first is None:
        return []
    owner = first.removesuffix(first.rpartition(".")[2])
    children = named[owner.rstrip(".")].named_children()
    tables = [f"{owner}{name}" for name, module in children if isinstance(module, nn.Embedding)]
    return tables if first in tables else [first]


def is_matrix(name: str, parameter: Tensor) -> bool:
    """Whether a parameter is a matrix, and so decays, or a bias or norm; ConvBERT has biases of two dimensions."""
    return parameter.dim() >= 2 and not name.endswith("bias")


POSITION_TABLES = ("position_embeddings", "embed_positions", "wpe")
"""Names of position tables."""


def position_tables(model: nn.Module) -> list[int]:
    """The positions in each table of a model, without its rows for padding, as in RoBERTa, or an offset, as in OPT."""
    named = dict(model.named_modules())
    tables = [m for n, m in named.items() if n.endswith(POSITION_TABLES) and isinstance(m, nn.Embedding)]
    return [
        table.num_embeddings
        - (0 if table.padding_idx is None else table.padding_idx + 1)
        - int(getattr(table, "offset", 0))
        for table in tables
    ]


def word_embeddings(model: nn.Module) -> nn.Module:
    """The module that turns token ids into vectors."""
    find: Callable[[], nn.Module] = getattr(model, "get_input_embeddings")  # noqa: B009 (not declared on nn.Module)
    held = find()
    # Of tables with one weight the last is read: T5's encoder has its own, beside one that only holds the weight.
    tables = [m for m in model.modules() if isinstance(m, nn.Embedding) and m.weight is getattr(held, "weight", None)]
    return tables[-1] if tables else held
