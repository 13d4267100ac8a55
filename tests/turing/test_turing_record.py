"""The raters' page and what it keeps: reloads, damaged records, browsers without storage."""

import json

import pytest
from helpers.browser import start_browser
from helpers.turing_pages import TOTAL


def test_begin_anew_for_another_person(browser, poem_page):
    browser.open(poem_page)
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
def test_a_damaged_record_is_no_obstacle(browser, poem_page, stored):
    def is_none():
        browser.open(poem_page)
        browser.click("begin")
        place = browser.run("return Object.keys(localStorage)[0]")
        browser.run("localStorage.setItem(arguments[0], arguments[1])", place, stored)
        browser.driver.refresh()
        screen = browser.screen()
        # Chromium gives a few loads another storage (helpers/browser.py): then the page never saw
        # the damaged record.
        if browser.run("return localStorage.getItem(arguments[0])", place) != stored:
            return False
        assert screen == "start"
        browser.click("begin")
        return browser.text("judged") == f"0 of {TOTAL} judged"

    browser.wait(is_none)
    assert browser.console() == []


def test_pages_do_not_share_their_records(browser, poem_page, tune_page):
    browser.open(poem_page)
    browser.click("begin")
    browser.press("h")
    browser.reload("judge")  # what it stored has arrived
    browser.open(tune_page, keep=True)
    assert browser.screen() == "start"
    browser.open(poem_page, keep=True)
    browser.reload("judge")
    assert browser.text("judged") == f"1 of {TOTAL} judged"


def test_answers_that_arrive_late_are_not_overwritten(browser, poem_page):
    """The page was opened before what an earlier view of it stored had arrived."""
    browser.open(poem_page)
    browser.click("begin")
    browser.press("h")
    stored = browser.run("return Object.entries(localStorage)[0]")
    browser.open(poem_page)
    assert browser.screen() == "start"
    browser.run("localStorage.setItem(arguments[0], arguments[1])", *stored)
    browser.click("begin")
    assert browser.text("judged") == f"1 of {TOTAL} judged"


def test_without_storage(poem_page, tune_page, tmp_path):
    """The page says that it keeps nothing, works all the same, and goes on from a saved file."""
    with start_browser(tmp_path, storage=False) as browser:
        browser.open(poem_page)
        assert browser.run("try { return !!localStorage } catch { return false }") is False
        assert "does not keep your answers" in browser.text("notice")
        browser.click("begin")
        browser.press("hmh")
        browser.click("stop")
        saved = browser.save()
        browser.open(poem_page)
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

        browser.open(tune_page)
        browser.get("load").send_keys(str(saved))
        browser.wait(lambda: "another page" in browser.text("notice"))
        (tmp_path / "broken.json").write_text("{")
        browser.get("load").send_keys(str(tmp_path / "broken.json"))
        browser.wait(lambda: "not a file of saved answers" in browser.text("notice"))
        assert browser.screen() == "start"


@pytest.mark.parametrize("storage", [True, False])
def test_unsaved_answers_are_not_lost_by_accident(poem_page, tmp_path, storage):
    """Where the page keeps nothing, the browser asks before it leaves a page with new answers."""
    leave = (
        "const leaving = new Event('beforeunload', { cancelable: true });"
        "dispatchEvent(leaving); return leaving.defaultPrevented"
    )
    with start_browser(tmp_path, storage) as browser:
        browser.open(poem_page)
        browser.click("begin")
        assert browser.run(leave) is False
        browser.click("human")
        assert browser.run(leave) is not storage
        browser.click("stop")
        browser.save()
        assert browser.run(leave) is False
