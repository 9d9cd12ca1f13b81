"""The page of published claims as one Markdown text: their outcomes, then each claim with the contrasts behind it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench_lib.report import formatting as md
from bench_lib.report.analysis.claim_contrasts import Contrast, Outcome
from bench_lib.report.analysis.claim_outcomes import Finding
from bench_lib.report.analysis.published_claims import NOT_VERIFIED, Effect
from bench_lib.report.glossary import LEAST
from bench_lib.report.prose import LINKS, count
from bench_lib.report.values import failures, ratio, verdict
from bench_lib.stats.design import FIRST_LOOK, Margins

EFFECTS = {
    Effect.MORE_STABLE: "more stable",
    Effect.FEWER_FAILURES: "fewer failures",
    Effect.HIGHER_MEAN: "higher mean",
    Effect.NO_LOWER_MEAN: "mean at least as high",
    Effect.NO_EFFECT: "no effect",
}

RULES = f"""A claim is held against the verdicts of the [leaderboard](leaderboard.md) on real data, of its technique
against its baseline, on tasks of the same format; on each task that of the profile nearest in size. *Supported* or
*contradicted*: a verdict says so, and none says the opposite. *More stable* and *fewer failures* are also contradicted
by equivalence (MAD ratio between 1/{Margins().ratio:g} and {Margins().ratio:g}, failure rates and scores within their
margins), *higher mean* by scores that are the same within the margins, and *no effect* is supported by equivalence.
*Undecided*: no test has settled it. The missing seeds are those to {LEAST}, the least for a claim about spread, on the
task that lacks fewest; a large difference may be settled from {FIRST_LOOK} on. As baselines, plain fine-tuning with and
without Adam's bias correction stand in for each other. What is contradicted here may hold in the paper's setting: the
differences are listed with each claim."""

HEAD = (
    *("task", "model, profile", "examples", "shared seeds", "failed [95 %]", "failed, baseline [95 %]"),
    *("MAD ratio [95 %]", "Δ mean", "verdict", "the claim"),
)

MAD_RATIO = ratio("mad_ratio", "mad_ratio_low", "mad_ratio_high")

_CITATION = re.compile(r"\b(arXiv|doi):([^\s;,]*\w)")


def claims_page(findings: Sequence[Finding], baseline: str) -> str:
    """The whole text; deterministic."""
    counts = {outcome: sum(one.outcome is outcome for one in findings) for outcome in Outcome}
    every = ", ".join(f"{number} {outcome}" for outcome, number in counts.items() if number)
    unverified = sum(one.claim.checked == NOT_VERIFIED for one in findings)
    lead = (
        f"{count(len(findings), 'claim')} of papers about techniques of this suite, held against its runs: {every}. "
        f"The baseline of this report is {md.escape(baseline)}. With each claim stands how it was checked against the "
        f"paper; {unverified} are not verified."
    )
    rows = [_row(one) for one in findings]
    table = md.table(["technique", "against", "claim", "source", "outcome"], rows, text_columns=5)
    rules = " ".join(RULES.split())
    return "\n".join(["# Published claims\n", f"{lead}\n", f"{rules}\n", table, *map(_section, findings)])


def _row(one: Finding) -> list[str]:
    name = f"[{md.escape(one.claim.technique)}](#{one.name})"
    effect = EFFECTS[Effect(one.claim.effect)]
    return [name, md.escape(one.claim.baseline), effect, md.escape(one.claim.source.split(",")[0]), _outcome(one)]


def _outcome(one: Finding) -> str:
    missing = f"{count(one.missing, 'seed')} missing" if one.missing else ""
    notes = [note for note in (missing, md.escape(one.reason)) if note]
    return f"{one.outcome} ({'; '.join(notes)})" if notes else str(one.outcome)


def _section(one: Finding) -> str:
    claim = one.claim
    amount = f" Amount: {md.escape(claim.amount)}." if claim.amount else ""
    lines = [
        f"## {one.name}\n",
        f"{md.escape(claim.statement)}{amount}\n",
        f"- Claim: {md.escape(claim.technique)} against {md.escape(claim.baseline)}, {EFFECTS[Effect(claim.effect)]}",
        f"- Source: {_cited(claim.source)}; checked: {md.escape(claim.checked)}",
        f"- Outcome: **{_outcome(one)}**",
    ]
    if one.differences:
        lines.append(f"- Differs from the paper: {'; '.join(md.escape(part) for part in one.differences)}")
    text = "\n".join(lines) + "\n"
    return f"{text}\n{md.table(HEAD, map(_contrast, one.contrasts), text_columns=2)}" if one.contrasts else text


def _contrast(one: Contrast) -> list[str]:
    row = one.row
    texts = (
        one.task,
        f"{row['model']}, {row['profile']}",
        "all" if one.train_examples is None else f"{one.train_examples:,}",
        str(one.shared),
    )
    measures = (failures(row), failures(one.base), MAD_RATIO(row), md.signed(row["mean_difference"]))
    said = f"{one.outcome}, {count(one.missing, 'seed')} missing" if one.missing else str(one.outcome)
    return [*map(md.escape, texts), *map(str, measures), md.escape(verdict(row).text), said]


def _cited(text: str) -> str:
    """A source with links to what it cites."""
    return _CITATION.sub(lambda found: f"[{found[0]}]({LINKS[found[1]]}{found[2]})", md.escape(text))
