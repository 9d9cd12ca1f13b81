"""The keys of tasks whose answers are written, from the file to the examples and the version."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from bench_lib.core.errors import BenchError
from bench_lib.tasks.find import find_task
from bench_lib.tasks.formats import GenerationExample
from bench_lib.tasks.formats.text_metrics import FORM
from bench_lib.tasks.formats.writing import PLAIN, Writing
from bench_lib.tasks.sources.own.reading import own_data
from bench_lib.tasks.task import Data, Task

ROWS = [{"article": f"text {i}", "title": f"title {i}"} for i in range(10)]
COLUMNS = 'columns = {text = "article", answer = "title"}\n'
BLEU = 'metrics = ["bleu"]\n'


def described(folder: Path, text: str, rows: list[dict[str, Any]] = ROWS) -> str:
    """The path of a task's file, with its rows beside it."""
    folder.mkdir(exist_ok=True)
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    path = folder / "titles.toml"
    path.write_text(text)
    own_data.cache_clear()
    return str(path)


def task_of(folder: Path, text: str) -> Task:
    return find_task(described(folder, text))


def data_of(folder: Path, text: str, rows: list[dict[str, Any]]) -> Data:
    return own_data(described(folder, text, rows))


def test_a_template_stops_and_a_language_are_the_tasks(tmp_path: Path) -> None:
    keys = 'template = "Article: {}\\nTitle:"\nstops = ["\\n", "END"]\nanswer_language = "German"\ndrops_blank = true\n'
    data = data_of(tmp_path, COLUMNS + keys, [*ROWS, {"article": " ", "title": "nothing"}])
    assert data.task.writing == Writing("Article: {}\nTitle:", ("\n", "END"), "German", drops_blank=True)
    assert len(data.train) + len(data.evaluation) == 10
    example = data.train[0]
    assert isinstance(example, GenerationExample)
    assert example.prompt == f"Article: {example.text}\nTitle:"
    assert (example.stops, example.language) == (("\n", "END"), "German")
    assert data.task.metrics == ("bleu", "chrf", *FORM)


@pytest.mark.parametrize(
    ("keys", "metrics"),
    [
        ("", ("bleu", "chrf", "rouge_l", *FORM)),
        ('language = "Chinese"\n', ("bleu", "chrf", *FORM)),
        ('language = "Japanese"\n', ("chrf", *FORM)),
        ('language = "Japanese"\nanswer_language = "English"\n', ("bleu", "chrf", "rouge_l", *FORM)),
        ('answer_language = "Thai"\n', ("chrf", *FORM)),
        ('metrics = ["rouge_1", "ended"]\n', ("rouge_1", "ended")),
    ],
)
def test_usual_metrics_are_those_of_the_answers_language(tmp_path: Path, keys: str, metrics: tuple[str, ...]) -> None:
    assert task_of(tmp_path, COLUMNS + keys).metrics == metrics


def test_each_key_is_part_of_the_version_unless_it_says_what_is_so_anyway(tmp_path: Path) -> None:
    keys = ('template = "{}:"\n', 'template = "{} -"\n', 'stops = ["."]\n', "drops_blank = true\n")
    more = ('answer_language = "French"\n', 'stops = ["."]\ntemplate = "{}:"\n')
    versions = [task_of(tmp_path, COLUMNS + BLEU + one).version for one in (*keys, *more)]
    plain = task_of(tmp_path, COLUMNS + BLEU)
    assert len({plain.version, *versions}) == 7
    said = 'template = "{}"\nanswer_language = "English"\ndrops_blank = false\n'
    assert task_of(tmp_path, COLUMNS + BLEU + said).version == plain.version
    assert task_of(tmp_path, COLUMNS + BLEU + said).writing == plain.writing == PLAIN


@pytest.mark.parametrize(
    ("rows", "text", "version"),
    [
        ([{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(10)], "", "own-d9f980c3d836"),
        ([{"a": f"text {i}", "b": i / 4} for i in range(10)], 'format = "regression"\n', "own-e4918a26ec6d"),
        (
            [{"a": f"text {i}", "b": f"answer {i}"} for i in range(10)],
            'format = "generation"\n' + BLEU,
            "own-ded68c6cb314",
        ),
        (
            [{"a": f"text {i}", "b": ["xy"[i % 2]]} for i in range(10)],
            'format = "multi_label"\nlanguage = "Danish"\n',
            "own-8e0b9e240e7e",
        ),
    ],
    ids=["sequence", "regression", "generation", "multi_label"],
)
def test_versions_are_what_they_were_before_these_keys(
    tmp_path: Path, rows: list[dict[str, Any]], text: str, version: str
) -> None:
    columns = 'columns = ["a", "b"]\n' if text else ""
    assert data_of(tmp_path, text + columns, rows).task.version == version


def test_rows_of_the_same_prompt_are_one_example_of_evaluation(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    with (tmp_path / "own/test.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["article", "title"])
        writer.writeheader()
        writer.writerows(
            [{"article": "a", "title": "b"}, {"article": "c", "title": "d"}, {"article": "a", "title": "e"}]
        )
    data = data_of(tmp_path / "own", COLUMNS, ROWS)
    assert [(e.inputs, e.reference) for e in data.evaluation] == [(("a",), ("b", "e")), (("c",), ("d",))]
    assert len(data.train) == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            COLUMNS + 'template = "Title:"',
            r"titles\.toml: template is 'Title:'; allowed: the prompt, with {} in it once",
        ),
        (COLUMNS + 'template = "{} and {}"', "template is '{} and {}'; allowed: the prompt, with {} in it once"),
        (COLUMNS + "template = 3", "template is 3; allowed: the prompt"),
        (COLUMNS + 'stops = "."', r"stops is '\.'; allowed: a list of texts before which an answer ends"),
        (COLUMNS + 'stops = [""]', r"stops is \[''\]; allowed: a list of texts"),
        (COLUMNS + "stops = []", r"stops is \[\]; allowed: a list of texts"),
        (COLUMNS + 'answer_language = ""', "answer_language is ''; allowed: text in quotes"),
        (COLUMNS + 'drops_blank = "yes"', "drops_blank is 'yes'; allowed: true or false"),
        (COLUMNS + 'templat = "{}"', "unknown key 'templat': did you mean 'template'"),
        (COLUMNS + 'metrics = ["ended"]', "primary metric of task titles .* is 'ended'; allowed: one that compares"),
        (
            COLUMNS + 'answer_language = "Thai"\nmetrics = ["bleu"]',
            r"titles\.toml: language of the answers of task titles, which bleu .* is 'Thai'; allowed: .*chrf needs no",
        ),
        (COLUMNS + 'labels = ["a", "b"]', "labels of task titles .*; allowed: none, since the answers are texts"),
        (
            'format = "sentiment"\ntemplate = "{}"\nstops = ["."]',
            r"stops is \['\.'\]; allowed: only with a format that writes text \(generation\), and this is sequence",
        ),
        (
            'columns = {text = "article", label = "title"}\nanswer_language = "German"',
            r"answer_language is 'German'; allowed: only .* this is sequence, by its columns .*; say it in a file",
        ),
        (
            'columns = {text = "article", label = "title"}\nformat = "generation"',
            "unknown column of generation tasks 'label': known: answer, text",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BenchError, match=message):
        task_of(tmp_path, text)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"article": "a", "title": " "},
            "row 1 .*: title is ' '; expected a text that is not blank, or a list of such",
        ),
        ({"article": " ", "title": "b"}, "row 1 .*: article is ''; expected text that is not blank"),
        ({"article": 3, "title": "b"}, "row 1 .*: article is 3; expected text"),
        ({"article": "a", "title": 3}, "row 1 .*: title is 3; expected text, as in the rows before"),
    ],
)
def test_a_row_that_is_wrong_is_named(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchError, match=message):
        data_of(tmp_path, COLUMNS, [ROWS[0], row, *ROWS[1:]])


def test_an_answer_with_a_stop_in_it_is_named(tmp_path: Path) -> None:
    rows = [ROWS[0], {"article": "a", "title": "two\r\nlines"}, *ROWS[1:]]
    with pytest.raises(
        BenchError, match=r"row 1 .*: title is 'two.nlines'; expected a text without '.n', before which"
    ):
        data_of(tmp_path, COLUMNS + 'stops = ["END", "\\n"]\n', rows)
