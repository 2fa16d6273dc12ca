"""A page in a real browser, and what a reader does with it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webelement import WebElement

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage")  # fmt: skip
WIDE = (1400, 1000)  # pixels
_PATIENCE = 300  # seconds that axe-core may take on a machine with other work


def started(profile: Path) -> webdriver.Chrome:
    """A browser of its own, with an empty profile; it keeps what the console says and what pages ask for.

    Raises:
        LookupError: there is none on this machine; the message says what to install.
    """
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    chromedriver = shutil.which("chromedriver")
    if browser is None or chromedriver is None:
        missing = "no Chromium" if browser is None else "no chromedriver"
        raise LookupError(f"{missing} was found; on Debian: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={WIDE[0]},{WIDE[1]}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(chromedriver))
    running.set_script_timeout(_PATIENCE)
    return running


@dataclass(frozen=True)
class Browser:
    """A page in a browser, and what a reader does with it."""

    driver: webdriver.Chrome

    def open(self, page: Path, state: str = "") -> None:
        """Open a page afresh, with a state in its address."""
        self.driver.get("about:blank")
        self.driver.get(page.as_uri() + (f"#{state}" if state else ""))

    def look(self, *, width: int = WIDE[0], height: int = WIDE[1], dark: bool = False, printed: bool = False) -> None:
        """How the reader sees it: width and height of the screen in pixels, scheme, medium."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print" if printed else "", "features": [scheme]})

    def run(self, script: str, *given: Any) -> Any:
        """What a script on the page returns."""
        return self.driver.execute_script(script, *given)

    def follow(self, link: WebElement) -> None:
        """Click a link to another state of the page, and wait until the page has heard of it: the event comes later."""
        self._changing(link.click)

    def go(self, state: str) -> None:
        """As if the reader had typed another state into the address."""
        self._changing(lambda: self.run("location.hash = arguments[0]", state))

    def _changing(self, act: Callable[[], object]) -> None:
        # The page's own listener was there first, and so has run when this one does.
        self.run("window.changed = new Promise((done) => addEventListener('hashchange', () => done(true), {once: true}))")
        act()
        self.driver.execute_async_script("window.changed.then(arguments[0])")

    def one(self, selector: str) -> WebElement:
        """The first element of a kind."""
        return self.driver.find_element("css selector", selector)

    def all(self, selector: str) -> list[WebElement]:
        """All elements of a kind."""
        return self.driver.find_elements("css selector", selector)

    def cards(self) -> list[str]:
        """Ids of the claims that are shown, in order."""
        return [str(id) for id in self.run(
            "return [...document.querySelectorAll('.card')].filter((c) => !c.hidden).map((c) => c.id.slice(6))"
        )]  # fmt: skip

    def lines(self) -> list[str]:
        """Ids of the claims in the forest, in order."""
        return [str(id) for id in self.run(
            "return [...document.querySelectorAll('.forest [data-claim]')].filter((l) => l.checkVisibility())"
            ".map((l) => l.querySelector('a').hash.slice(7))"
        )]  # fmt: skip

    def state(self) -> str:
        """What the address says after #."""
        return str(self.run("return decodeURIComponent(location.hash.slice(1))"))

    def complaints(self) -> list[str]:
        """What the console said since it was last asked."""
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def requests(self) -> list[str]:
        """Addresses that pages asked for since it was last asked."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]  # type: ignore[no-untyped-call]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def violations(self) -> list[str]:
        """What axe-core finds serious or critical: rule, and where."""
        self.run(files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
        found = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run({resultTypes: ['violations']}).then((r) => done({passed: r.passes.length, wrong: r.violations}))"
        )
        assert found["passed"] > 10  # it did look
        serious = [rule for rule in found["wrong"] if rule["impact"] in ("serious", "critical")]
        return [f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in serious for node in rule["nodes"]]
