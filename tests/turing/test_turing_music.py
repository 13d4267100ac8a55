"""The raters' page plays tunes."""

import pytest
from helpers.turing_data import build_arguments, make_sources
from helpers.turing_pages import TOTAL, items_of
from selenium.webdriver.common.by import By

from fairseq_seqgan.cli import main

_LISTEN = """
window.contexts = []; window.voices = [];
const Original = window.AudioContext;
window.AudioContext = class extends Original {
  constructor(...args) { super(...args); window.contexts.push(this); }
  createOscillator() {
    const voice = super.createOscillator();
    const heard = { frequency: voice.frequency };
    const { start, stop } = voice;
    voice.start = (when) => { heard.start = when; start.call(voice, when); };
    voice.stop = (when) => { heard.stop ??= when; stop.call(voice, when); };
    window.voices.push(heard);
    return voice;
  }
};
"""


@pytest.fixture
def listening(browser):
    """Record what the page plays."""
    script = "Page.addScriptToEvaluateOnNewDocument"
    added = browser.driver.execute_cdp_cmd(script, {"source": _LISTEN})
    yield browser
    browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_plays_the_tune(listening, tune_page):
    """The button starts an audio context that runs, with the tune's pitches at their times."""
    browser = listening
    browser.open(tune_page)
    browser.click("begin")
    assert browser.run("return contexts.length") == 0  # no sound before a click
    assert "Play" in browser.text("play")
    browser.click("play")
    assert "Stop" in browser.text("play")
    browser.wait(lambda: browser.run("return contexts[0].currentTime > 0.5"))
    assert browser.run("return contexts.map((c) => c.state)") == ["running"]
    assert len(browser.driver.find_elements(By.CSS_SELECTOR, "#item svg .now")) == 1

    heard = browser.run("return voices.map((v) => [v.frequency.value, v.start, v.stop])")
    expected, start = [], heard[0][1]
    keys = items_of(tune_page)[0]["content"]
    for step, key in enumerate(keys):
        if expected and step and keys[step - 1] == key:
            expected[-1][2] += 0.4
        else:
            expected.append([440 * 2 ** ((key - 49) / 12), start + 0.4 * step, 0.0])
            expected[-1][2] = expected[-1][1] + 0.4 + 0.12  # it dies away
    assert len(heard) == len(expected)
    for found, wanted in zip(heard, expected, strict=True):
        assert found == pytest.approx(wanted, rel=1e-4)

    browser.click("play")
    assert "Play" in browser.text("play")
    assert browser.driver.find_elements(By.CSS_SELECTOR, "#item svg .now") == []
    assert browser.console() == []


def test_judging_stops_the_tune(listening, tune_page):
    browser = listening
    browser.open(tune_page)
    browser.click("begin")
    browser.press("p")
    browser.wait(lambda: browser.run("return contexts[0].currentTime > 0.2"))
    assert "Stop" in browser.text("play")
    browser.press("m")
    assert "Play" in browser.text("play")
    assert browser.run("return player.playing") is None
    browser.press("p")
    assert "Stop" in browser.text("play")
    assert browser.run("return contexts.length") == 1  # one for all tunes
    assert browser.console() == []


def test_a_tune_ends_by_itself(listening, tmp_path):
    sources = make_sources(tmp_path, "music")
    for number, path in enumerate(sources.values()):
        path.write_text(f"{40 + number} 0\n")
    page = tmp_path / "page.html"
    assert main(build_arguments(sources, page, "music", "--per-source", 1)) == 0
    browser = listening
    browser.open(page)
    browser.click("begin")
    browser.click("play")
    browser.wait(lambda: "Play" in browser.text("play"))
    assert browser.run("return contexts[0].currentTime") >= 0.8
    assert browser.console() == []


def test_the_roll_shows_the_notes(browser, tune_page):
    browser.open(tune_page)
    browser.click("begin")
    keys = items_of(tune_page)[0]["content"]
    boxes = browser.run(
        "return [...document.querySelectorAll('#item .note')].map((e) => "
        "['x', 'y', 'width', 'height'].map((name) => Number(e.getAttribute(name))))"
    )
    height, width = browser.run(
        "const box = document.querySelector('#item svg').viewBox.baseVal;"
        "return [box.height, box.width]"
    )
    assert width == 4 * len(keys)
    drawn = []
    for x, y, long, high in boxes:
        assert 0 <= x < x + long <= width and y >= 0 and y + high <= height
        drawn += [y] * round((long + 0.3) / 4)
    assert len(drawn) == len(keys)
    # One row up for every key up.
    assert [round(drawn[0] - y) / 4 for y in drawn] == [key - keys[0] for key in keys]


def test_a_browser_without_audio(browser, tune_page):
    source = {"source": "delete window.AudioContext"}
    added = browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
    try:
        browser.open(tune_page)
        browser.click("begin")
        assert browser.text("play") == "This browser cannot play tunes"
        browser.press("p")
        browser.press("h")
        assert browser.text("judged") == f"1 of {TOTAL} judged"
        assert browser.console() == []
    finally:
        browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
