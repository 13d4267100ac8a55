"""The raters' page on phones, by keyboard, for screen readers and in the dark."""

import shutil
import subprocess

import pytest
from helpers.browser import TAB, Browser
from helpers.turing_data import REAL, SYSTEMS, build_arguments
from helpers.turing_pages import TOTAL, make_page
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

from fairseq_seqgan.cli import main

PHONES = [(360, 640), (320, 568), (640, 360)]
LOW = [(900, 560), (900, 480), (767, 500), (1280, 600), (1366, 704), (1366, 705)]
NOWHERE = ["\ufdd1", "\ufdd2", "\ufdd3"]  # Unicode gives them no character, and no font a glyph


def too_small(browser: Browser) -> list[str]:
    """Return the visible controls that are under 44 CSS pixels high or wide."""
    return browser.run(
        "return [...document.querySelectorAll('button, .button, summary, input[type=text]')]"
        ".filter((e) => e.checkVisibility()).map((e) => [e, e.getBoundingClientRect()])"
        ".filter(([e, box]) => box.width < 44 || box.height < 44)"
        ".map(([e, box]) => `${e.id || e.tagName} ${box.width} x ${box.height}`)"
    )


def overflow(browser: Browser) -> int:
    """Return by how many pixels something goes beyond the window, sideways."""
    return browser.run(
        "const root = document.documentElement;"
        "return Math.max(root.scrollWidth - root.clientWidth,"
        "...[...document.querySelectorAll('body *')].filter((e) => e.checkVisibility())"
        ".map((e) => e.getBoundingClientRect().right - innerWidth))"
    )


@pytest.mark.parametrize("size", PHONES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("kind", ["poem", "text", "music"])
def test_fits_a_phone(browser, tmp_path, kind, size):
    """No scrolling sideways, and controls that a finger can hit, on every screen."""
    page = make_page(tmp_path, kind, length=28)
    if kind == "text":  # a word that is wider than the window
        page.write_text(page.read_text().replace("walk", "w" * 90))
    browser.resize(*size)
    try:
        browser.open(page)
        for steps in ([], ["begin"], ["human", "back", "stop"], ["save"]):
            for name in steps:
                browser.click(name)
            assert overflow(browser) <= 0, steps
            assert too_small(browser) == [], steps
        browser.click("resume")
        if kind != "text" and size[1] >= 568:  # the verdict needs no scrolling
            bottom = "return arguments[0].getBoundingClientRect().bottom - innerHeight"
            assert browser.run(bottom, browser.get("machine")) <= 0
            assert browser.run(bottom, browser.get("item")) <= 0
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("size", LOW, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("kind", ["poem", "music"])
def test_answer_hides_nothing_in_a_low_window(browser, tmp_path, kind, size):
    page = make_page(tmp_path, kind, length=28)
    browser.resize(*size, mobile=False)
    try:
        browser.open(page)
        browser.click("begin")
        edges = "return ['#item', '.answer'].map((q) => document.querySelector(q)"
        edges += ".getBoundingClientRect()).flatMap((box) => [box.top, box.bottom])"
        top, bottom, answer_top, answer_bottom = browser.run(edges)
        assert 0 < top < bottom <= answer_top < answer_bottom <= size[1]
        inside = "const box = document.querySelector('#item').getBoundingClientRect();"
        inside += "return [...document.querySelectorAll('#item *')].every((e) =>"
        inside += "e.getBoundingClientRect().bottom <= box.bottom)"
        assert browser.run(inside)
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


# --- characters that no font has


def missing(browser: Browser, text: str) -> list[str]:
    """Return the characters of *text* that the page takes for missing, whatever its language."""
    return browser.run("return missingCharacters(arguments[0], 'serif')", text)


def test_finds_missing_characters(browser, poem_page):
    browser.open(poem_page)
    assert missing(browser, "abc, XYZ 123 .-o0") == []
    assert missing(browser, "a" + "".join(NOWHERE)) == NOWHERE


@pytest.mark.skipif(shutil.which("fc-list") is None, reason="fontconfig's fc-list is not here")
def test_finds_out_whether_there_is_a_chinese_font(browser, poem_page):
    fonts = subprocess.run(["fc-list", ":lang=zh-cn"], capture_output=True, check=True).stdout
    browser.open(poem_page)
    assert missing(browser, "春眠不觉晓") == ([] if fonts else list("春眠不觉晓"))
    assert browser.get("glyphs").is_displayed() is not bool(fonts)


def test_says_before_the_first_item_how_many_characters_are_missing(browser, tmp_path):
    letters = "abcdefghijklmnopqrstuvwxyz"
    for name in (REAL, *SYSTEMS):
        letters = letters[1:] + letters[0]  # another poem for every source
        poem = [*NOWHERE, *letters[:17]]
        (tmp_path / f"{name}.txt").write_text(" ".join(poem) + "\n", encoding="utf-8")
    sources = {name: tmp_path / f"{name}.txt" for name in (REAL, *SYSTEMS)}
    page = tmp_path / "page.html"
    assert main(build_arguments(sources, page, "poem", "--per-source", 1)) == 0
    browser.open(page)
    assert "no font for " in browser.text("glyphs")
    # The marks behind the lines, ，and 。, are missing where no font is Chinese.
    different, marks = 3 + 19 + 2, missing(browser, "，。")
    expected = f"no font for {3 + len(marks)} of the {different} different characters"
    assert expected in browser.text("glyphs")
    browser.click("begin")
    assert not browser.get("glyphs").is_displayed()


def test_says_nothing_where_all_characters_are_there(browser, tmp_path):
    browser.open(make_page(tmp_path, "text"))
    assert not browser.get("glyphs").is_displayed()


# --- other ways to use it


def test_by_keyboard_alone(browser, poem_page):
    """Tab reaches every control in its order and shows where it is; Enter presses it."""
    browser.open(poem_page)
    browser.press(TAB + "Li" + TAB)
    style = "const s = getComputedStyle(document.activeElement); return s.outlineStyle"
    assert browser.run(style) == "solid"
    browser.press("\ue007")  # Enter
    assert browser.screen() == "judge"
    reached = []
    for _ in range(4):
        browser.press(TAB)
        reached.append(browser.run("return document.activeElement.id"))
        assert browser.run(style) == "solid"
    assert reached == ["human", "machine", "stop", "next"]  # there is nothing to go back to
    browser.press(" ")
    assert browser.text("position") == f"Poem 2 of {TOTAL}"
    assert browser.text("judged") == f"0 of {TOTAL} judged"


def test_a_double_click_judges_once(browser, poem_page):
    browser.open(poem_page)
    browser.click("begin")
    ActionChains(browser.driver).double_click(browser.get("human")).perform()
    assert browser.text("judged") == f"1 of {TOTAL} judged"
    assert browser.text("position") == f"Poem 2 of {TOTAL}"


def test_poems_are_marked_as_chinese(browser, poem_page):
    browser.open(poem_page)
    browser.click("begin")
    poem = browser.driver.find_element(By.CSS_SELECTOR, "#item .poem")
    assert poem.get_attribute("lang") == "zh"
    fonts = poem.value_of_css_property("font-family")
    assert "Songti SC" in fonts and "Noto Serif CJK SC" in fonts and "SimSun" in fonts
    lines = poem.find_elements(By.TAG_NAME, "span")
    assert [line.text[-1] for line in lines] == list("，。，。")
    tops = [line.rect["y"] for line in lines]
    assert tops == sorted(set(tops))  # four lines, one below the other


def test_labels(browser, poem_page, tune_page):
    """What a screen reader is told: the names of all controls."""
    unnamed = (
        "return [...document.querySelectorAll('button, input, progress, textarea, section, svg')]"
        ".filter((e) => e.checkVisibility() && !e.textContent.trim() && !e.ariaLabel"
        "  && !(e.labels ?? []).length).map((e) => e.outerHTML)"
    )
    for page in (poem_page, tune_page):
        browser.open(page)
        for steps in ([], ["begin"], ["human", "stop"]):
            for name in steps:
                browser.click(name)
            assert browser.run(unnamed) == []
        assert browser.get("bar").get_property("value") == 1
        assert browser.get("bar").get_property("max") == TOTAL


def test_follows_the_dark_scheme(browser, poem_page):
    seen = {}
    try:
        for scheme in ("light", "dark"):
            media = [{"name": "prefers-color-scheme", "value": scheme}]
            browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
            browser.open(poem_page)
            colours = "const s = getComputedStyle(document.documentElement);"
            seen[scheme] = browser.run(
                colours + "return [s.backgroundColor, s.color].map("
                "(c) => Number(c.match(/\\d+/)[0]))"
            )
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert seen["light"][0] > 200 and seen["light"][1] < 60
    assert seen["dark"][0] < 60 and seen["dark"][1] > 200
