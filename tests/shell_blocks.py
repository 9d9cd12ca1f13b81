"""The commands in the pages of the documentation, as words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "results/*.md", ".github/**/*.md")
    for page in ROOT.glob(pattern)
    if "site" not in page.parts[-2:] and page.name not in ("CHANGELOG.md", "techniques.md", "architectures.md")
)
"""All pages that are written by hand and say how things are; the changes say how they were."""

FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`(stabbench [^`]+)`(?!`)")
STEP = re.compile(r"^\s*(?:- run: |- |)((?:stabbench|pip) .*)$", re.MULTILINE)
ENDS = {";", "&&", "||", "|", "(", ")", "&"}
OPENING = ("do", "then", "else", "nice -n 19", "if")
"""What may stand before a command on its line."""

GIVEN = {"DATA": "path/to/folder"}
"""Variables that the reader sets."""


@dataclass(frozen=True)
class Command:
    """A command with its arguments, and where it stands; a `mention` in a sentence may leave out what it needs."""

    page: str
    words: tuple[str, ...]
    mention: bool = False

    @property
    def program(self) -> str:
        return self.words[0].removeprefix(".venv/bin/")

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def blocks(page: str, *languages: str) -> Iterator[str]:
    """The texts of the fenced blocks of these languages, without their indentation."""
    for indent, language, text in FENCE.findall((ROOT / page).read_text()):
        if language in languages:
            yield re.sub(f"^{indent}", "", text, flags=re.MULTILINE)


def commands(page: str) -> list[Command]:
    """The commands of the shell blocks, of the steps of a workflow, and those that sentences mention."""
    text = (ROOT / page).read_text()
    found = [words for block in blocks(page, "sh") for words in simple(block)]
    for block in blocks(page, "yaml"):
        found += [words for step in STEP.findall(block) for words in simple(step)]
    prose = re.sub(r"\n\s*", " ", FENCE.sub("", text))
    mentioned = [words for span in SPAN.findall(prose) for words in simple(span)]
    return [*(Command(page, words) for words in found), *(Command(page, words, True) for words in mentioned)]


def simple(script: str) -> Iterator[tuple[str, ...]]:
    """The simple commands of a script: variables with a value that the script sets, redirections left out."""
    known = dict(GIVEN)
    for line in re.sub(r"\\\n", "", script).splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word not in ENDS:
                words.append(word)
            elif words:
                yield from _command(words, known)
                words = []


def _command(words: Sequence[str], known: dict[str, str]) -> Iterator[tuple[str, ...]]:
    if words[0] == "for":
        known[words[1]] = words[3]
        return
    words = _without_redirections(words)
    for opening in OPENING:
        size = len(opening.split())
        words = words[size:] if words[:size] == opening.split() else words
    while words and (assigned := re.fullmatch(r"(\w+)=(.*)", words[0], re.DOTALL)):
        known[assigned[1]] = _expanded(assigned[2], known)
        words = words[1:]
    words = [part for word in words for part in _parts(word, known)]
    if words and words[0] not in ("done", "fi"):
        yield tuple(words)


def _parts(word: str, known: dict[str, str]) -> list[str]:
    """A word, or those of the variable that it is."""
    whole = re.fullmatch(r"\$\{?(\w+)\}?", word)
    return _expanded(word, known).split() if whole else [_expanded(word, known)]


def _expanded(word: str, known: dict[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda name: known.get(name[1], name[0]), word)


def _without_redirections(words: Sequence[str]) -> list[str]:
    kept, skipped = [], False
    for word in words:
        if re.fullmatch(r"[<>]+", word):
            skipped = True
        elif skipped:
            skipped = False
        else:
            kept.append(word)
    return kept
