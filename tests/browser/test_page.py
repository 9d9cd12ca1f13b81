"""The page in a browser: it works from disk, asks for nothing, and can be used with eyes, ears and a keyboard."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

SHOWN = "[...document.querySelectorAll('#cells-real tbody tr')]"
COLOURS = "{runOnly: {type: 'tag', values: ['cat.color']}}"
"""The rules of axe whose result depends on the colour scheme."""

VIEWS = ("", "#over-tasks", "#seeds", "#techniques", "#technique=mixout", "#tasks", "#task=sst2", "#methods")


def key(browser: Any, name: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    ActionChains(browser.driver).send_keys(getattr(Keys, name)).perform()


def column(browser: Any, place: int) -> list[str]:
    return browser.get(f"{SHOWN}.map(row => row.cells[{place}].innerText)")


def choose(browser: Any, name: str, value: str) -> None:
    browser.driver.execute_script(
        "const s = document.querySelector(`.filters[data-filters=cells-real] [name=${arguments[0]}]`);"
        "s.value = arguments[1]; s.dispatchEvent(new Event(s.matches('input') ? 'input' : 'change'))",
        name,
        value,
    )


@pytest.mark.exhaustive
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_opens_from_disk_and_asks_for_nothing(browser: Any, page: Path, view: str) -> None:
    browser.open(page, view)
    drawn = "[...document.querySelectorAll('.view.shown .chart')].every(c => c.querySelector('svg'))"
    browser.until(f"return {drawn}")
    assert browser.errors() == []
    assert browser.requests() == []
    assert browser.get("document.querySelectorAll('.view.shown').length") == 1


def test_the_policy_forbids_what_the_page_does_not_need(browser: Any, page: Path) -> None:
    browser.open(page)
    refused = "fetch('https://example.org').then(() => false, () => true).then(arguments[0])"
    assert browser.driver.execute_async_script(refused)
    browser.driver.execute_script(
        "const s = document.createElement('script'); s.text = 'window.ran = 1'; document.body.append(s)"
    )
    assert browser.get("window.ran === undefined")


def test_the_first_view_is_one_group_ranked_cells_first(browser: Any, page: Path) -> None:
    browser.open(page)
    verdicts = column(browser, 7)
    few = ["too few to rank" in text for text in verdicts]
    assert few == sorted(few)
    assert not all(few)
    assert any(few)
    assert "mixout" in browser.get("document.querySelector('.summary').innerText")


def test_a_column_sorts_by_keyboard_and_says_so(browser: Any, page: Path) -> None:
    browser.open(page)
    head = "document.querySelectorAll('#cells-real thead th')[6]"  # mean
    browser.driver.execute_script(f"({head}.querySelector('[tabindex]') ?? {head}).focus()")
    key(browser, "ENTER")
    browser.until(f"return {head}.getAttribute('aria-sort') === 'ascending'")
    few = ["too few" in text for text in column(browser, 7)]
    means = [float(text.split()[0]) for text, short in zip(column(browser, 6), few, strict=True) if not short]
    assert few == sorted(few)
    assert means == sorted(means)
    key(browser, "ENTER")
    browser.until(f"return {head}.getAttribute('aria-sort') === 'descending'")


def test_filters_and_the_search_narrow_the_table(browser: Any, page: Path) -> None:
    browser.open(page)
    every = len(column(browser, 0))
    choose(browser, "task", "sst2")
    assert set(column(browser, 1)) == {"sst2"}
    choose(browser, "verdict", "more stable")
    assert column(browser, 0) == ["mixout"]
    choose(browser, "verdict", "")
    choose(browser, "task", "")
    choose(browser, "search", "bertadam")
    assert set(column(browser, 0)) == {"bertadam"}
    choose(browser, "search", "")
    assert len(column(browser, 0)) == every
    assert browser.get("document.querySelector('.filters [role=status]').textContent") == f"{every} of {every} cells"


def test_a_cell_opens_its_runs_and_a_run_by_keyboard(browser: Any, page: Path) -> None:
    browser.open(page)
    browser.driver.execute_script(
        f"{SHOWN}.find(r => r.innerText.startsWith('bertadam')).querySelector('button').focus()"
    )
    key(browser, "ENTER")
    assert browser.until("return document.querySelector('dialog[open] h2')?.innerText").startswith("Runs of bertadam")
    browser.driver.execute_script("document.querySelectorAll('dialog tbody a')[1].focus()")
    key(browser, "ENTER")
    browser.until("return document.querySelector('dialog h2').innerText.startsWith('Seed 1')")
    text = browser.get("document.querySelector('dialog').innerText")
    for part in (
        "diverged: not finite at step 17",
        "--techniques bertadam",
        "--seeds 1",
        "torch",
        "2026-01-01 00:00:01",
    ):
        assert part in text
    browser.until("return document.querySelector('dialog .chart svg')")
    key(browser, "ESCAPE")
    browser.until("return !document.querySelector('dialog').open && location.hash === '#leaderboard'")
    assert browser.errors() == []


def test_a_dot_opens_its_run(browser: Any, page: Path) -> None:
    browser.open(page, "#seeds")
    mark = browser.until("return document.querySelector('.shown .chart svg .mark-symbol.role-mark path')")
    from selenium.webdriver.common.action_chains import ActionChains

    browser.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", mark)
    ActionChains(browser.driver).move_to_element(mark).click().perform()
    assert browser.until("return document.querySelector('dialog[open] h2')?.innerText").startswith("Seed ")
    assert browser.get("location.hash").startswith("#run=")


def test_a_run_has_an_address_of_its_own(browser: Any, page: Path, store: Any) -> None:
    known = store.frame().iloc[17]
    browser.open(page, f"#run={known.run_id}")
    text = browser.until("return document.querySelector('dialog[open]')?.innerText")
    assert known.run_id in text
    assert f"{100 * known.score:.3f} %" in text
    assert f"{known.train_seconds:.1f} s" in text
    browser.open(page, "#run=0")
    assert "No such run" in browser.until("return document.querySelector('dialog[open]')?.innerText")


def test_a_view_opens_by_its_link_with_the_focus_on_its_heading(browser: Any, page: Path) -> None:
    browser.open(page)
    browser.driver.execute_script("document.querySelector('#cells-real a[href=\"#technique=mixout\"]').click()")
    assert (
        browser.until("return document.activeElement.tagName === 'H1' && document.activeElement.innerText") == "mixout"
    )
    assert "steadier on sst2 (MAD ratio" in browser.get("document.querySelector('.view.shown').innerText")


def test_a_name_that_holds_markup_is_text_wherever_it_stands(browser: Any, page: Path, hostile: str) -> None:
    browser.open(page)
    browser.until("return document.querySelector('#cells-real')")
    row = f"{SHOWN}.find(row => row.cells[0].innerText.startsWith('<img'))"
    assert browser.get(f"{row}.cells[0].innerText") == hostile
    browser.driver.execute_script(f"{row}.querySelector('button').click()")
    assert hostile in browser.until("return document.querySelector('dialog[open] h2')?.innerText")
    browser.driver.execute_script("document.querySelector('dialog').close()")
    browser.driver.execute_script(f"{row}.querySelector('a').click()")
    assert (
        browser.until("return document.activeElement.tagName === 'H1' && document.activeElement.innerText") == hostile
    )
    assert "not in this version's registry" in browser.get("document.querySelector('.view.shown').innerText")
    browser.open(page, "#seeds")
    assert browser.get("document.querySelectorAll('main img').length") == 0
    assert browser.get("document.title") != "broken"
    assert browser.errors() == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_overflows_and_it_can_be_looked_at(
    browser: Any, page: Path, dark: bool, width: int, tmp_path: Path
) -> None:
    browser.open(page, width=width, dark=dark)
    for view in VIEWS:
        browser.show(view)
        assert browser.get("document.documentElement.scrollWidth") <= width, view
        shot = tmp_path / f"{view.strip('#') or 'first'}-{width}.png"
        assert browser.driver.save_screenshot(str(shot))
    light = browser.get("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert light is not dark


def test_the_charts_follow_the_scheme(browser: Any, page: Path) -> None:
    browser.open(page, "#seeds")
    label = "document.querySelector('.shown .chart svg .role-axis-label text')?.getAttribute('fill')"
    light = browser.until(f"return {label}")
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": dark})
    browser.until(f"const now = {label}; return now && now !== '{light}'")


def test_print_holds_the_view_that_is_shown(browser: Any, page: Path) -> None:
    browser.open(page, "#methods")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.get("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert browser.get("document.querySelector('#methods').offsetHeight") > 0
    assert browser.get("document.querySelector('#leaderboard').offsetHeight") == 0
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_without_scripts_all_views_show(browser: Any, page: Path) -> None:
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.driver.get(page.as_uri())
        text = browser.driver.find_element("tag name", "main").text
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    for part in ("What makes fine-tuning more stable?", "Over tasks", "Method notes", "mixout by task"):
        assert part in text


@pytest.mark.exhaustive
@pytest.mark.parametrize(("dark", "rules"), [(False, "{}"), (True, COLOURS)], ids=["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, page: Path, npm: Path, dark: bool, rules: str, store: Any) -> None:
    axe = (npm / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    options = f"{{resultTypes: ['violations'], ...{rules}}}"
    run = f"axe.run(document, {options}).then(found => arguments[0](found.violations))"
    browser.open(page, dark=dark).driver.execute_script(axe)
    for view in (*VIEWS, f"#run={store.frame()['run_id'].iloc[0]}", "#cell=0"):
        browser.show(view)
        found = browser.driver.execute_async_script(run)
        serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
        assert serious == [], view


def test_the_markup_is_valid(page: Path, npm: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"root": True, "extends": ["html-validate:standard"]}))
    command = [
        "node",
        npm / "html-validate" / "bin" / "html-validate.mjs",
        "--config",
        rules,
        "--formatter",
        "json",
        page,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    found = [(m["ruleId"], m["line"], m["message"]) for file in json.loads(done.stdout) for m in file["messages"]]
    assert found == []
    assert done.returncode == 0
