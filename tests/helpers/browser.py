"""Debian's chromium, driven by Selenium, for the page on which people judge items.

On a machine without it the tests that need it are skipped. With the environment variable
``REQUIRE_BROWSER=1``, which ``.ci/run`` sets, they fail there, so that none is skipped unseen.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--window-size=1100,900 "
    # Small machines and containers have little of /dev/shm.
    "--disable-dev-shm-usage"
).split()
PATIENCE = 20  # seconds until something is taken for not happening


class Browser:
    """A browser with a fresh profile that shows one page at a time."""

    def __init__(self, driver: webdriver.Chrome, downloads: Path) -> None:
        self.driver, self.downloads = driver, downloads

    def open(self, page: Path, keep: bool = False) -> None:
        """Show *page* as a person sees it for the first time; with *keep*, as they left it."""
        self.driver.get(page.resolve().as_uri())
        if not keep:
            self.wait(self._forget)

    def _forget(self) -> bool:
        """Clear what pages keep, and load this one; return whether it has the storage of before.

        Chromium 156 gives about one of 300 loads of a file a storage of its own, which is empty
        and is lost. So the view before leaves a mark, which this one must find.
        """
        mark = "try { localStorage.clear(); localStorage.setItem('mark', '') } catch {}"
        found = (
            "try {"
            "  const keys = Object.keys(localStorage);"
            "  localStorage.removeItem('mark');"
            "  return keys.length === 1 && keys[0] === 'mark'"
            "} catch { return true }"
        )
        self.run(mark)
        self.driver.refresh()
        return bool(self.run(found)) and self.screen() == "start"

    def reload(self, screen: str) -> None:
        """Load the page again, as often as it takes until it has its storage and shows *screen*."""

        def shows() -> bool:
            self.driver.refresh()
            return self.screen() == screen

        self.wait(shows)

    def get(self, name: str) -> WebElement:
        return self.driver.find_element(By.ID, name)

    def click(self, name: str) -> None:
        self.get(name).click()

    def text(self, name: str) -> str:
        return self.get(name).text

    def press(self, keys: str) -> None:
        """Type *keys*, wherever the focus is."""
        webdriver.ActionChains(self.driver).send_keys(keys).perform()

    def run(self, script: str, *args: object) -> object:
        return self.driver.execute_script(script, *args)

    def screen(self) -> str:
        """Return which of the three screens is seen."""
        seen = [name for name in ("start", "judge", "end") if self.get(name).is_displayed()]
        assert len(seen) == 1
        return seen[0]

    def resize(self, width: int, height: int, mobile: bool = True) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def console(self) -> list[str]:
        """Return what was written to the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def wait(self, condition) -> object:
        """Return the first true value of *condition*."""
        end = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)
        return found

    def save(self) -> Path:
        """Save the answers; return the file."""
        before = set(self.downloads.glob("*.json"))
        self.click("save")
        return self.wait(lambda: set(self.downloads.glob("*.json")) - before).pop()


@contextmanager
def start_browser(folder: Path, storage: bool = True) -> Iterator[Browser]:
    """Start chromium; it saves downloads to *folder*. Without *storage* pages keep nothing."""
    program, driver_program = find_programs()
    options = webdriver.ChromeOptions()
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    preferences = {"download.default_directory": str(folder)}
    if not storage:
        preferences["profile.default_content_setting_values.cookies"] = 2  # and localStorage
    options.add_experimental_option("prefs", preferences)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=Service(driver_program))
        try:
            yield Browser(driver, folder)
        finally:
            driver.quit()


def find_programs() -> tuple[str, str]:
    """Return the paths of chromium and its driver; without one of them, skip or fail the test."""
    found = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        message = (
            f"{' and '.join(missing)} not found; install them to run the tests in a browser: "
            "apt-get install chromium chromium-driver"
        )
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(f"REQUIRE_BROWSER=1, but {message}", pytrace=False)
        pytest.skip(message)
    return found["chromium"], found["chromedriver"]


LEFT, RIGHT, TAB = Keys.ARROW_LEFT, Keys.ARROW_RIGHT, Keys.TAB
