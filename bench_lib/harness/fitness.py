"""Whether a model can be trained on a task under a profile, as far as that is known before training."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from torch import nn

from bench_lib.core.errors import BenchError
from bench_lib.core.spec import Profile, Ref
from bench_lib.harness.trimming import trimming_problem
from bench_lib.instruments.cache import code_digest, keep_value, read_value
from bench_lib.instruments.versions import installed
from bench_lib.models.architecture import architecture_of, is_matrix, position_tables, word_embeddings
from bench_lib.models.attention import fuses_attention, unfused
from bench_lib.models.load import Template, load_tokenizer, read_template
from bench_lib.models.trimmed import untrimmable
from bench_lib.models.words import reads_words_alike, shares_characters
from bench_lib.tasks.formats import Format
from bench_lib.techniques.toolkit.dropout_rates import dropout_sites

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FOUND_BY = ("models", "harness/fitness.py", "techniques/toolkit/dropout_rates.py")
LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors")
"""The code and the libraries by which the facts of a model are found."""


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a model with its tokenizer and a head, by value.

    `problems` are the reasons why it cannot be used at all. `positions` is the longest sequence in tokens, None for no
    limit. `kept_head` names the modules of a fine-tuned head in the checkpoint; `headless` is the reason why it cannot
    be kept. `reads_words_alike` and `shares_characters` are as in `models.words`. `dropout_outside` says that some
    dropout is outside of dropout layers, `drops_out` that some rate is above 0, and `misplaced` that earlier versions
    confused parts of the model. `embeds_apart` says that its one stack reads another table of words than the one that
    the model names. `chats` says that its tokenizer has a chat template, `checkpoints_gradients` that its blocks can be
    computed again for their gradients, and `fuses_attention` that its attention can be torch's fused kernels'.
    `untrimmable` is the reason why it needs all word embeddings.
    """

    problems: tuple[str, ...]
    positions: int | None = None
    pair_tokens: int = 0
    kept_head: tuple[str, ...] = ()
    headless: str = ""
    reads_words_alike: bool = True
    shares_characters: bool = False
    dropout_outside: bool = False
    drops_out: bool = True
    misplaced: bool = False
    embeds_apart: bool = False
    chats: bool = False
    checkpoints_gradients: bool = True
    untrimmable: str = ""
    fuses_attention: bool = True


def model_problems(ref: Ref, task_format: Format, labels: int, profile: Profile) -> list[str]:
    """Reasons why no run of a task format under the profile can use the model, one a line; empty where it can.

    The model is loaded once for each format and number of labels, and not kept.
    """
    facts = model_facts(ref, task_format, labels)
    return [*facts.problems, *_misfits(ref, task_format, facts, profile)]


def _misfits(ref: Ref, task_format: Format, facts: ModelFacts, profile: Profile) -> Iterator[str]:
    if facts.positions is not None and profile.max_length > facts.positions:
        yield (
            f"model {ref.name!r} has {facts.positions} positions, and the profile's max_length for {task_format} tasks "
            f"is {profile.max_length}; lower max_length"
        )
    room = profile.max_length - facts.pair_tokens
    if task_format.reads_windows and not facts.problems and room <= profile.stride:
        yield (
            f"model {ref.name!r} adds {facts.pair_tokens} special tokens, which leaves {room} of max_length "
            f"{profile.max_length} for question and context, and the stride takes {profile.stride}; lower stride"
        )
    yield from _unwritable(ref, task_format, facts, profile)
    if profile.keep_head and facts.headless:
        yield f"model {ref.name!r}: {facts.headless}"
    if profile.gradient_checkpointing and not facts.problems and not facts.checkpoints_gradients:
        yield f"model {ref.name!r} cannot compute its blocks again; set gradient_checkpointing to False"
    if problem := trimming_problem(task_format, profile):
        yield problem
    elif profile.trim_vocabulary and not facts.problems and facts.untrimmable:
        yield f"model {ref.name!r}: {facts.untrimmable}; set trim_vocabulary to False"
    if profile.attention == "sdpa" and not facts.problems and not facts.fuses_attention:
        yield unfused(ref)


def _unwritable(ref: Ref, task_format: Format, facts: ModelFacts, profile: Profile) -> Iterator[str]:
    """Reasons why a profile's settings of written answers cannot be heeded."""
    if profile.chat_template and not task_format.writes_text:
        yield f"profile field chat_template is True; allowed: False, since {task_format} tasks have no prompt"
    elif profile.chat_template and not facts.problems and not facts.chats:
        yield f"model {ref.name!r} has no chat template, which the profile's chat_template asks for; set it to False"
    if task_format.writes_text and profile.answer_tokens >= profile.max_length:
        yield (
            f"profile field answer_tokens is {profile.answer_tokens}; allowed: less than max_length, "
            f"{profile.max_length}, so that there is room for a prompt"
        )
    if task_format.writes_text and profile.attack:
        yield f"profile field attack is {profile.attack}; allowed: 0, since what {task_format} tasks write is read too"


@functools.lru_cache(maxsize=256)
def kept_facts(ref: Ref, task_format: Format, labels: int) -> ModelFacts:
    """As `model_facts`, but of a model without problems that was loaded before from the user's cache.

    The facts follow from the model's fingerprint, its head, the code and the libraries: so do the ids of its runs. To
    train it the model is tried anew, by `model_problems`.
    """
    head = [task_format.auto_model, task_format.writes_text, task_format.head_outputs(labels)]
    key = [ref.fingerprint, *head, code_digest(*FOUND_BY), *installed(LIBRARIES)]
    kept = read_value("models", key)
    if kept is not None and kept.keys() == {field.name for field in fields(ModelFacts)}:
        # JSON has lists in place of tuples.
        values: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in kept.items()}
        return ModelFacts(**values)
    facts = model_facts(ref, task_format, labels)
    if not facts.problems:
        keep_value("models", key, vars(facts))
    return facts


@functools.lru_cache(maxsize=256)
def model_facts(ref: Ref, task_format: Format, labels: int) -> ModelFacts:
    """The facts of a model; a model that cannot be loaded has the reason among its problems."""
    try:
        # Past the cache, since planning must not keep models that other processes will train.
        template = read_template(ref, task_format, labels)
        tokenizer = load_tokenizer(ref)
    except BenchError as error:
        return ModelFacts((str(error),))
    layers = sum(isinstance(module, nn.Dropout) for module in template.model.modules())
    sites, problems = dropout_sites(template.model), tuple(_problems(ref, template))
    return ModelFacts(
        problems=problems,
        positions=positions(template.model),
        pair_tokens=int(tokenizer.num_special_tokens_to_add(pair=True)),
        kept_head=tuple(sorted({name.split(".")[0] for name in template.fresh - template.missing})),
        headless=_headless(template),
        reads_words_alike=reads_words_alike(tokenizer),
        shares_characters=shares_characters(tokenizer),
        dropout_outside=len(sites) > layers,
        drops_out=any(site.rate > 0 for site in sites),
        misplaced=not problems and _misplaced(template.model),
        embeds_apart=not problems and _embeds_apart(template.model),
        chats=bool(tokenizer.chat_template),
        checkpoints_gradients=template.model.supports_gradient_checkpointing,
        untrimmable=untrimmable(template.model),
        fuses_attention=fuses_attention(template.model),
    )


def _problems(ref: Ref, template: Template) -> Iterator[str]:
    tokenizer, model = load_tokenizer(ref), template.model
    tables: tuple[str, ...] = ()
    try:
        tables = architecture_of(model).embedded
    except BenchError as error:
        yield f"model {ref.name!r}: {error}"
    rows, largest = len(word_embeddings(model).get_parameter("weight")), max(tokenizer.get_vocab().values())
    if largest >= rows:
        yield (
            f"model {ref.name!r}: its tokenizer has tokens up to number {largest}, and the model has embeddings for "
            f"{rows} (0 to {rows - 1}); they do not belong together"
        )
    types = tokenizer("a", "a").get("token_type_ids", [0])
    sizes = [
        m.num_embeddings
        for n, m in model.named_modules()
        if n.endswith("token_type_embeddings") and isinstance(m, nn.Embedding)
    ]
    if any(max(types) >= size for size in sizes):
        yield (
            f"model {ref.name!r}: its tokenizer gives the second text of a pair type {max(types)}, and the model has "
            f"embeddings for {min(sizes)} types; they do not belong together"
        )
    takes = inspect.signature(type(model).forward).parameters
    varied = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in takes.values())
    ignored = "token_type_ids" not in takes and not varied
    # A body that sums its tables and has none for types reads types as words, as XLM and GPT-2 do.
    mistaken = "token_type_ids" in takes and len(tables) > 1 and not sizes
    if "token_type_ids" in tokenizer.model_input_names and (ignored or mistaken):
        what = "does not take" if ignored else "looks up among its words"
        yield (
            f"model {ref.name!r}: its tokenizer gives token types, which {type(model).__name__} {what}; leave "
            'token_type_ids out of "model_input_names" in its tokenizer_config.json'
        )


def _misplaced(model: PreTrainedModel) -> bool:
    """Whether earlier versions acted on the wrong parameters.

    Other parts of the body counted as head, shared blocks as single ones, and two-dimensional biases as matrices.
    """
    architecture = architecture_of(model)
    known = tuple(f"{place}." for place in (*architecture.embedded, *architecture.lists, architecture.pooler) if place)
    if architecture.causal or architecture.encoder:
        return False  # earlier versions took none
    return architecture.shared or any(
        (architecture.in_body(name) and not name.startswith(known))
        or (parameter.dim() >= 2 and not is_matrix(name, parameter))
        for name, parameter in model.named_parameters()
    )


def _embeds_apart(model: PreTrainedModel) -> bool:
    named = model.get_input_embeddings()
    return not architecture_of(model).encoder and named is not word_embeddings(model)


def positions(model: PreTrainedModel) -> int | None:
    """The longest sequence, in tokens, that a model has positions for; None where they are relative.

    For rotary positions it is the length of pre-training from the configuration.
    """
    if tables := position_tables(model):
        return min(tables)
    rotary = any("rotary" in type(module).__name__.lower() for module in model.modules())
    longest = getattr(model.config, "max_position_embeddings", None)
    return int(longest) if rotary and longest else None


def _headless(template: Template) -> str:
    try:
        template.drawn(keep_head=True)
    except BenchError as error:
        return str(error)
    return ""
