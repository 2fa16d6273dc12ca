"""What the report costs, of 77 claims and of 500: drawing, size, from opening it to having it on the screen, and sorting it.

    python benchmarks/report_page.py

Needs Chromium and its driver (Debian: chromium, chromium-driver).  The rows are synthetic and of the usual size: figures of
every kind over tables of 30 to 960 rows.  Times are those of the browser itself, from the start of the navigation; sorting ends
when the next picture is on the screen.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / folder) for folder in ("report", "browser")]
SIZES = (77, 500)  # claims
OPENED = 9
SORTED = ("p", "effect", "name", "verdict", "", "p", "seconds", "", "name")
TIMES = """
const [page] = performance.getEntriesByType("navigation");
const paint = performance.getEntriesByName("first-contentful-paint")[0];
return [paint.startTime, page.loadEventEnd, document.querySelectorAll("*").length];
"""
SORT = """
const done = arguments[arguments.length - 1];
const select = document.querySelector("[name=sort]");
select.value = arguments[0];
const began = performance.now();
select.dispatchEvent(new Event("input", {bubbles: true}));
requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
"""


def main() -> None:
    """Print a table."""
    from browsing import Browser, started
    from many_samples import many

    from harness.report import figures, write_reports

    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(started(Path(folder) / "profile"))
        for count in SIZES:
            run = many(count)
            drawn = [row["figure"] for row in run["rows"] if row["figure"]]
            began = time.process_time()
            for place, figure in enumerate(drawn):
                figures.draw(figure, f"f{place}")
            figures_took, began = time.process_time() - began, time.process_time()
            page = write_reports(run, Path(folder) / str(count))["claims.html"]
            written = time.process_time() - began
            print(f"{count} claims: {page.stat().st_size / 1e6:.2f} MB; {len(drawn)} figures in {figures_took:.2f} s, "
                  f"all files in {written:.1f} s (CPU)")  # fmt: skip
            _opened(browser, page)
        browser.driver.quit()


def _opened(browser: Any, page: Path) -> None:
    browser.open(page)  # the first one also pays for the browser's own start
    seen = []
    for _ in range(OPENED):
        browser.open(page)
        time.sleep(0.3)  # until the paint is on record
        seen.append(browser.run(TIMES))
    paints, whole, elements = zip(*seen, strict=True)
    print(f"  {elements[0]:,} elements")
    _say("first paint", paints)
    _say("whole page", whole)
    _say("sorted", [browser.driver.execute_async_script(SORT, by) for by in SORTED])


def _say(what: str, values: Sequence[float]) -> None:
    print(f"  {what}: median {statistics.median(values):.0f} ms, {min(values):.0f} to {max(values):.0f} ms of {len(values)}")


if __name__ == "__main__":
    main()
