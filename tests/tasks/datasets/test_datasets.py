"""The tasks of classes beyond the standard ones, each on a few rows made up for this test, in the hub's columns."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from bench_lib.core.errors import BadData, Unsupported
from bench_lib.tasks import STANDARD, TASKS
from bench_lib.tasks.formats import TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION, Example, TagExample, TextExample
from bench_lib.tasks.scoring.constant_baseline import constant_baseline
from bench_lib.tasks.scoring.metrics import score
from bench_lib.tasks.sources.parse import parse
from bench_lib.tasks.task import Task
from bench_lib.tasks.transforms.input_noise import perturbed
from bench_lib.tasks.transforms.label_noise import mislabelled
from bench_lib.tasks.transforms.sampling import choose_per_class
from bench_lib.techniques.data.back_translation import BackTranslation
from bench_lib.techniques.data.eda import EDA
from bench_lib.techniques.data.synonym import Synonym
from bench_lib.techniques.interface.training_set import Corpus
from tests.techniques.toolkit.test_thesaurus import vocabulary

RELATION = "The tall <e1>baker</e1> of our town kneads the sour <e2>rye dough</e2> at night."
ROWS: dict[str, list[dict[str, Any]]] = {
    "ag_news": [
        {"text": "Harbour strike ends Crews are back at work.", "label": 2},
        {"text": "Comet seen A new one was found.", "label": 3},
    ],
    "trec": [
        {"text": "Who drew the first map of the moon ?", "coarse_label": 3, "fine_label": 29},
        {"text": "How many legs does a crab have ?", "coarse_label": 5, "fine_label": 38},
    ],
    "banking77": [{"text": "My card never came", "label": 11}, {"text": "Who may open an account?", "label": 1}],
    "clinc_oos": [{"text": "how warm is it in bern", "intent": 5}, {"text": "how deep is the ocean", "intent": 42}],
    "sem_eval_2010_task_8": [
        {"sentence": RELATION, "relation": 17},
        {"sentence": "The <e1>storm</e1> caused the <e2>flood</e2>.", "relation": 0},
    ],
    "chnsenticorp": [{"text": "房间很干净,下次还来", "label": 1}, {"text": "书页都破了", "label": 0}],
    "tnews": [
        {"sentence": "新款电动车下月上市", "label": 6, "idx": 0},
        {"sentence": "球队连胜五场", "label": 3, "idx": 1},
    ],
    "cb": [
        {"premise": "I doubt that it will snow.", "hypothesis": "it will snow", "label": 1, "idx": 0},
        {"premise": "She knew that he lied.", "hypothesis": "he lied", "label": 0, "idx": 1},
    ],
    "boolq": [
        {"question": "is the moon a star", "passage": "The moon is a satellite of the earth.", "label": 0, "idx": 0},
        {"question": "do bees sleep", "passage": "Bees rest at night, some in flowers.", "label": 1, "idx": 1},
    ],
    "wic": [
        {"word": "bank", "sentence1": "We sat on the bank.", "sentence2": "The bank lent it.", "label": 0}
        | {"start1": 14, "end1": 18, "start2": 4, "end2": 8, "idx": 0},
        {"word": "run", "sentence1": "A run of luck.", "sentence2": "A run of wins.", "label": 1}
        | {"start1": 2, "end1": 5, "start2": 2, "end2": 5, "idx": 1},
    ],
    "copa": [
        {"premise": "The pond froze.", "choice1": "It was cold.", "choice2": "Ducks came.", "label": 0}
        | {"question": "cause", "idx": 0},
        {"premise": "He sold {all} his cows.", "choice1": "It rained.", "choice2": "He had no milk.", "label": 1}
        | {"question": "effect", "idx": 1},
    ],
    "wnli": [
        {"sentence1": "The cup fell off the shelf since it was wet.", "sentence2": "The shelf was wet.", "label": 1},
        {"sentence1": "Ann paid Eve since she was owed.", "sentence2": "Ann was owed.", "label": 0},
    ],
    "wnut_17": [
        {"id": "0", "tokens": ["meet", "Zorba", "Quux", "!"], "ner_tags": ["O", "B-person", "I-person", "O"]},
        {"id": "1", "tokens": ["new", "Blorb", "phone"], "ner_tags": [0, 11, 0]},
    ],
    "weibo_ner": [
        {
            "id": "0",
            "tokens": ["我", "在", "伯", "尔", "尼"],
            "ner_tags": ["O", "O", "B-GPE.NAM", "I-GPE.NAM", "I-GPE.NAM"],
        },
        {"id": "1", "tokens": ["朋", "友"], "ner_tags": [7, 15]},
    ],
}
CHINESE = ("chnsenticorp", "tnews", "weibo_ner")
every_task = pytest.mark.parametrize("task", [TASKS.get(name) for name in ROWS], ids=[*ROWS])


def examples(task: Task) -> tuple[Example, ...]:
    return parse(task, ROWS[task.name], "here")


def corpus(task: Task) -> Corpus:
    more: dict[str, Any] = {"judges_wording": task.judges_wording, "language": task.language, "vocabulary": vocabulary}
    return Corpus(examples(task), (), task.format, task.labels, np.random.default_rng(0), **more)


def test_every_task_has_its_rows_here() -> None:
    of_classes = {task.name for task in TASKS if task.format in (TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION)}
    assert {*ROWS} == of_classes - {*STANDARD}
    assert tuple(name for name in TASKS.names() if TASKS.get(name).language == "Chinese") == CHINESE


@every_task
def test_rows_are_read_in_the_hubs_columns(task: Task) -> None:
    target = task.columns[-1]
    for row, example in zip(ROWS[task.name], examples(task), strict=True):
        if isinstance(example, TagExample):
            assert example.words == tuple(row["tokens"])
            assert [task.labels[tag] for tag in example.tags] == [
                tag if isinstance(tag, str) else task.labels[tag] for tag in row[target]
            ]
        elif task.name == "wic":
            assert example == TextExample(f"{row['word']}: {row['sentence1']}", row[target], row["sentence2"])
        elif task.name == "copa":
            asked = {"cause": "What was the cause?", "effect": "What happened as a result?"}[row["question"]]
            choices = f"Choice 1: {row['choice1']} Choice 2: {row['choice2']}"
            assert example == TextExample(f"{row['premise']} {asked}", row[target], choices)
        else:
            assert example == TextExample(
                row[task.columns[0]],
                row[target],
                row.get({"cb": "hypothesis", "boolq": "passage"}.get(task.name, "sentence2")),
            )


@every_task
def test_right_answers_have_the_best_score_and_a_constant_has_less(task: Task) -> None:
    found = examples(task)
    references = [example.reference for example in found]
    assert set(score(task, references, references).values()) == {1.0}
    baseline = constant_baseline(task, found)
    # With one text in scope and one out of it, the right class is a constant.
    assert baseline == {"clinc_oos": 1.0, "wnut_17": 0.0, "weibo_ner": 0.0, "sem_eval_2010_task_8": 1 / 3}.get(
        task.name, 0.5
    )


@every_task
def test_noise_gives_every_label_another_one_that_the_task_has(task: Task) -> None:
    found = examples(task)
    noisy = mislabelled(found, 1.0, task.labels, np.random.default_rng(0))
    for clean, wrong in zip(found, noisy, strict=True):
        assert clean.inputs == wrong.inputs
        assert not clean.classes(task.labels) & wrong.classes(task.labels)
        assert {*wrong.label_indices} <= {*range(len(task.labels))}
    assert mislabelled(found, 0.0, task.labels, np.random.default_rng(0)) == found


@every_task
def test_a_sample_of_each_class_names_a_class_that_is_missing(task: Task) -> None:
    if len(task.labels) == 2:
        assert choose_per_class(examples(task), task.labels, 1, np.random.default_rng(0)) == (0, 1)
    else:
        with pytest.raises(Unsupported, match="1 training examples of each class are asked for, and 0 hold"):
            choose_per_class(examples(task), task.labels, 1, np.random.default_rng(0))


@every_task
@pytest.mark.parametrize("technique", [EDA(), Synonym(), BackTranslation()], ids=lambda technique: technique.name)
def test_augmentation_is_of_english_words_that_labels_do_not_judge(task: Task, technique: Any) -> None:
    if technique.declines(task.format):
        return
    if task.name in CHINESE:
        reason = f"{technique.name} declines this task: it edits English words, and the texts are Chinese"
    elif task.judges_wording:
        labels = ", ".join(task.labels)
        reason = rf"{technique.name} declines this task: its labels \({labels}\) judge the wording itself"
    elif technique.name != "back_translation":
        assert technique.augment(corpus(task))[:2] == [*examples(task)]
        return
    elif task.name == "sem_eval_2010_task_8":
        reason = "back_translation declines this task: a translation would lose the target inside each text"
    else:
        reason = "there is nothing to translate with"
    with pytest.raises(Unsupported, match=reason):
        technique.augment(corpus(task))


def test_models_of_ones_own_translate_other_languages() -> None:
    with pytest.raises(Unsupported, match="there is nothing to translate with"):
        BackTranslation(there="own/zh-en@1").augment(corpus(TASKS.get("tnews")))


# ---- marked entities -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_marked_entities_are_neither_changed_nor_parted(seed: int) -> None:
    task = TASKS.get("sem_eval_2010_task_8")
    (example, _) = examples(task)
    known = Corpus((example,), (), task.format, task.labels, np.random.default_rng(seed), vocabulary=vocabulary)
    changed = [*EDA(alpha=0.6, copies=8).augment(known)[1:], *Synonym(share=1.0).augment(known)[1:]]
    changed += [perturbed(example, 1.0, task.labels, np.random.default_rng(seed))]
    assert any(other != example for other in changed)
    for other in changed:
        assert [found.group() for found in re.finditer(r"<(e\d)>.*?</\1>", other.inputs[0])] == [
            "<e1>baker</e1>",
            "<e2>rye dough</e2>",
        ]


def test_words_without_both_markers_are_plain() -> None:
    (plain,) = TextExample("a <e1>b c", 0).passages(())
    assert [word.protected for word in plain] == [False] * 3
    (marked,) = TextExample("a (<e1>b c</e1>), d", 0).passages(())
    assert [(word.text, word.protected) for word in marked] == [
        *(("a", False), ("(<e1>b", True), ("c</e1>),", True), ("d", False)),
    ]


# ---- what is wrong ---------------------------------------------------------------------------------------------------


def test_a_label_out_of_many_is_not_answered_with_all_of_them() -> None:
    with pytest.raises(BadData, match="label is 77; expected 0 to 76, the index of a label"):
        parse(TASKS.get("banking77"), [{"text": "Hello", "label": 77}], "here")


def test_a_tag_that_continues_nothing_begins_an_entity_where_the_task_mends_tags() -> None:
    task, tags = TASKS.get("weibo_ner"), ["O", "I-PER.NAM", "I-PER.NAM", "I-PER.NOM"]
    (example,) = parse(task, [{"tokens": [*"他王明友"], "ner_tags": tags}], "here")
    assert isinstance(example, TagExample)
    assert [task.labels[tag] for tag in example.tags] == ["O", "B-PER.NAM", "I-PER.NAM", "B-PER.NOM"]
    with pytest.raises(BadData, match=r"ner_tags\[0\] is 'I-person'; expected strict IOB2"):
        parse(TASKS.get("wnut_17"), [{"tokens": ["Bob"], "ner_tags": ["I-person"]}], "here")
