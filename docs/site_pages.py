"""What the site has beyond the pages in this folder: a reference made from docstrings, and pages of the folder above.

Both are written into ``docs/generated`` before Sphinx reads anything, so that there is one source of each.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import harness

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parent
ROOT = DOCS.parent
GENERATED = DOCS / "generated"

# A chapter of the reference: its file, its title, what it is about, the modules whose names it has.
CHAPTERS = (
    (
        "claims",
        "Claims",
        "What is declared before anything runs, what a body returns, and the studies that it calls.",
        ("claim", "source", "evidence", "errors", "gate", "factors", "quantities", "rows", "study", "design"),
    ),
    (
        "predictions",
        "Predictions",
        "What must be seen, with its margin. [](../method/judging.md) has the rules.",
        ("predict",),
    ),
    ("judging", "Judging, running, searching", "From evidence to a verdict, and beyond.", ("judge", "running")),
    (
        "networks",
        "Data, recipes, populations, the store",
        "What is trained, and where it is kept.",
        ("data", "recipe", "training", "population", "device", "store", "own", "export", "networks"),
    ),
    (
        "instruments",
        "Instruments",
        "What is measured. [](../method/llc.md) and [](../method/networks.md) say how.",
        ("measure",),
    ),
    ("runs", "Runs", "Results of other tools, as tables for the judge.", ("runs",)),
)
INCLUDED = {"contributing": "CONTRIBUTING.md", "changelog": "CHANGELOG.md"}
NOTEBOOK = ROOT / "examples" / "notebook" / "from_a_network_to_a_claim.ipynb"
KEPT = ROOT / "reports" / "reference" / "claims.json"
REPORT = "reports/reference/claims.html"  # copied beside the pages as it is
MOVED = {"README.md": "index.md", **{source: f"generated/{page}.md" for page, source in INCLUDED.items()}}


def chapter_of(name: str) -> str:
    """The chapter of the reference in which a name of ``harness`` stands.

    Raises:
        LookupError: if no chapter has the module of that name.
    """
    room = harness._WHERE[name].split(".")[1]
    for page, _, _, rooms in CHAPTERS:
        if room in rooms:
            return page
    raise LookupError(
        f"no chapter of the reference has harness.{room}, the home of {name}: add it to CHAPTERS in docs/site_pages.py"
    )


def reference() -> dict[str, str]:
    """The text of each chapter, by its page."""
    entries: dict[str, list[str]] = {page: [] for page, *_ in CHAPTERS}
    for name in sorted(harness.__all__, key=str.lower):
        home = harness._WHERE[name]
        if inspect.isclass(getattr(harness, name)):
            lines = [f".. autoclass:: {home}.{name}", "   :members:"]
        else:
            lines = [f".. autofunction:: {home}.{name}"]
        entries[chapter_of(name)] += [f"## {name}", "```{eval-rst}", *lines, "```", ""]
    return {
        page: "\n".join(
            [f"# {title}", "", about, "", "Every name is in `harness`: `from harness import …`.", "", *entries[page]]
        )
        for page, title, about, _ in CHAPTERS
        if entries[page]
    }


def notebook_page(path: Path) -> str:
    """A notebook as a page: its text, its code, and what its kept run showed."""
    lines: list[str] = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            lines += [source, ""]
            continue
        lines += ["```python", source, "```", ""]
        for output in cell["outputs"]:
            data = {kind: "".join(text) for kind, text in output.get("data", {}).items()}
            if "image/png" in data:
                picture = data["image/png"].strip()
                lines += ["```{raw} html", f'<img alt="what the cell shows" src="data:image/png;base64,{picture}">']
            elif "text/html" in data:
                lines += ["```{raw} html", data["text/html"]]
            else:
                lines += ["```text", data.get("text/plain", "")]
            lines += ["```", ""]
    return "\n".join(lines)


def relinked(text: str, page: Path) -> str:
    """A page's text with the links that leave the folder of the site made into links of the site.

    Args:
        text: Markdown.
        page: where the text stands in the repository; its links are relative to that.
    """
    up = (
        "../" * (len(page.relative_to(DOCS).parts) - 1) if page.is_relative_to(DOCS) else "../"
    )  # included pages are a level down

    def moved(found: re.Match[str]) -> str:
        words, target, anchor = found["words"], found["target"], found["anchor"] or ""
        place = (page.parent / target).resolve()
        if not place.exists() or not place.is_relative_to(ROOT):
            return found[0]
        inside = str(place.relative_to(ROOT))
        if inside == REPORT:
            return f'<a href="{up}claims.html">{words}</a>'
        if inside in MOVED:
            return f"[{words}](/{MOVED[inside]}{anchor})"
        if place.is_relative_to(DOCS) and place.suffix in (".md", ".png", ".svg"):
            return f"[{words}](/{place.relative_to(DOCS)}{anchor})"
        return (
            words if words.startswith(("`", "!")) else f"{words} (`{inside}`)" if words.strip("`") != inside else f"`{inside}`"
        )

    return re.sub(r"(?<!!)\[(?P<words>[^\]\[]*)\]\((?P<target>[^)#: ]+)(?P<anchor>#[^)]*)?\)", moved, text)


def undecided_page() -> str:
    """What would decide the claims that the kept run leaves open, and what fresh seeds said of some of them."""
    from harness.report import read_run, undecided

    kept, fresh = read_run(KEPT), KEPT.parent / "fresh" / "claims.json"
    said = [
        "# What would decide the open claims",
        "From the kept run, by one function: `python -m harness report reports/reference/claims.json --table undecided`. *As "
        "seen* takes effect, spread and skewness to stay what they are, and asks how many would decide the claim of what there "
        "are too few of: seeds, or levels of another factor that stand for others. The last column has the rule's power at the "
        "margin, whatever was seen. [](../findings.md#what-is-open-and-why) sorts them by cause.",
        undecided.table(kept, "../findings"),
    ]
    if fresh.exists():
        said += ["## On fresh seeds alone", undecided.again(read_run(fresh), kept, "../findings")]
    return "\n\n".join(said)


def write_pages(app: Sphinx) -> None:
    """Writes the pages that are made, before the others are read."""
    made = reference()
    for page, source in INCLUDED.items():
        made[page] = relinked((ROOT / source).read_text(encoding="utf-8"), ROOT / source)
    made["undecided"] = undecided_page()
    made["notebook"] = notebook_page(NOTEBOOK)
    GENERATED.mkdir(exist_ok=True)
    for page, text in made.items():
        there = GENERATED / f"{page}.md"
        if not there.exists() or there.read_text(encoding="utf-8") != text:
            there.write_text(text, encoding="utf-8")


def relink(app: Sphinx, docname: str, source: list[str]) -> None:
    """Links of a page, as Sphinx reads it."""
    page = DOCS / f"{docname}.md"
    if page.parent != GENERATED:
        source[0] = relinked(source[0], page)


def plain_prose(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Docstrings are prose: the shape (point, *input), |x| and a name like robust_ are no markup of reStructuredText."""
    for number, line in enumerate(lines):
        parts = re.split(r"(``.*?``|:\w+:`.*?`)", line)
        parts[::2] = [re.sub(r"(?<![*\\])\*(?=\w)|\|(?=\w[^|]*\|)|(?<=\w)_(?!\w)", r"\\\g<0>", part) for part in parts[::2]]
        lines[number] = "".join(parts)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("source-read", relink)
    app.connect("autodoc-process-docstring", plain_prose, priority=100)  # before Google sections are read
    return {"parallel_read_safe": True}
