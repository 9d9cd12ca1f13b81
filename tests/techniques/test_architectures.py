"""Families of encoders, tiny and random: where each parameter lies, and whether techniques act on the right ones."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
import transformers
from torch import nn

from bench_lib.core.errors import Unsupported
from bench_lib.harness.drift import drift
from bench_lib.harness.optim import build_optimizer
from bench_lib.models.architecture import Architecture, architecture_of, is_matrix
from bench_lib.techniques.compression.layer_drop import LayerDrop
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.stack import Stack
from bench_lib.techniques.layers.freeze_bottom import FreezeBottom
from bench_lib.techniques.layers.gradual_unfreezing import GradualUnfreezing
from bench_lib.techniques.layers.llrd import LLRD
from bench_lib.techniques.layers.reinit import Reinit
from bench_lib.techniques.regularisation.mixout import Mixout
from bench_lib.techniques.toolkit.linear_probing import in_head
from bench_lib.techniques.toolkit.pretrained_anchors import with_start

DEPTH = 3
BOTTOM, FIRST, LAST, TOP = 0, 1, DEPTH, DEPTH + 1


@dataclass(frozen=True)
class Parts:
    """Where a family has its parts, from the code of its models: `odd` has what lies in the body beside the usual."""

    blocks: tuple[str, ...]
    heads: tuple[str, ...]
    odd: dict[str, int] = field(default_factory=dict)
    embeddings: tuple[str, ...] = ()

    def layer_index(self, name: str) -> int:
        for each in self.blocks:
            if name.startswith(f"{each}."):
                return int(name.removeprefix(f"{each}.").split(".")[0]) + 1
        found = [layer for part, layer in self.layers().items() if name.startswith(f"{part}.")]
        assert len(found) == 1, f"{name} is in none or several of the parts that were written down"
        return found[0]

    def layers(self) -> dict[str, int]:
        return {**dict.fromkeys(self.embeddings, BOTTOM), **dict.fromkeys(self.heads, TOP), **self.odd}


def usual(body: str, *heads: str, blocks: str = "encoder.layer", **odd: int) -> Parts:
    """A body with one module of embeddings and one list of blocks; what is odd in it has __ for a dot."""
    named = {f"{body}.{name.replace('__', '.')}": layer for name, layer in odd.items()}
    return Parts((f"{body}.{blocks}",), heads, named, (f"{body}.embeddings",))


XLM = Parts(
    blocks=("transformer.attentions", "transformer.layer_norm1", "transformer.ffns", "transformer.layer_norm2"),
    heads=("sequence_summary",),
    odd={"transformer.layer_norm_emb": BOTTOM},
    embeddings=("transformer.embeddings", "transformer.position_embeddings"),
)
PARTS = {
    "bert": usual("bert", "bert.pooler", "classifier"),
    "roberta": usual("roberta", "classifier"),
    "xlm-r": usual("roberta", "classifier"),
    "distilbert": usual("distilbert", "pre_classifier", "classifier", blocks="transformer.layer"),
    "electra": usual("electra", "classifier", embeddings_project=BOTTOM),
    "deberta": usual("deberta", "pooler", "classifier", encoder__rel_embeddings=BOTTOM),
    "deberta-v2": usual(
        "deberta",
        "pooler",
        "classifier",
        encoder__rel_embeddings=BOTTOM,
        encoder__LayerNorm=BOTTOM,
        encoder__conv__conv=FIRST,
        encoder__conv__LayerNorm=FIRST,
    ),
    "mpnet": usual("mpnet", "classifier", encoder__relative_attention_bias=BOTTOM),
    "modernbert": usual("model", "head", "classifier", blocks="layers", final_norm=LAST),
    "nomic": usual("nomic_bert", "nomic_bert.pooler", "classifier", blocks="layers"),
    "convbert": usual("convbert", "classifier", embeddings_project=BOTTOM),
    "rembert": usual("rembert", "rembert.pooler", "classifier", encoder__embedding_hidden_mapping_in=BOTTOM),
    "roformer": usual("roformer", "classifier", embeddings_project=BOTTOM, encoder__embed_positions=BOTTOM),
    "xlm-r-xl": usual("roberta", "classifier", encoder__LayerNorm=LAST),
    "megatron-bert": usual("bert", "bert.pooler", "classifier", encoder__ln=LAST),
    "xlm": dataclasses.replace(XLM, embeddings=(*XLM.embeddings, "transformer.lang_embeddings")),
    "flaubert": XLM,
}
"""All families of the tests but ALBERT, whose layers share their weights."""
WRAPPERS = ("", "base_model.model.", "prompted.base_model.", "some.other.")
SHARED = "tells layers apart, and all 3 layers here share the weights of 1"


@pytest.fixture
def training(families: Any, toy: Training, name: str) -> Training:
    """A training of a family's model with three blocks, in which everything but the head is pre-trained."""
    return training_of(toy, families.model(name, num_hidden_layers=DEPTH))


def training_of(toy: Training, model: Any) -> Training:
    architecture = architecture_of(model)
    start = {n: p.detach().clone() for n, p in model.named_parameters() if n.startswith(f"{architecture.body}.")}
    return dataclasses.replace(toy, model=model, architecture=architecture, pretrained=start, trained=None, memory={})


def at(training: Training, name: str, *layers: int) -> set[str]:
    """The parameters that lie at some layers, by what was written down."""
    return {n for n, _ in training.model.named_parameters() if PARTS[name].layer_index(n) in layers}


def trains(training: Training) -> set[str]:
    return {n for n, p in training.model.named_parameters() if p.requires_grad}


every_family = pytest.mark.parametrize("name", PARTS)


def test_no_family_is_left_out(families: Any) -> None:
    assert sorted(families) == sorted([*PARTS, "albert"])


@every_family
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_every_parameter_has_its_layer(training: Training, name: str, wrapper: str) -> None:
    """Also under the prefix of a wrapper, where a part of it is called like the body, as ModernBERT's is."""
    names, parts, architecture = [n for n, _ in training.model.named_parameters()], PARTS[name], training.architecture
    assert {n: architecture.layer_index(wrapper + n) for n in names} == {n: parts.layer_index(n) for n in names}
    assert {n for n in names if architecture.is_pretrained(wrapper + n)} == at(training, name, *range(TOP))
    assert architecture.depth == DEPTH
    assert not architecture.shared
    for part in (*parts.layers(), *architecture.lists, *architecture.embedded):
        assert any(n.startswith(f"{part}.") for n in names)
    assert set(architecture.lists) == set(parts.blocks)
    assert set(architecture.embedded) == set(parts.embeddings)


@every_family
def test_the_head_lies_outside_the_body(training: Training, name: str) -> None:
    head = in_head(training)
    outside = {n for n in at(training, name, TOP) if n not in training.pretrained}
    assert {n for n, _ in training.model.named_parameters() if head(n)} == outside


@every_family
def test_frozen_are_the_bottom_and_the_lowest_blocks(training: Training, name: str) -> None:
    before = trains(training)
    FreezeBottom(share=0.4).prepare(training)
    assert trains(training) == before & at(training, name, 2, LAST, TOP)


@every_family
def test_each_level_learns_at_its_rate(training: Training, name: str) -> None:
    optimizer = build_optimizer(training, Stack((LLRD(decay=0.5),)), learning_rate=1.0)
    names = {id(p): n for n, p in training.model.named_parameters()}
    rates = {names[id(p)]: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert rates == {n: 0.5 ** (TOP - PARTS[name].layer_index(n)) for n in trains(training)}


@every_family
def test_levels_join_from_the_top(training: Training, name: str) -> None:
    training.steps_per_epoch, training.total_steps = 1, 6
    phases = GradualUnfreezing().phases(training)
    found = [{n for n, _ in training.model.named_parameters() if phase.trains(n)} for phase in phases]
    assert found == [at(training, name, *range(lowest, TOP + 1)) for lowest in (TOP, LAST, 2, BOTTOM)]


@every_family
def test_anchored_is_all_that_was_loaded(training: Training, name: str) -> None:
    """Below the head, and a pooler that was loaded with the rest."""
    loaded = trains(training) - {n for n in at(training, name, TOP) if n not in training.pretrained}
    assert at(training, name, *range(TOP)) & trains(training) <= loaded
    assert with_start(training, "l2_sp").keys() == loaded
    modules = training.model.named_modules()
    norms = {f"{n}." for n, module in modules if "Norm" in type(module).__name__}
    matrices = {n for n in loaded if not n.endswith("bias") and not n.startswith(tuple(norms))}
    assert with_start(training, "l2_sp", matrices_only=True).keys() == matrices


@every_family
def test_linear_layers_that_were_loaded_are_mixed(training: Training, name: str) -> None:
    def linear() -> set[str]:
        modules = training.model.named_modules()
        return {f"{n}.weight" for n, module in modules if isinstance(module, nn.Linear)}

    before = linear()
    Mixout(p=0.5).prepare(training)
    assert before & training.pretrained.keys() == before - linear()
    assert before - linear()


@every_family
def test_what_moves_is_told_at_its_layer(training: Training, name: str) -> None:
    assert drift(training) == (0.0,) * (DEPTH + 1)
    for layer in range(TOP + 1):
        with torch.no_grad():
            for parameter in map(training.model.get_parameter, at(training, name, layer)):
                parameter.add_(1.0)
            moved = drift(training)
            for parameter in map(training.model.get_parameter, at(training, name, layer)):
                parameter.sub_(1.0)
        assert [moved[place] > 1e-3 for place in range(DEPTH + 1)] == [place == layer for place in range(DEPTH + 1)]


@every_family
def test_a_block_is_drawn_anew_whole(training: Training, name: str) -> None:
    Reinit(blocks=1, pooler=False).prepare(training)
    moved = {n for n, p in training.model.named_parameters() if n in training.pretrained and changed(training, n, p)}
    odd = {n for n in at(training, name, LAST) if any(n.startswith(f"{part}.") for part in PARTS[name].odd)}
    # Norms and biases may be at 1 and 0 already.
    assert moved <= at(training, name, LAST) - odd
    assert {n for n in at(training, name, LAST) if training.model.get_parameter(n).dim() > 1} <= moved


def changed(training: Training, name: str, parameter: nn.Parameter) -> bool:
    return not torch.equal(training.pretrained[name], parameter)


# ---- weight decay ----------------------------------------------------------------------------------------------------

NORMS = ("LayerNorm", "RMSNorm")


def kinds(model: nn.Module) -> tuple[set[str], set[str]]:
    """The names of matrices and of norms and biases, by the classes of their modules."""
    matrices, vectors = set(), set()
    for place, module in model.named_modules():
        for own, _ in module.named_parameters(recurse=False):
            norm = type(module).__name__.endswith(NORMS)
            (vectors if norm or own.endswith("bias") else matrices).add(f"{place}.{own}")
    return matrices, vectors


@pytest.mark.parametrize("name", [*PARTS, "albert", "llama", "gemma", "gemma3", "gpt2"])
def test_matrices_decay_and_norms_and_biases_do_not(families: Any, toy: Training, name: str) -> None:
    """Whatever norms are called: LayerNorm, norm, layer_norm1, sa_layer_norm, ln, ln_1, and RMSNorm by its class."""
    if name == "gpt2":
        model = transformers.GPT2ForSequenceClassification(
            transformers.GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=20, bos_token_id=1, eos_token_id=1)
        )
    else:
        model = families.model(name)
    training = dataclasses.replace(toy, model=model, trained=None)
    decayed, spared = build_optimizer(training, Stack(())).param_groups
    matrices, vectors = kinds(model)
    frozen = {n for n, p in model.named_parameters() if not p.requires_grad}
    names = {id(p): n for n, p in model.named_parameters()}
    assert {names[id(p)] for p in decayed["params"]} == matrices - frozen
    assert {names[id(p)] for p in spared["params"]} == vectors
    assert (decayed["weight_decay"], spared["weight_decay"]) == (toy.profile.weight_decay, 0.0)
    assert vectors


def test_a_bias_of_two_dimensions_is_no_matrix(families: Any) -> None:
    model = families.model("convbert")
    odd = {n.rpartition(".")[2] for n, p in model.named_parameters() if p.dim() >= 2 and not is_matrix(n, p)}
    assert odd == {"bias"}


# ---- shared blocks, several lists, groups of layers ------------------------------------------------------------------


@pytest.fixture
def shared(families: Any, toy: Training) -> Training:
    """ALBERT: three layers with the weights of one."""
    return training_of(toy, families.model("albert", num_hidden_layers=DEPTH))


def test_levels_of_shared_blocks(shared: Training) -> None:
    architecture = shared.architecture
    assert (architecture.depth, architecture.layers, architecture.shared) == (1, DEPTH, True)
    parts = usual(
        "albert", "albert.pooler", "classifier", blocks="encoder.albert_layer_groups",
        encoder__embedding_hidden_mapping_in=BOTTOM,
    )  # fmt: skip
    names = [n for n, _ in shared.model.named_parameters()]
    assert {n: architecture.layer_index(n) for n in names} == {n: min(2, parts.layer_index(n)) for n in names}
    below = {n for n in names if parts.layer_index(n) < TOP}
    assert below <= with_start(shared, "l2_sp").keys() <= shared.pretrained.keys()
    Mixout(p=0.5).prepare(shared)
    left = {n for n, module in shared.model.named_modules() if isinstance(module, nn.Linear)}
    assert {n for n in below if n.rpartition(".")[0] in left} == set()


def test_what_tells_layers_apart_declines_shared_ones(shared: Training) -> None:
    shared.steps_per_epoch, shared.total_steps = 1, 3
    for technique, act in {
        "reinit": lambda: Reinit().prepare(shared),
        "freeze_bottom": lambda: FreezeBottom().prepare(shared),
        "llrd": lambda: build_optimizer(shared, Stack((LLRD(),))),
        "gradual_unfreezing": lambda: GradualUnfreezing().phases(shared),
        "layer_drop": lambda: LayerDrop().compress(shared),
    }.items():
        with pytest.raises(Unsupported, match=f"^{technique} {SHARED}"):
            act()


def test_what_does_not_takes_them(shared: Training) -> None:
    before = trains(shared)
    Reinit(blocks=0).prepare(shared)
    LLRD(decay=1.0).groups([], shared)
    FreezeBottom(share=0.0).prepare(shared)
    assert trains(shared) == before
    FreezeBottom(share=1.0).prepare(shared)
    assert trains(shared) == {n for n in before if n.startswith(("albert.pooler.", "classifier."))}


@pytest.mark.parametrize(("groups", "inner", "is_shared"), [(3, 1, False), (1, 2, True), (2, 1, True)])
def test_a_group_of_layers_is_a_block(families: Any, groups: int, inner: int, is_shared: bool) -> None:
    model = families.model("albert", num_hidden_layers=DEPTH, num_hidden_groups=groups, inner_group_num=inner)
    architecture = architecture_of(model)
    assert (architecture.depth, architecture.shared) == (groups, is_shared)
    assert architecture.block_list == "albert.encoder.albert_layer_groups"


def test_a_list_within_a_block_is_not_the_list_of_blocks() -> None:
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 8, "embedding_size": 8, "vocab_size": 9}
    config = transformers.MobileBertConfig(num_hidden_layers=2, num_feedforward_networks=4, **sizes)
    config.intra_bottleneck_size = config.true_hidden_size = 16
    architecture = architecture_of(transformers.MobileBertForSequenceClassification(config))
    assert (architecture.block_list, architecture.depth) == ("mobilebert.encoder.layer", 2)


def test_groups_of_layers_without_one_list_are_declined() -> None:
    config = transformers.FunnelConfig(d_model=8, n_head=2, d_head=4, d_inner=8, block_sizes=[2, 1], vocab_size=9)
    for head in ("SequenceClassification", "TokenClassification"):
        model = getattr(transformers, f"FunnelFor{head}")(config)
        with pytest.raises(Unsupported, match=f"FunnelFor{head} has groups of layers in encoder.blocks, and no one"):
            architecture_of(model)


@pytest.mark.parametrize("name", ["xlm", "flaubert"])
def test_what_is_in_several_places_is_not_given_as_one(training: Training, name: str) -> None:
    with pytest.raises(
        Unsupported, match=r"adds up transformer\.position_embeddings, .*transformer\.embeddings itself"
    ):
        _ = training.architecture.embeddings
    with pytest.raises(Unsupported, match=r"parts of its blocks in each of transformer\.attentions, transformer\.la"):
        _ = training.architecture.block_list
    assert training.architecture.block(1) == [f"{each}.1" for each in XLM.blocks]


def test_norms_of_decoders_close_the_last_block() -> None:
    for body, norm in (("model", "norm"), ("transformer", "ln_f"), ("gpt_neox", "final_layer_norm")):
        architecture = Architecture(body, (f"{body}.wte",), (f"{body}.h",), DEPTH, None)
        assert architecture.layer_index(f"{body}.{norm}.weight") == LAST
        assert architecture.layer_index(f"{body}.h.0.{norm}.weight") == FIRST
        assert architecture.layer_index(f"{body}.wpe.weight") == BOTTOM
    assert (
        Architecture("model", (), ("model.decoder.layers",), 2, None).layer_index("model.decoder.final_layer_norm.bias")
        == 2
    )
