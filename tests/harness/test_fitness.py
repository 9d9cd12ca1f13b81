from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from bench_lib.core.profiles import PROFILES
from bench_lib.core.spec import Profile, Ref, RunSpec, TechniqueSpec
from bench_lib.harness import fitness
from bench_lib.harness.corrections import corrections, corrections_of
from bench_lib.harness.fitness import ModelFacts, kept_facts, model_facts, model_problems, positions
from bench_lib.models import MODELS
from bench_lib.models.source import resolve
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import QUESTION_ANSWERING, TEXT_CLASSIFICATION, TEXT_GENERATION, TOKEN_CLASSIFICATION

SHORT = Profile(max_length=32, stride=8)
POSITIONS = 64
WITH_A_TABLE = ("bert", "roberta", "xlm-r", "distilbert", "electra", "albert", "mpnet")
BY_ROTATION = ("modernbert", "nomic")
RELATIVE = ("deberta-v2", "deberta")
AS_THEY_WERE = ("bert", "roberta", "xlm-r", "distilbert", "nomic")
"""Families all of whose parts earlier versions took for what they are."""


def ref_of(families: Any, name: str, *args: Any, **changes: Any) -> Ref:
    return resolve(str(families.folder(name, *args, **changes)), MODELS)


# ---- what a model cannot take ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["smoke", "quick", "desk", "full"])
@pytest.mark.parametrize("model", ["tiny", "minilm"])
def test_the_models_of_this_machine_take_every_task_under_every_profile(model: str, profile: str) -> None:
    ref, family = resolve(model, MODELS), PROFILES.get(profile)
    for name in ("sst2", "imdb", "conll2003", "squad"):
        task = TASKS.get(name)
        assert model_problems(ref, task.format, len(task.labels), family(name, task.format)) == []


@pytest.mark.parametrize("name", [*WITH_A_TABLE, *BY_ROTATION, *RELATIVE])
def test_a_sequence_may_be_as_long_as_there_are_positions_and_no_longer(families: Any, name: str) -> None:
    """The limit is where the model itself fails, or, of rotations, what it was trained for."""
    ref, limit = ref_of(families, name), None if name in RELATIVE else POSITIONS
    model = families.model(name)
    assert positions(model) == limit
    fits = dataclasses.replace(SHORT, max_length=POSITIONS)
    assert model_problems(ref, TEXT_CLASSIFICATION, 2, fits) == []
    found = model_problems(ref, TEXT_CLASSIFICATION, 2, dataclasses.replace(SHORT, max_length=POSITIONS + 1))
    assert found == [
        f"model {ref.name!r} has {limit} positions, and the profile's max_length for sequence tasks is 65; "
        "lower max_length"
    ] * (limit is not None)
    with torch.no_grad():
        model(torch.full((1, POSITIONS), 9), attention_mask=torch.ones(1, POSITIONS, dtype=torch.long))
        if name in WITH_A_TABLE:
            with pytest.raises((IndexError, RuntimeError)):
                model(torch.full((1, POSITIONS + 1), 9), attention_mask=torch.ones(1, POSITIONS + 1, dtype=torch.long))


def test_a_tokenizer_with_more_tokens_than_there_are_embeddings_is_told(families: Any) -> None:
    ref = ref_of(families, "bert", place="few-embeddings", vocab_size=100)
    largest = len(families.tokenizer("bert")) - 1
    (problem,) = model_problems(ref, TEXT_CLASSIFICATION, 2, SHORT)
    assert problem.startswith(
        f"model {ref.name!r}: its tokenizer has tokens up to number {largest}, and the model has "
    )
    assert "embeddings for 100 (0 to 99)" in problem


def test_a_tokenizer_of_another_family_is_told(families: Any, tmp_path: Path) -> None:
    shutil.copytree(families.folder("roberta"), tmp_path / "own")
    for path in families.folder("bert").glob("tokenizer*"):
        shutil.copy(path, tmp_path / "own")
    (problem,) = model_problems(resolve(str(tmp_path / "own"), MODELS), TEXT_CLASSIFICATION, 2, SHORT)
    assert "gives the second text of a pair type 1, and the model has embeddings for 1 types" in problem


def test_token_types_that_a_model_would_take_for_words_are_told(families: Any, tmp_path: Path) -> None:
    assert model_problems(ref_of(families, "xlm"), TEXT_CLASSIFICATION, 2, SHORT) == []
    shutil.copytree(families.folder("xlm"), tmp_path / "own")
    for path in families.folder("bert").glob("tokenizer*"):
        shutil.copy(path, tmp_path / "own")
    (problem,) = model_problems(resolve(str(tmp_path / "own"), MODELS), TEXT_CLASSIFICATION, 2, SHORT)
    assert "gives token types, which XLMForSequenceClassification looks up among its words; leave" in problem


def test_no_head_a_broken_body_and_a_wrong_layout_are_each_a_line(families: Any, tmp_path: Path) -> None:
    nomic = ref_of(families, "nomic")
    assert model_problems(nomic, QUESTION_ANSWERING, 0, SHORT) == [
        f"model {nomic.name!r} (nomic_bert) has no head for span tasks"
    ]
    llama = ref_of(families, "llama")
    assert model_problems(llama, TEXT_CLASSIFICATION, 2, SHORT) == []
    shutil.copytree(families.folder("bert"), tmp_path / "own")
    config = json.loads((tmp_path / "own" / "config.json").read_text())
    (tmp_path / "own" / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 4}))
    (problem,) = model_problems(resolve(str(tmp_path / "own"), MODELS), TEXT_CLASSIFICATION, 2, SHORT)
    assert "does not hold the body whole" in problem
    assert model_problems(Ref(str(tmp_path / "none"), "sha256:0"), TEXT_CLASSIFICATION, 2, SHORT)[0].startswith(
        "unknown model"
    )


def test_every_problem_is_told_at_once(families: Any) -> None:
    ref = ref_of(families, "bert", place="few-embeddings", vocab_size=100)
    profile = dataclasses.replace(SHORT, max_length=128, keep_head=True)
    found = model_problems(ref, TOKEN_CLASSIFICATION, 9, profile)
    assert [part for problem in found for part in ("tokens up to", "64 positions", "keep_head") if part in problem] == [
        "tokens up to",
        "64 positions",
        "keep_head",
    ]


def test_a_stride_that_leaves_no_room_for_any_question_is_told(families: Any) -> None:
    ref = ref_of(families, "roberta")
    assert model_problems(ref, QUESTION_ANSWERING, 0, Profile(max_length=32, stride=27)) == []
    (problem,) = model_problems(ref, QUESTION_ANSWERING, 0, Profile(max_length=32, stride=28))
    assert "adds 4 special tokens, which leaves 28 of max_length 32 for question and context" in problem
    assert model_problems(ref, TEXT_CLASSIFICATION, 2, Profile(max_length=32, stride=28)) == []


def test_a_model_is_looked_at_once(families: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = ref_of(families, "electra")
    first = model_facts(ref, TEXT_CLASSIFICATION, 2)
    monkeypatch.setattr("bench_lib.harness.fitness.load_tokenizer", lambda ref: 1 / 0)
    for length in (32, 48, 100):
        model_problems(ref, TEXT_CLASSIFICATION, 2, dataclasses.replace(SHORT, max_length=length))
    assert model_facts(ref, TEXT_CLASSIFICATION, 2) is first


# ---- what was once wrong ---------------------------------------------------------------------------------------------

CONLL, SST2, SQUAD = (TASKS.get(name) for name in ("conll2003", "sst2", "squad"))
RIGHT = ModelFacts(problems=())


def spec_of(model: Ref = Ref("m", "1"), stack: tuple[str, ...] = ("adamw",), **profile: Any) -> RunSpec:  # noqa: B008
    techniques = tuple(TechniqueSpec(name) for name in stack)
    return RunSpec("t", "1", Ref("d", "1"), techniques, model, Profile(**profile), 0)


@pytest.mark.parametrize(
    ("facts", "task", "spec", "expected"),
    [
        ({}, CONLL, spec_of(), []),
        ({}, SST2, spec_of(stack=("r_drop", "dropout"), dropout=0.2), []),
        ({"reads_words_alike": False}, CONLL, spec_of(), ["words"]),
        ({"reads_words_alike": False}, SST2, spec_of(), []),
        ({"shares_characters": True}, SQUAD, spec_of(), ["answers"]),
        ({"shares_characters": True}, SST2, spec_of(), []),
        ({"kept_head": ("classifier",)}, SST2, spec_of(), ["head"]),
        ({"kept_head": ("classifier",)}, SST2, spec_of(keep_head=True), []),
        ({"dropout_outside": True}, SST2, spec_of(), []),
        ({"dropout_outside": True}, SST2, spec_of(dropout=0.1), ["dropout"]),
        ({"dropout_outside": True}, SST2, spec_of(stack=("adamw", "hype")), ["dropout"]),
        ({"dropout_outside": True, "drops_out": False}, SST2, spec_of(stack=("dropout",)), ["dropout"]),
        ({"drops_out": False}, SST2, spec_of(stack=("r_drop",)), ["dropout"]),
        ({"drops_out": False}, SST2, spec_of(), []),
        ({}, SST2, spec_of(stack=("r_drop",), dropout=0.0), ["dropout"]),
        ({"drops_out": False}, SST2, spec_of(stack=("r_drop",), dropout=0.1), []),
        ({"reads_words_alike": False, "kept_head": ("classifier",)}, CONLL, spec_of(), ["words", "head"]),
        ({"misplaced": True}, SST2, spec_of(), ["parts"]),
        ({"embeds_apart": True}, CONLL, spec_of(stack=("llrd", "fgm")), []),
        ({"embeds_apart": True, "misplaced": True}, CONLL, spec_of(stack=("llrd", "lnsr")), ["parts", "embedded"]),
        ({"misplaced": True, "shares_characters": True}, SQUAD, spec_of(stack=("llrd",)), ["answers", "parts"]),
    ],
)
def test_corrections_are_those_of_runs_that_were_wrong(
    facts: dict[str, Any], task: Any, spec: RunSpec, expected: list[str]
) -> None:
    found = corrections(spec, task.format, task.labels, dataclasses.replace(RIGHT, **facts))
    assert found == tuple((name, "2") for name in expected)


@pytest.mark.parametrize("labels", [("O", "B-PER", "I-PER"), ("B-PER", "I-PER", "O")])
def test_words_that_were_cut_off_were_wrong_where_o_is_not_first(labels: tuple[str, ...]) -> None:
    found = corrections(spec_of(), TOKEN_CLASSIFICATION, labels, RIGHT)
    assert found == ((("outside", "2"),) if labels[0] != "O" else ())


@pytest.mark.parametrize("model", ["minilm", "tiny"])
@pytest.mark.parametrize("stack", [("adamw",), ("r_drop",), ("dropout",), ("hype",)])
def test_runs_of_the_stored_models_need_none(model: str, stack: tuple[str, ...]) -> None:
    ref = resolve(model, MODELS)
    for task in (SST2, CONLL, SQUAD):
        assert corrections_of(spec_of(ref, stack), task.format, task.labels) == ()


def test_families_that_were_read_wrong_need_them(families: Any, tmp_path: Path) -> None:
    def needed(name: str, task: Any, *stack: str) -> list[str]:
        spec = spec_of(ref_of(families, name), stack or ("adamw",))
        return [correction for correction, _ in corrections_of(spec, task.format, task.labels)]

    def of_all(task: Any, *stack: str) -> dict[str, list[str]]:
        return {name: found for name in families if (found := needed(name, task, *stack))}

    parts = {name: ["parts"] for name in families if name not in AS_THEY_WERE}
    assert of_all(SST2) == parts
    both = ("deberta", "modernbert", "xlm", "flaubert")
    words = {"roberta": ["words"], **{name: ["words", "parts"] for name in both}}
    assert of_all(CONLL) == {**parts, **words}
    drop = {"modernbert": ["dropout", "parts"], "nomic": ["dropout"]}
    assert of_all(SST2, "r_drop") == {**parts, **drop}
    outside = {name: ["dropout", "parts"] for name in ("xlm", "flaubert")}
    assert of_all(SST2, "dropout") == {**parts, **drop, **outside}


def test_what_changed_embeddings_missed_those_that_t5s_encoder_reads(families: Any) -> None:
    ref = ref_of(families, "t5")
    for task, stack, expected in (
        (CONLL, "neftune", ["parts", "embedded"]),
        (CONLL, "adamw", ["parts"]),
        (SST2, "neftune", []),
    ):
        found = corrections_of(spec_of(ref, (stack,)), task.format, task.labels)
        assert [correction for correction, _ in found] == expected
    assert [name for name in families if model_facts(ref_of(families, name), TEXT_CLASSIFICATION, 2).embeds_apart] == []


def test_a_checkpoint_that_was_fine_tuned_needs_one_where_its_head_fits(families: Any) -> None:
    import transformers

    ref = ref_of(families, "bert", transformers.AutoModelForSequenceClassification, "fine-tuned", num_labels=2)
    for labels, expected in ((2, (("head", "2"),)), (3, ())):
        assert corrections_of(spec_of(ref), TEXT_CLASSIFICATION, [str(i) for i in range(labels)]) == expected
    assert model_facts(ref, TEXT_CLASSIFICATION, 2).kept_head == ("classifier",)
    assert corrections_of(spec_of(ref, keep_head=True), TEXT_CLASSIFICATION, ["a", "b"]) == ()


# ---- written answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", [name for name in PROFILES.names() if "stress" not in name])
def test_the_tiny_decoder_takes_what_is_written_under_every_profile(profile: str) -> None:
    ref, family = resolve("tiny-llama", MODELS), PROFILES.get(profile)
    for name in ("e2e_nlg", "multi30k", "samsum", "gsm8k", "daily_dialog"):
        assert model_problems(ref, TEXT_GENERATION, 0, family(name, TEXT_GENERATION)) == [], name


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"answer_tokens": 32}, "profile field answer_tokens is 32; allowed: less than max_length, 32, so that"),
        ({"attack": 0.5}, "profile field attack is 0.5; allowed: 0, since what generation tasks write is read too"),
        (
            {"chat_template": True, "answer_tokens": 8},
            "has no chat template, which the profile's chat_template asks for",
        ),
    ],
)
def test_settings_that_cannot_be_heeded_where_answers_are_written_are_told(
    families: Any, changes: dict[str, Any], reason: str
) -> None:
    ref = resolve(str(families.folder("llama", transformers.AutoModelForCausalLM, "llama-writer")), MODELS)
    profile = dataclasses.replace(SHORT, **{"answer_tokens": 8, **changes})
    (told,) = model_problems(ref, TEXT_GENERATION, 0, profile)
    assert reason in told
    assert model_problems(ref, TEXT_GENERATION, 0, dataclasses.replace(SHORT, answer_tokens=8)) == []


def test_a_chat_template_is_for_written_answers_alone() -> None:
    ref, chatty = resolve("tiny-llama", MODELS), dataclasses.replace(SHORT, chat_template=True, answer_tokens=8)
    assert model_problems(ref, TEXT_GENERATION, 0, chatty) == []
    (told,) = model_problems(ref, TEXT_CLASSIFICATION, 2, chatty)
    assert told == "profile field chat_template is True; allowed: False, since sequence tasks have no prompt"


@pytest.mark.parametrize(
    ("family", "what"),
    [("bert", "is neither a causal decoder nor an encoder-decoder of")],
)
def test_a_model_that_cannot_write_is_told(families: Any, family: str, what: str) -> None:
    (told,) = model_problems(ref_of(families, family), TEXT_GENERATION, 0, dataclasses.replace(SHORT, answer_tokens=8))
    assert what in told


# ---- what is kept of a model -----------------------------------------------------------------------------------------


def _loaded(*_: object) -> ModelFacts:
    raise AssertionError("the model is loaded again")


def test_the_facts_of_a_model_are_kept_by_its_fingerprint_and_head(monkeypatch: pytest.MonkeyPatch) -> None:
    ref = resolve("tiny", MODELS)
    kept_facts.cache_clear()
    found = {head: kept_facts(ref, head, 2) for head in (TEXT_CLASSIFICATION, QUESTION_ANSWERING)}
    kept_facts.cache_clear()
    assert found == {head: model_facts(ref, head, 2) for head in found}
    monkeypatch.setattr(fitness, "model_facts", _loaded)
    assert found == {head: kept_facts(ref, head, 2) for head in found}
    for other, labels in ((ref, 3), (dataclasses.replace(ref, fingerprint="another"), 2)):
        with pytest.raises(AssertionError, match="loaded again"):
            kept_facts(other, TEXT_CLASSIFICATION, labels)
    kept_facts.cache_clear()


def test_nothing_is_kept_of_a_model_with_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_facts.cache_clear()
    broken = Ref(str(tmp_path), "sha256:0")
    assert kept_facts(broken, TEXT_CLASSIFICATION, 2).problems
    kept_facts.cache_clear()
    monkeypatch.setattr(fitness, "model_facts", _loaded)
    with pytest.raises(AssertionError, match="loaded again"):
        kept_facts(broken, TEXT_CLASSIFICATION, 2)
