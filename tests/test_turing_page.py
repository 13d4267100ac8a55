"""The page of ``fairseq-seqgan turing-test`` in a real browser."""

import json
from pathlib import Path

import pytest
from browser import LEFT, RIGHT, TAB, Browser, start_browser
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from turing_data import REAL, SYSTEMS, build_arguments, command, key_of, make_sources

from fairseq_seqgan.cli import main

PER_SOURCE = 4
TOTAL = PER_SOURCE * 3
PHONES = [(360, 640), (320, 568), (640, 360)]


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Browser:
    with start_browser(tmp_path_factory.mktemp("downloads")) as started:
        yield started


def make_page(folder: Path, kind: str, *more: object, **sources: int) -> Path:
    page = folder / f"{kind}.html"
    arguments = build_arguments(
        make_sources(folder, kind, **sources), page, kind, "--per-source", PER_SOURCE, *more
    )
    assert main(arguments) == 0
    return page


@pytest.fixture(scope="module")
def poems(tmp_path_factory) -> Path:
    return make_page(tmp_path_factory.mktemp("poems"), "poem")


@pytest.fixture(scope="module")
def tunes(tmp_path_factory) -> Path:
    return make_page(tmp_path_factory.mktemp("tunes"), "music")


def items_of(page: Path) -> list[dict]:
    text = page.read_text(encoding="utf-8")
    return json.loads(text.split('id="data">')[1].split("</script>")[0])["items"]


def names_in(text: str) -> list[str]:
    return [name for name in (REAL, *SYSTEMS) if name.casefold() in text.casefold()]


def test_a_whole_judgement(browser, tmp_path):
    """From the files to the scores: all commands as processes, all answers through the page."""
    page = tmp_path / "test.html"
    sources = make_sources(tmp_path, "poem")
    command(*build_arguments(sources, page, "poem", "--per-source", PER_SOURCE)).check()
    key = key_of(page)
    # This person knows what is real, and takes MLE's for a machine and every SeqGAN for human but
    # the last one on the page.
    verdicts = {item: "machine" if source == "MLE" else "human" for item, source in key.items()}
    verdicts[[item for item, source in key.items() if source == "SeqGAN"][-1]] = "machine"
    plan = list(verdicts.values())

    browser.open(page)
    assert browser.screen() == "start"
    browser.get("rater").send_keys("hm 李")  # letters that are keys elsewhere
    browser.click("begin")
    for number, verdict in enumerate(plan[:5]):
        assert browser.text("position") == f"Poem {number + 1} of {TOTAL}"
        shown = browser.get("item").text.split("\n")
        assert shown == items_of(page)[number]["content"]
        if number % 2:
            browser.press(verdict[0])
        else:
            browser.click(verdict)
    assert browser.text("judged") == f"5 of {TOTAL} judged"

    browser.driver.refresh()
    assert browser.screen() == "judge"
    assert browser.text("position") == f"Poem 6 of {TOTAL}"
    assert browser.text("judged") == f"5 of {TOTAL} judged"

    browser.press(LEFT)  # back, another verdict, back again, and the first one after all
    assert browser.get(plan[4]).get_attribute("aria-pressed") == "true"
    browser.press("m" if plan[4] == "human" else "h")
    browser.click("back")
    assert browser.get(plan[4]).get_attribute("aria-pressed") == "false"
    browser.press("1" if plan[4] == "human" else "2")
    browser.press(RIGHT)  # skips the sixth
    for verdict in plan[6:]:
        browser.press(verdict[0])
    assert browser.screen() == "end"
    assert "1 poem not judged yet" in browser.text("remaining")
    browser.click("resume")
    assert browser.text("position") == f"Poem 6 of {TOTAL}"
    browser.click(plan[5])
    browser.click("stop")
    assert browser.text("judged") == f"{TOTAL} of {TOTAL} judged"

    saved = browser.save()
    assert saved.name in browser.text("saved")
    assert browser.console() == []
    found = json.loads(saved.read_text(encoding="utf-8"))
    assert found["rater"] == "hm 李"
    assert found["answers"] == verdicts
    assert names_in(saved.read_text(encoding="utf-8")) == []

    arguments = ["--key", page.with_suffix(".key.json"), "--json", tmp_path / "scores.json"]
    printed = command("turing-test", "score", saved, *arguments).check().stdout
    scores = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    means = {name: source["human_score"] for name, source in scores["sources"].items()}
    assert means == {"real": 1.0, "MLE": 0.0, "SeqGAN": 0.75}
    assert "hm 李" in printed
    assert "one rater, so there is none to compute" in printed


@pytest.mark.parametrize("kind", ["poem", "text", "music"])
def test_no_source_is_named(browser, tmp_path, kind):
    """Neither in the file nor in what the browser makes of it and keeps."""
    page = make_page(tmp_path, kind)
    assert names_in(page.read_text(encoding="utf-8")) == []
    browser.open(page)
    for steps in ([], ["begin"], ["human", "stop"]):
        for name in steps:
            browser.click(name)
        everything = "return document.documentElement.outerHTML + JSON.stringify(localStorage)"
        assert names_in(browser.run(everything)) == []
    assert names_in(browser.driver.title) == []


def test_nothing_is_fetched(browser, poems):
    """The policy of the page blocks what a script would fetch, and the page itself asks nothing."""
    browser.open(poems)
    assert browser.run("return performance.getEntriesByType('resource').length") == 0
    blocked = browser.driver.execute_async_script(
        "const done = arguments[0], seen = [];"
        "document.addEventListener('securitypolicyviolation', (event) => {"
        "  seen.push(event.effectiveDirective);"
        "  if (seen.length === 3) done(seen.sort());"
        "});"
        "fetch('http://127.0.0.1:9/').catch(() => 0);"
        "new Image().src = 'http://127.0.0.1:9/';"
        "const script = document.createElement('script');"
        "script.textContent = 'window.ran = 1';"
        "document.body.append(script);"
    )
    assert blocked == ["connect-src", "img-src", "script-src-elem"]
    assert browser.run("return window.ran") is None
    browser.console()


def test_markup_in_a_sample_is_text(browser, tmp_path):
    evil = "</script><script>window.ran=1</script> <!-- <img/src=x/onerror=window.ran=1> {{DATA}}"
    sources = make_sources(tmp_path, "text")
    lines = [f"{number} {evil} \u2028 &amp; <b>" for number in range(PER_SOURCE)]
    sources["MLE"].write_text("\n".join(lines), encoding="utf-8")
    page = tmp_path / "page.html"
    title = "<script>window.ran=1</script> & {{SCRIPT}}"
    options = ["--per-source", PER_SOURCE, "--title", title]
    assert main(build_arguments(sources, page, "text", *options)) == 0
    browser.open(page)
    assert browser.driver.find_element(By.TAG_NAME, "h1").text == title
    browser.click("begin")
    seen = set()
    for _ in range(TOTAL):
        seen.add(browser.get("item").text)
        browser.press("h")
    for number in range(PER_SOURCE):
        assert f"{number} {evil} &amp; <b>" in seen
    assert browser.run("return window.ran") is None
    assert browser.console() == []


def test_markup_in_an_item_makes_no_element(browser, tmp_path):
    sources = make_sources(tmp_path, "text")
    for path in sources.values():
        path.write_text("".join(f"<b>{path.stem[0]}</b> {n}\n" for n in range(PER_SOURCE)))
    page = tmp_path / "page.html"
    assert main(build_arguments(sources, page, "text", "--per-source", PER_SOURCE)) == 0
    browser.open(page)
    browser.click("begin")
    assert browser.get("item").text.startswith("<b>")
    assert browser.get("item").find_elements(By.TAG_NAME, "b") == []


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


def test_by_keyboard_alone(browser, poems):
    """Tab reaches every control in its order and shows where it is; Enter presses it."""
    browser.open(poems)
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


def test_a_double_click_judges_once(browser, poems):
    browser.open(poems)
    browser.click("begin")
    ActionChains(browser.driver).double_click(browser.get("human")).perform()
    assert browser.text("judged") == f"1 of {TOTAL} judged"
    assert browser.text("position") == f"Poem 2 of {TOTAL}"


def test_poems_are_marked_as_chinese(browser, poems):
    browser.open(poems)
    browser.click("begin")
    poem = browser.driver.find_element(By.CSS_SELECTOR, "#item .poem")
    assert poem.get_attribute("lang") == "zh"
    fonts = poem.value_of_css_property("font-family")
    assert "Songti SC" in fonts and "Noto Serif CJK SC" in fonts and "SimSun" in fonts
    lines = poem.find_elements(By.TAG_NAME, "span")
    assert [line.text[-1] for line in lines] == list("，。，。")
    tops = [line.rect["y"] for line in lines]
    assert tops == sorted(set(tops))  # four lines, one below the other


def test_labels(browser, poems, tunes):
    """What a screen reader is told: the names of all controls."""
    unnamed = (
        "return [...document.querySelectorAll('button, input, progress, textarea, section, svg')]"
        ".filter((e) => e.checkVisibility() && !e.textContent.trim() && !e.ariaLabel"
        "  && !(e.labels ?? []).length).map((e) => e.outerHTML)"
    )
    for page in (poems, tunes):
        browser.open(page)
        for steps in ([], ["begin"], ["human", "stop"]):
            for name in steps:
                browser.click(name)
            assert browser.run(unnamed) == []
        assert browser.get("bar").get_property("value") == 1
        assert browser.get("bar").get_property("max") == TOTAL


def test_follows_the_dark_scheme(browser, poems):
    seen = {}
    try:
        for scheme in ("light", "dark"):
            media = [{"name": "prefers-color-scheme", "value": scheme}]
            browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
            browser.open(poems)
            colours = "const s = getComputedStyle(document.documentElement);"
            seen[scheme] = browser.run(colours + "return [s.backgroundColor, s.color].map("
                                       "(c) => Number(c.match(/\\d+/)[0]))")  # fmt: skip
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert seen["light"][0] > 200 and seen["light"][1] < 60
    assert seen["dark"][0] < 60 and seen["dark"][1] > 200


def test_begin_anew_for_another_person(browser, poems):
    browser.open(poems)
    browser.get("rater").send_keys("Li")
    browser.click("begin")
    browser.press("hm")
    browser.click("stop")
    first = browser.run("return JSON.parse(document.getElementById('copy').value).session")
    browser.click("reset")
    browser.driver.switch_to.alert.dismiss()
    assert browser.screen() == "end"
    browser.click("reset")
    browser.driver.switch_to.alert.accept()
    assert browser.screen() == "start"
    assert browser.get("rater").get_property("value") == ""
    browser.click("begin")
    assert browser.text("judged") == f"0 of {TOTAL} judged"
    browser.click("stop")
    assert browser.run("return JSON.parse(document.getElementById('copy').value).session") != first


@pytest.mark.parametrize(
    "stored", ["{", "null", "3", '{"answers": {"x": 1}, "at": -5, "screen": "nowhere"}']
)
def test_a_damaged_record_is_no_obstacle(browser, poems, stored):
    browser.open(poems)
    browser.click("begin")
    browser.run("localStorage.setItem(Object.keys(localStorage)[0], arguments[0])", stored)
    browser.driver.refresh()
    assert browser.screen() == "start"
    browser.click("begin")
    assert browser.text("judged") == f"0 of {TOTAL} judged"
    assert browser.console() == []


def test_pages_do_not_share_their_records(browser, poems, tunes):
    browser.open(poems)
    browser.click("begin")
    browser.press("h")
    browser.open(tunes, keep=True)
    assert browser.screen() == "start"
    browser.open(poems, keep=True)
    # What one process of the browser stores reaches the next one a moment later.
    browser.wait(lambda: browser.text("judged") == f"1 of {TOTAL} judged")


def test_without_storage(poems, tunes, tmp_path):
    """The page says that it keeps nothing, works all the same, and goes on from a saved file."""
    with start_browser(tmp_path, storage=False) as browser:
        browser.open(poems)
        assert browser.run("try { return !!localStorage } catch { return false }") is False
        assert "does not keep your answers" in browser.text("notice")
        browser.click("begin")
        browser.press("hmh")
        browser.click("stop")
        saved = browser.save()
        browser.open(poems)
        assert browser.screen() == "start"
        browser.get("load").send_keys(str(saved))
        browser.wait(lambda: browser.screen() == "judge")
        assert browser.text("position") == f"Poem 4 of {TOTAL}"
        browser.press("m")
        browser.click("stop")
        again = json.loads(browser.save().read_text())
        first = json.loads(saved.read_text())
        assert again["session"] == first["session"]
        assert list(first["answers"].values()) == ["human", "machine", "human"]
        assert list(again["answers"].values()) == ["human", "machine", "human", "machine"]
        assert browser.console() == []

        browser.open(tunes)
        browser.get("load").send_keys(str(saved))
        browser.wait(lambda: "another page" in browser.text("notice"))
        (tmp_path / "broken.json").write_text("{")
        browser.get("load").send_keys(str(tmp_path / "broken.json"))
        browser.wait(lambda: "not a file of saved answers" in browser.text("notice"))
        assert browser.screen() == "start"


@pytest.mark.parametrize("storage", [True, False])
def test_unsaved_answers_are_not_lost_by_accident(poems, tmp_path, storage):
    """Where the page keeps nothing, the browser asks before it leaves a page with new answers."""
    leave = (
        "const leaving = new Event('beforeunload', { cancelable: true });"
        "dispatchEvent(leaving); return leaving.defaultPrevented"
    )
    with start_browser(tmp_path, storage) as browser:
        browser.open(poems)
        browser.click("begin")
        assert browser.run(leave) is False
        browser.click("human")
        assert browser.run(leave) is not storage
        browser.click("stop")
        browser.save()
        assert browser.run(leave) is False


def test_without_a_browser(monkeypatch, tmp_path):
    """These tests fail, and say what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    expected = "chromium is missing.*apt-get install chromium chromium-driver"
    with pytest.raises(pytest.fail.Exception, match=expected), start_browser(tmp_path):
        pass


# --- music

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


def test_plays_the_tune(listening, tunes):
    """The button starts an audio context that runs, with the tune's pitches at their times."""
    browser = listening
    browser.open(tunes)
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
    keys = items_of(tunes)[0]["content"]
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


def test_judging_stops_the_tune(listening, tunes):
    browser = listening
    browser.open(tunes)
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


def test_the_roll_shows_the_notes(browser, tunes):
    browser.open(tunes)
    browser.click("begin")
    keys = items_of(tunes)[0]["content"]
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


def test_a_browser_without_audio(browser, tunes):
    source = {"source": "delete window.AudioContext"}
    added = browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
    try:
        browser.open(tunes)
        browser.click("begin")
        assert browser.text("play") == "This browser cannot play tunes"
        browser.press("p")
        browser.press("h")
        assert browser.text("judged") == f"1 of {TOTAL} judged"
        assert browser.console() == []
    finally:
        browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
