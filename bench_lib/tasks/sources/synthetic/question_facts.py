"""What the paragraphs state and what is asked about it.

A relation has a type of answer, statements in which {s} is the subject and {v} the value, and questions on it. The
statements of a domain share words with one another's questions, so that overlap of words points astray.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Relation:
    """A property of a subject, whose values are of one type: person, year, place or count."""

    answer: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Domain:
    """Subjects of one sort, named by a form with {} for a name, and what can be said of them."""

    forms: tuple[str, ...]
    relations: tuple[Relation, ...]


_BUILDINGS = Domain(
    ("the {} Bridge", "the {} Tower", "the {} Museum", "the {} Library", "the {} Theatre", "the {} Lighthouse"),
    (
        Relation(
            "person",
            ("{s} was designed by {v}", "{v} was the architect of {s}", "the plans for {s} were drawn by {v}"),
            ("Who designed {s}?", "Who was the architect of {s}?", "Who drew up the plans for {s}?"),
        ),
        Relation(
            "person",
            ("{s} was paid for by {v}", "{v} gave the money for {s}", "most of the cost of {s} was met by {v}"),
            ("Who paid for {s}?", "Who financed the building of {s}?", "Whose money made {s} possible?"),
        ),
        Relation(
            "person",
            ("{s} was opened by {v}", "{v} cut the ribbon at {s}", "{v} declared {s} open"),
            ("Who opened {s}?", "Who cut the ribbon at {s}?", "Who performed the opening of {s}?"),
        ),
        Relation(
            "year",
            ("work on {s} began in {v}", "the first stone of {s} was laid in {v}", "{s} was started in {v}"),
            ("When did work on {s} begin?", "In what year was the building of {s} started?"),
        ),
        Relation(
            "year",
            ("{s} was finished in {v}", "the builders of {s} were done in {v}", "{s} was completed in {v}"),
            ("When was {s} finished?", "In what year was the work on {s} completed?"),
        ),
        Relation(
            "place",
            ("the stone for {s} came from {v}", "{s} was built with stone from {v}"),
            ("Where did the stone of {s} come from?", "Which place supplied the stone for building {s}?"),
        ),
        Relation(
            "place",
            ("most of the workers on {s} were from {v}", "{s} was built by workers from {v}"),
            ("Where did the workers on {s} come from?", "Which place sent the workers for building {s}?"),
        ),
    ),
)

_COMPANIES = Domain(
    ("{} Motors", "{} Steel", "{} Textiles", "{} Brewery", "{} Railways", "{} Foods"),
    (
        Relation(
            "person",
            ("{s} was founded by {v}", "{v} set up {s}", "the founder of {s} was {v}"),
            ("Who founded {s}?", "Who started {s}?", "By whom was {s} set up?"),
        ),
        Relation(
            "person",
            ("{s} was bought by {v}", "{v} later became the owner of {s}", "the owners sold {s} to {v}"),
            ("Who bought {s}?", "To whom was {s} sold?", "Who was the later owner of {s}?"),
        ),
        Relation(
            "person",
            ("the books of {s} were kept by {v}", "{v} looked after the money at {s}"),
            ("Who kept the books of {s}?", "Who was in charge of the accounts at {s}?"),
        ),
        Relation(
            "year",
            ("{s} opened its doors in {v}", "{s} was in business from {v}", "{s} made its first sale in {v}"),
            ("When did {s} open?", "Since what year was {s} in business?", "In what year did {s} start to sell?"),
        ),
        Relation(
            "year",
            ("{s} went bankrupt in {v}", "{s} closed in {v}", "{v} was the last year of {s}"),
            ("When did {s} close?", "In what year did {s} go out of business?"),
        ),
        Relation(
            "place",
            ("{s} had its head office in {v}", "{s} was run from {v}"),
            ("Where was the head office of {s}?", "From which town was {s} run?"),
        ),
        Relation(
            "count",
            ("{s} employed {v} people at its height", "as many as {v} people worked for {s}"),
            ("How many people did {s} employ?", "How many workers did {s} have?"),
        ),
    ),
)

_JOURNEYS = Domain(
    ("the {} expedition", "the {} voyage", "the {} mission", "the {} survey"),
    (
        Relation(
            "person",
            ("{s} was led by {v}", "{v} was in command of {s}", "the leader of {s} was {v}"),
            ("Who led {s}?", "Who was the leader of {s}?", "Who commanded {s}?"),
        ),
        Relation(
            "person",
            ("the maps of {s} were drawn by {v}", "{v} made the charts on {s}"),
            ("Who drew the maps of {s}?", "Who made the charts during {s}?"),
        ),
        Relation(
            "person",
            ("{v} wrote the journal of {s}", "the diary of {s} was kept by {v}"),
            ("Who wrote the journal of {s}?", "Who kept the diary during {s}?"),
        ),
        Relation(
            "place",
            ("{s} set out from {v}", "{s} left the harbour of {v} in spring", "{v} was the port from which {s} sailed"),
            ("Where did {s} set out from?", "Which port did {s} leave?", "Where did {s} start?"),
        ),
        Relation(
            "place",
            ("{s} ended in {v}", "{s} came ashore at {v}", "{v} was the last stop of {s}"),
            ("Where did {s} end?", "At which port did {s} arrive in the end?"),
        ),
        Relation(
            "year",
            ("{s} began in {v}", "{s} started out in {v}"),
            ("When did {s} begin?", "In what year did {s} start?"),
        ),
        Relation(
            "count",
            ("{s} took {v} days", "it was {v} days before {s} was over"),
            ("How many days did {s} take?", "How many days did {s} last?"),
        ),
    ),
)

_BOOKS = Domain(
    ("the novel {}", "the opera {}", "the play {}", "the ballad {}"),
    (
        Relation(
            "person",
            ("{s} was written by {v}", "{v} was the author of {s}", "{s} was the work of {v}"),
            ("Who wrote {s}?", "Who was the author of {s}?", "Whose work was {s}?"),
        ),
        Relation(
            "person",
            ("{s} was translated by {v}", "{v} wrote the English version of {s}"),
            ("Who translated {s}?", "Who wrote the translation of {s}?"),
        ),
        Relation(
            "person",
            ("the hero of {s} was modelled on {v}", "{s} tells the life of {v}"),
            ("On whom was the hero of {s} modelled?", "Whose life is told in {s}?"),
        ),
        Relation(
            "year",
            ("{s} came out in {v}", "{s} was published in {v}", "the public first read {s} in {v}"),
            ("When was {s} published?", "In what year did {s} first come out?"),
        ),
        Relation(
            "year",
            ("{s} was banned in {v}", "the authorities forbade {s} in {v}"),
            ("When was {s} banned?", "In what year was {s} forbidden?"),
        ),
        Relation(
            "place",
            ("{s} is set in {v}", "the events of {s} take place in {v}"),
            ("Where is {s} set?", "In which town does the action of {s} take place?"),
        ),
        Relation(
            "place",
            ("{s} was printed in {v}", "the first copies of {s} were made in {v}"),
            ("Where was {s} printed?", "In which town were the first copies of {s} produced?"),
        ),
    ),
)

DOMAINS = (_BUILDINGS, _COMPANIES, _JOURNEYS, _BOOKS)

LINKS = ("{a}, while {b}", "{a}, and {b}", "{a}; {b}", "{a}, whereas {b}")
"""How the same fact about two subjects is put into one sentence."""
