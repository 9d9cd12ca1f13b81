from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench_lib.core.errors import BadValue, BenchError, UnknownName
from bench_lib.report.analysis.published_claims import NOT_VERIFIED, Effect, read_claim, read_claims, shipped
from bench_lib.techniques import TECHNIQUES

ROOT = Path(__file__).parents[3]

FIELDS = {
    "statement": '"Mixout is steadier."',
    "technique": '"mixout"',
    "baseline": '"adamw"',
    "effect": '"more_stable"',
    "formats": '["sequence"]',
    "tasks": '["rte"]',
    "models": '["BERT-large"]',
    "source": '"Lee et al. 2020, arXiv:1909.11299"',
    "checked": '"not verified"',
}


def written(folder: Path, name: str = "mixout_stability", **changes: str) -> Path:
    """The file of a claim, without the fields whose value is empty."""
    path = folder / f"{name}.toml"
    fields = {key: value for key, value in (FIELDS | changes).items() if value}
    path.write_text("".join(f"{key} = {value}\n" for key, value in fields.items()))
    return path


def test_a_claim_is_read_with_what_may_be_left_out(tmp_path: Path) -> None:
    claim = read_claim(written(tmp_path))
    assert (claim.technique, claim.formats, claim.amount, claim.train_examples) == ("mixout", ("sequence",), "", None)
    assert read_claim(written(tmp_path, train_examples="2490", seeds="20")).train_examples == 2490
    assert list(read_claims(tmp_path)) == ["mixout_stability"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"efect": '"more_stable"'}, "unknown field of claim mixout_stability.toml 'efect': did you mean 'effect'?"),
        ({"effect": '"more_stabel"'}, "did you mean 'more_stable'"),
        ({"formats": '["sequenc"]'}, "unknown task format of claim mixout_stability.toml 'sequenc': did you mean"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(UnknownName, match=message.replace("?", r"\?")):
        read_claim(written(tmp_path, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": "0"}, "field seeds of claim mixout_stability.toml is 0; allowed: a whole number"),
        ({"seeds": "true"}, "field seeds of .* is True; allowed: a whole number"),
        ({"train_examples": '"all"'}, "field train_examples of .* is 'all'; allowed: a whole number"),
        ({"tasks": '"rte"'}, "field tasks of .* is 'rte'; allowed: a list of texts"),
        ({"tasks": "[]"}, "field tasks of .*; allowed: at least one"),
        ({"models": "[]"}, "field models of .*; allowed: at least one"),
        ({"statement": '" two "'}, "field statement of .*; allowed: one line of text"),
        ({"statement": '"""two\nlines"""'}, "field statement of .*; allowed: one line of text"),
        ({"checked": '"I know it"'}, "field checked of .* is 'I know it'; allowed: 'not verified', or a text that"),
        ({"baseline": '"mixout"'}, "field baseline of .* is 'mixout'; allowed: another technique"),
        ({"technique": '"lora"'}, "name of the file of claim .* is 'mixout_stability.toml'; allowed: lora_WORDS.toml"),
    ],
)
def test_a_value_of_another_form_is_refused(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(BadValue, match=message):
        read_claim(written(tmp_path, **changes))


def test_what_is_no_claim_is_refused_by_its_file(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"claim mixout_stability\.toml lacks the field 'source': one line of text"):
        read_claim(written(tmp_path, source=""))
    path = written(tmp_path)
    path.write_text("statement = two words\n")
    with pytest.raises(BenchError, match=r"claim mixout_stability\.toml is not TOML: .* line 1"):
        read_claims(tmp_path)


def test_the_example_of_the_documentation_is_a_claim(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "reports.md").read_text(), re.DOTALL)
    path = tmp_path / "freelb_mean.toml"
    path.write_text(example)
    assert read_claim(path).effect == Effect.HIGHER_MEAN


def test_what_ships_names_registered_techniques_and_is_mostly_verified() -> None:
    claims = shipped()
    assert len(claims) >= 25
    assert {name for claim in claims.values() for name in (claim.technique, claim.baseline)} <= set(TECHNIQUES.names())
    assert {Effect(claim.effect) for claim in claims.values()} == set(Effect)
    assert 3 * sum(claim.checked == NOT_VERIFIED for claim in claims.values()) <= len(claims)
    assert len({(claim.technique, claim.baseline, claim.statement) for claim in claims.values()}) == len(claims)
