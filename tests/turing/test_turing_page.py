"""The page of ``fairseq-seqgan turing-test`` in a real browser."""

import json

import pytest
from helpers.browser import LEFT, RIGHT
from helpers.turing_data import build_arguments, command, key_of, make_sources
from helpers.turing_pages import PER_SOURCE, TOTAL, items_of, make_page, names_in
from selenium.webdriver.common.by import By

from fairseq_seqgan.cli import main


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

    browser.reload("judge")
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


def test_nothing_is_fetched(browser, poem_page):
    """The policy of the page blocks what a script would fetch, and the page itself asks nothing."""
    browser.open(poem_page)
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
