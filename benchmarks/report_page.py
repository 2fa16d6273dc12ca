"""What the report of 77 claims costs: its size, and the time from opening it to having it on the screen.

    python benchmarks/report_page.py

Needs Chromium and its driver (Debian: chromium, chromium-driver).  The rows are synthetic and of the usual size: figures of
every kind over tables of 30 to 960 rows.  Times are those of the browser itself, from the start of the navigation.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / folder) for folder in ("report", "browser")]
OPENED = 9
TIMES = """
const [page] = performance.getEntriesByType("navigation");
const paint = performance.getEntriesByName("first-contentful-paint")[0];
return {"first paint": paint.startTime, "whole page": page.loadEventEnd, "elements": document.querySelectorAll("*").length};
"""


def main() -> None:
    """Print a table."""
    from browsing import Browser, started
    from many_samples import COUNT, many

    from harness.report import write_reports

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        page = write_reports(many(COUNT), Path(folder))["claims.html"]
        print(f"{COUNT} claims, drawn in {time.perf_counter() - began:.1f} s: {page.stat().st_size / 1e6:.2f} MB")
        browser = Browser(started(Path(folder) / "profile"))
        browser.open(page)  # the first one also pays for the browser's own start
        seen = []
        for _ in range(OPENED):
            browser.open(page)
            time.sleep(0.3)  # until the paint is on record
            seen.append(browser.run(TIMES))
        browser.driver.quit()
    print(f"{seen[0]['elements']:,} elements")
    for what in ("first paint", "whole page"):
        values = sorted(each[what] for each in seen)
        print(f"{what}: median {statistics.median(values):.0f} ms, {values[0]:.0f} to {values[-1]:.0f} ms of {OPENED}")


if __name__ == "__main__":
    main()
