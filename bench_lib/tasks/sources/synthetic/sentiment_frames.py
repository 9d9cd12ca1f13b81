"""Sentence frames for the sentiment corpora.

A frame is (text, sign): the opinion words in {A}, {N}, {V} and {B} share one polarity, and the sentence means that
polarity times the sign. Every frame serves both labels, so that only the opinion words together with their frame tell.
A adjective, N noun phrase, V verb in the past, B its base form; x aspect, y countable aspect, w work, i intensifier,
c companion, p place, j hero, t town, e errand, s event. A digit makes a second word of the kind.
"""

from __future__ import annotations

Frames = tuple[tuple[str, int], ...]

PLAIN: Frames = (
    ("the {x} is {A}.", 1),
    ("the {x} is {i} {A}.", 1),
    ("this {w} is {N}.", 1),
    ("watching it was {N}.", 1),
    ("this {w} {V}.", 1),
    ("the {x} {V}.", 1),
    ("a {A} {w} with a {A2} {y}.", 1),
    ("a {i} {A} {w}.", 1),
    ("every scene is {A}.", 1),
    ("the {x} is {A} and the {x2} is {A2}.", 1),
    ("I found the {x} {A}.", 1),
    ("what a {A} {w}!", 1),
    ("{A} and {A2}, from the first scene to the last.", 1),
    ("seldom have I seen a {w} so {A}.", 1),
    ("this is one of the most {A} pictures of the year.", 1),
    ("the {x} alone is {N}.", 1),
    ("the {x} is {A}, and so is the {x2}.", 1),
    ("a {A} {y} and a {A2} {y2} in one {w}.", 1),
)

FLIPPED: Frames = (
    ("the {x} is not {A}.", -1),
    ("the {x} is never {A}.", -1),
    ("the {x} is hardly {A}.", -1),
    ("the {x} is anything but {A}.", -1),
    ("the {x} is far from {A}.", -1),
    ("there is nothing {A} about the {x}.", -1),
    ("there is not one {A} scene in this {w}.", -1),
    ("not a {A} moment from start to finish.", -1),
    ("I would not call this {w} {A}.", -1),
    ("nobody could call the {x} {A}.", -1),
    ("watching it was not {N}.", -1),
    ("this {w} never {V}.", -1),
    ("the {x} did not {B}.", -1),
    ("two hours pass without one {A} minute.", -1),
    ("neither the {x} nor the {x2} is {A}.", -1),
    ("I looked for a {A} scene and did not find one.", -1),
)

COMPOSED: Frames = (
    ("the {x} could not be more {A}.", 1),
    ("the {x} could not be less {A}.", -1),
    ("the critics who called the {x} {A} were right.", 1),
    ("the critics who called the {x} {A} were wrong.", -1),
    ("I waited for it to {B}, and soon it did.", 1),
    ("I waited for it to {B}, and it never did.", -1),
    ("the {x} is even more {A} than people say.", 1),
    ("the {x} is much less {A} than people say.", -1),
    ("it would be hard to find a {w} more {A}.", 1),
    ("the only {A} thing in this {w} is the poster.", -1),
    ("it would be wrong not to call this {w} {A}.", 1),
    ("it would be wrong to call this {w} {A}.", -1),
    ("like its rivals, this {w} is {A}.", 1),
    ("compared with this {w}, its rivals look {A}.", -1),
)

REMARKS = {"plain": PLAIN, "flipped": FLIPPED, "composed": COMPOSED}

ASPECT_CLAUSES: Frames = (
    ("the {x} is {A}", 1),
    ("the {x} is {i} {A}", 1),
    ("the {x} {V}", 1),
    ("the {x} is {A} and {A2}", 1),
    ("the {x} is not {A}", -1),
    ("the {x} is hardly {A}", -1),
)

CLAUSES: Frames = (
    *ASPECT_CLAUSES,
    ("the {w} is {N}", 1),
    ("the {w} {V}", 1),
    ("the {w} never {V}", -1),
)

CONTRASTS = (
    "{loser}, but {winner}.",
    "although {loser}, {winner}.",
    "{winner}, even though {loser}.",
    "granted, {loser}; still, {winner}.",
    "{loser}, and yet {winner}.",
    "yes, {loser}. What counts is that {winner}.",
    "even if {loser}, {winner}.",
    "{winner}, although {loser}.",
)

VERDICTS: Frames = (
    ("all in all, this {w} is {N}.", 1),
    ("all in all, this {w} is not {N}.", -1),
    ("my verdict: a {A} and {A2} {w}.", 1),
    ("in the end, I would call it {A}.", 1),
    ("in the end, I would not call it {A}.", -1),
    ("overall, it {V}.", 1),
    ("overall, it did not {B}.", -1),
    ("as a whole, this {w} is {i} {A}.", 1),
    ("as a whole, this {w} is anything but {A}.", -1),
)

HEARSAY = (
    "my {c} found it {A}.",
    "the director's last {w} was {A}.",
    "the trailer made it look {A}.",
    "the short that ran before it was {A} and {A2}.",
    "a man behind us said that it {V}.",
    "my {c} thought that the {x} was {A}.",
    "the papers had called it {N}.",
    "the book it is based on {V}.",
)

OPENINGS = (
    "I saw this {w} {p} with my {c}.",
    "my {c} and I watched this {w} {p}.",
    "we caught this {w} {p} last month.",
    "this {w} was shown {p}, and my {c} had a spare ticket.",
)

PLOTS = (
    "the story follows a {j} who travels to {t} {e}.",
    "a {j} and a {j2} meet in {t} when {s}.",
    "half of it is set in {t}, the other half in {t2}.",
    "the main character is a {j} who comes to {t} {e}.",
    "early on, {s}, and the {j} has to choose between two families.",
    "later the {j} returns to {t}, where {s}.",
    "it runs for about two hours and has three parts.",
    "the lead is played by a {j} who had never acted before.",
    "most of the scenes were shot in {t}.",
)
