"""Paragraphs that state facts of the same type about two subjects, with a question on one of the facts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench_lib.tasks.sources.synthetic import names
from bench_lib.tasks.sources.synthetic.draw import Draw, Row
from bench_lib.tasks.sources.synthetic.word_lists import read_lists

SAME_DOMAIN = 0.7
"""Share of the paragraphs that say the same things of both subjects."""
SAME_FORM = 0.5
"""Share of these whose subjects differ by a name alone."""


@dataclass(frozen=True)
class Relation:
    """A property of a subject, with values of one type: person, year, place or count."""

    answer: str
    statements: Sequence[str]
    questions: Sequence[str]


@dataclass(frozen=True)
class Domain:
    """Subjects of one sort, named by forms with {} for a name, and their relations."""

    forms: Sequence[str]
    relations: Sequence[Relation]


_TABLES = read_lists("questions")
DOMAINS = [
    Domain(each["forms"], [Relation(**relation) for relation in each["relations"]]) for each in _TABLES["domains"]
]

Span = tuple[str, int]
"""A text and where it starts in its context."""


@dataclass(frozen=True)
class Question:
    """A question on a context, its answer, and the other spans of the context with the answer's type."""

    title: str
    context: str
    question: str
    answer: Span
    others: tuple[Span, ...]

    @property
    def key(self) -> str:
        return f"{self.context} {self.question}"

    @property
    def units(self) -> int:
        return 1

    def corrupt(self, unit: int, draw: Draw) -> Question:
        """With one of the other spans as its answer; none of them shares a word with the right one."""
        return replace(self, answer=draw.pick(self.others))

    def row(self) -> Row:
        text, start = self.answer
        answers = {"text": [text], "answer_start": [start]}
        name = hashlib.sha256(self.key.encode()).hexdigest()[:24]
        return {"id": name, "title": self.title, "context": self.context, "question": self.question, "answers": answers}


@dataclass(frozen=True)
class _Fact:
    relation: Relation
    subject: str
    value: str

    def clause(self, draw: Draw, pronoun: bool = False) -> str:
        """A statement of the fact, with a pronoun for a subject only where that comes first."""
        statement = draw.pick(self.relation.statements)
        subject = "it" if pronoun and statement.startswith("{s}") else self.subject
        return statement.format(s=subject, v=self.value)


class _Names:
    """Names and numbers for one paragraph, without repeated words."""

    def __init__(self, draw: Draw, unseen: bool) -> None:
        self._draw, self._unseen, self._used = draw, unseen, {""}

    def value(self, kind: str) -> str:
        """A value of that type of answer."""
        text = ""
        while any(word in self._used for word in text.split(" ")):
            text = self._make(kind)
        self._used.update(text.split(" "))
        return text

    def _make(self, kind: str) -> str:
        if kind == "year":
            return str(1780 + self._draw.below(220))
        if kind == "count":
            return str(200 + self._draw.below(500))  # never a part of a year
        last = names.bare(self._draw, self._unseen)
        return f"{names.first(self._draw, self._unseen)} {last}" if kind == "person" else last


def question(draw: Draw, unseen: bool) -> Question:
    """A question in the columns of SQuAD."""
    pairs = _pairs(_Names(draw, unseen), draw)
    context = _paragraph(pairs, draw)
    facts = [fact for pair in pairs for fact in pair]
    asked = draw.pick([fact for fact in facts if len(_values(fact, facts)) > 1])
    return Question(
        title=_capital(facts[0].subject.removeprefix("the ")).replace(" ", "_"),
        context=context,
        question=draw.pick(asked.relation.questions).format(s=asked.subject),
        answer=(asked.value, context.index(asked.value)),
        others=tuple((value, context.index(value)) for value in _values(asked, facts) if value != asked.value),
    )


def _values(like: _Fact, facts: Sequence[_Fact]) -> list[str]:
    """The values of the same type of answer."""
    return [fact.value for fact in facts if fact.relation.answer == like.relation.answer]


def _pairs(fresh: _Names, draw: Draw) -> list[tuple[_Fact, _Fact]]:
    """Facts on one subject, each beside a fact on the other: of the same relation where both share their domain."""
    domains = draw.some(DOMAINS, 2)
    forms = [draw.pick(domain.forms) for domain in domains]
    relations = [_relations(domain, draw) for domain in domains]
    if draw.chance(SAME_DOMAIN):
        forms[1] = forms[0] if draw.chance(SAME_FORM) else draw.pick(domains[0].forms)
        relations[1] = relations[0]
    first, second = (
        _facts(form.format(fresh.value("place")), chosen, fresh) for form, chosen in zip(forms, relations, strict=True)
    )
    return draw.some(list(zip(first, second, strict=True)), len(first))


def _relations(domain: Domain, draw: Draw) -> list[Relation]:
    """Three relations in the domain's order; the answers of one or two of them are persons."""
    persons = [relation for relation in domain.relations if relation.answer == "person"]
    others = [relation for relation in domain.relations if relation.answer != "person"]
    count = 1 + draw.below(2)
    chosen = [*draw.some(persons, count), *draw.some(others, 3 - count)]
    return [relation for relation in domain.relations if relation in chosen]


def _facts(subject: str, relations: Sequence[Relation], fresh: _Names) -> list[_Fact]:
    """A fact for each relation; the years rise in the order of the relations."""
    values = [fresh.value(relation.answer) for relation in relations]
    years = iter(sorted(value for value, relation in zip(values, relations, strict=True) if relation.answer == "year"))
    return [
        _Fact(relation, subject, next(years) if relation.answer == "year" else value)
        for relation, value in zip(relations, values, strict=True)
    ]


def _paragraph(pairs: Sequence[tuple[_Fact, _Fact]], draw: Draw) -> str:
    """Some facts as sentences about both subjects, the rest subject by subject, with pronouns."""
    shared = sum(first.relation is second.relation for first, second in pairs)
    together = min(shared, 1 + draw.below(len(pairs)))
    sentences = [_sentence(pair, draw) for pair in pairs[:together]]
    for group in draw.some([0, 1], 2):
        for i, pair in enumerate(pairs[together:]):
            sentences.append(pair[group].clause(draw, pronoun=i > 0 and draw.chance(0.7)))
    return " ".join(f"{_capital(sentence)}." for sentence in sentences)


def _sentence(pair: Sequence[_Fact], draw: Draw) -> str:
    first, second = draw.some(pair, 2)
    return str(draw.pick(_TABLES["links"])).format(a=first.clause(draw), b=second.clause(draw))


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
