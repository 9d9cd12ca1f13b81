from __future__ import annotations

import re
from typing import Any

import pytest

from bench_lib.report.analysis.claim_contrasts import Contrast, Outcome
from bench_lib.report.analysis.claim_outcomes import Finding, findings
from bench_lib.report.analysis.claim_settings import Difference
from bench_lib.report.analysis.published_claims import Claim, Effect, shipped
from bench_lib.report.analysis.results import leaderboard_rows
from bench_lib.report.cells import add_cell_ids, split_cells
from bench_lib.report.markdown.claims import EFFECTS, claims_page

CLAIM = Claim(
    "It is | steadier.", "mixout", "bertadam", "more_stable", ("sequence",), ("rte",), ("BERT-large",),
    "Lee et al. 2020, arXiv:1909.11299, table 1", "not verified", amount="half the spread",
)  # fmt: skip


@pytest.fixture
def page(cell: Any, base: Any) -> str:
    """A page of an undecided claim, a supported one and one that is not tested."""
    few = Contrast(cell(shared=3, converged=3, attempted=3, judged=3), base(failed=2), 640, (1,), Outcome.UNDECIDED)
    sure = Contrast(cell(verdict="more stable", verdict_location="better"), base(), None, (1,), Outcome.SUPPORTED)
    differs = (Difference("model", "BERT-large", "minilm"), Difference("training examples", "", "640"))
    return claims_page(
        [
            Finding("mixout_sure", CLAIM, Outcome.SUPPORTED, "", (sure,)),
            Finding("mixout_few", CLAIM, Outcome.UNDECIDED, "", (few,), differs),
            Finding("mixout_none", CLAIM, Outcome.NOT_TESTED, "the suite has no tasks like the paper's: images"),
        ],
        "adamw",
    )


def test_the_table_has_a_line_for_each_claim_that_leads_to_its_section(page: str) -> None:
    lines = [line for line in page.splitlines() if line.startswith("| [")]
    about = "| bertadam | more stable | Lee et al. 2020 |"
    assert lines == [
        f"| [mixout](#mixout_sure) {about} supported |",
        f"| [mixout](#mixout_few) {about} undecided (17 seeds missing) |",
        f"| [mixout](#mixout_none) {about} not tested here (the suite has no tasks like the paper's: images) |",
    ]
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ["mixout_sure", "mixout_few", "mixout_none"]
    assert "1 supported, 1 undecided, 1 not tested here" in page
    assert "3 are not verified" in page


def test_a_section_has_the_source_the_differences_and_the_contrasts(page: str) -> None:
    section = page.split("## mixout_few\n")[1].split("## mixout_none")[0]
    assert section.startswith("\nIt is \\| steadier. Amount: half the spread.\n")
    assert "[arXiv:1909.11299](https://arxiv.org/abs/1909.11299), table 1; checked: not verified" in section
    assert (
        "- Differs from the paper: model: minilm here, BERT-large in the paper; "
        "training examples: 640 here, the paper's not on record\n" in section
    )
    (line,) = [line for line in section.splitlines() if line.startswith("| sst2")]
    assert [part.strip() for part in line.strip("|").split(" | ")] == [
        *("sst2", "minilm, desk", "640", "3", "0/3 [0.0, 11.0]", "2/30 [0.0, 11.0]", "0.60 [0.40, 0.90]", "+1.00"),
        *("3 seeds: too few to rank", "undecided, 17 seeds missing"),
    ]
    decided = page.split("## mixout_sure\n")[1].split("##")[0]
    assert "| all | 30 |" in decided
    assert "| more stable, scores higher | supported |" in decided


def test_every_effect_and_every_shipped_claim_can_be_shown(record: Any, frame: Any) -> None:
    assert set(EFFECTS) == set(Effect)
    runs = add_cell_ids(frame(record(i, 0.8 + i / 100, name) for i in range(3) for name in ("adamw", "mixout")))
    found = findings(shipped(), leaderboard_rows(split_cells(runs), "adamw"), runs, "adamw")
    text = claims_page(found, "adamw")
    assert text.count("\n## ") == len(shipped())
    assert all(f"(#{name})" in text for name in shipped())
    outcomes = {one.name: one.outcome for one in found}
    assert outcomes["mixout_stability"] is Outcome.UNDECIDED
    assert outcomes["lp_ft_mean"] is Outcome.NOT_TESTED
