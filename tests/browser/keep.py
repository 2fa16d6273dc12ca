"""Keep a run in the repository: its report, and the picture in the README, which is of that very run.

    python tests/browser/keep.py [reports/claims.json]

Needs Chromium and its driver.  The picture notes which run it is of (the digest of ``claims.json``, in its metadata), and a
test compares the two.  Without a run the picture is made anew of the run that is kept.
"""

from __future__ import annotations

import hashlib
import struct
import sys
import tempfile
import zlib
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "reports" / "reference"
KEYWORD = b"claims.json sha256"
SIZE = (1280, 1000)  # pixels
_HEAD = 8 + 25  # of a PNG: its signature, and the first chunk


def noted(png: bytes, digest: str) -> bytes:
    """A PNG that says which run it is of."""
    said = b"tEXt" + KEYWORD + b"\0" + digest.encode()
    return png[:_HEAD] + struct.pack(">I", len(said) - 4) + said + struct.pack(">I", zlib.crc32(said)) + png[_HEAD:]


def note(png: bytes) -> str | None:
    """Which run a PNG says that it is of."""
    at = png.find(b"tEXt" + KEYWORD + b"\0")
    return None if at < 0 else png[at + 5 + len(KEYWORD) : at + 5 + len(KEYWORD) + 64].decode()


def digest(run: Path) -> str:
    """The digest of a run."""
    return hashlib.sha256(run.read_bytes()).hexdigest()


def picture(page: Path) -> bytes:
    """The first screen of a report, as a PNG."""
    from browsing import Browser, started

    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(started(Path(profile)))
        try:
            browser.look(width=SIZE[0])
            browser.open(page)
            browser.run("document.documentElement.style.scrollbarWidth = 'none'")
            return browser.driver.get_screenshot_as_png()
        finally:
            browser.driver.quit()


def main() -> None:
    """Keep a run."""
    from harness.report import read_run, render, write_reports

    if len(sys.argv) > 1:
        write_reports(read_run(Path(sys.argv[1])), KEPT)
        (KEPT / "history.jsonl").unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "claims.html"
        page.write_text(render(read_run(KEPT / "claims.json")), encoding="utf-8")
        (KEPT / "claims.png").write_bytes(noted(picture(page), digest(KEPT / "claims.json")))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
