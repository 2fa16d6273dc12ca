"""What people write about a document, in Markdown: one file is a page of the documentation and a chapter of the report.

Its headings of level 2 are the document's sections, and answers to what a reader asks; those of level 3 name claims.  Below
such a heading stands a *stamp*, which is made from a run (:func:`stamp`), for a claim whose scope was searched a line that says
where it holds (:func:`region`), then the prose.  The report draws verdicts, numbers and regions from its own run and only
compares the stamps with it, so that prose written for another verdict says so.

    ## Extended Epochs

    ### long-training-leaves-llc

    **inconclusive**: −0.12 (−0.16 to −0.09), n 12

    *Where it holds:* inconclusive at its defaults; of 12 even settings 4 supported, 8 inconclusive.

    Two sentences why.

    #### The document's key figure

    What the document draws, and what ours shows: the caption under which the chapter shows the claim's figure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from os.path import isfile
from pathlib import Path

from markdown_it import MarkdownIt

from harness.report import searches, text
from harness.report.prose_numbers import Row, strange
from harness.report.rows import VERDICTS, ReportError

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]*")
_STAMP = re.compile(rf"\*\*(?P<verdict>{'|'.join(VERDICTS)})(, [a-z ]+)?\*\*(: .*)?")
_REGION = "*Where it holds:* "
_KEY_FIGURE = "the document's key figure"  # a heading under the claim whose figure it is
_EARLIER = "what was changed"  # how the heading of a section on earlier runs begins, whose numbers are theirs


@dataclass(frozen=True)
class Words:
    """What is written about one claim: the stamp, or nothing, and the prose in Markdown.

    Attributes:
        stamp: verdict and number of the run for which the prose was written.
        prose: why.
        drawn: caption of the claim's figure, where that is the document's key figure; else empty.
        region: where the claim holds, by the search of that run; else empty.
    """

    stamp: str
    prose: str
    drawn: str = ""
    region: str = ""

    @property
    def whole(self) -> str:
        """Prose and caption."""
        return f"{self.prose}\n\n{self.drawn}".strip()


@dataclass(frozen=True)
class Section:
    """A heading with what is below it: prose in Markdown, and what is written about claims, by the last part of their ids."""

    heading: str
    prose: str
    claims: Mapping[str, Words] = field(default_factory=dict)


@dataclass(frozen=True)
class Story:
    """What is written about a document: what comes before the first section, and the sections."""

    intro: str = ""
    sections: tuple[Section, ...] = ()

    @property
    def claims(self) -> dict[str, Words]:
        """What is written about each claim, in the order of the file."""
        return {slug: words for section in self.sections for slug, words in section.claims.items()}

    @property
    def drawn(self) -> list[str]:
        """The claims whose figures are said to be the document's key figure: one, if the text is as it should be."""
        return [slug for slug, words in self.claims.items() if words.drawn]


@cache
def markdown_reader() -> MarkdownIt:
    """CommonMark with tables; HTML in it is text."""
    return MarkdownIt("commonmark", {"html": False}).enable("table")


@lru_cache(maxsize=64)
def read(markdown: str) -> Story:
    """What a file says.  Every text is a story: without a heading of level 2 all of it is the introduction."""
    lines, heads = _lines(markdown), _heads(markdown)
    ends = [*(first for first, *_ in heads), len(lines)][1:]
    intro = "\n".join(lines[: heads[0][0] if heads else len(lines)]).strip()
    sections: list[tuple[str, list[str], dict[str, Words]]] = []
    for (start, begin, level, words), end in zip(heads, ends, strict=True):
        below = "\n".join(lines[begin:end]).strip()
        if level == 1 or (not sections and level > 2):
            intro = "\n\n".join(filter(None, (intro, below)))
        elif level == 2:
            sections.append((words, [below], {}))
        elif level == 3 and _SLUG.fullmatch(words.strip("`")) and words.strip("`") not in sections[-1][2]:
            sections[-1][2][words.strip("`")] = _words(below)
        else:  # a heading of the prose itself, of the claim under which it stands or of the section
            own, said = sections[-1][2], "\n".join(lines[start:end]).strip()
            if level > 3 and own:
                last = next(reversed(own))
                if words.replace("’", "'").casefold() == _KEY_FIGURE and below:
                    own[last] = replace(own[last], drawn=below)
                else:
                    own[last] = replace(own[last], prose=f"{own[last].prose}\n\n{said}".strip())
            else:
                sections[-1][1].append(said)
    return Story(intro, tuple(Section(head, "\n\n".join(filter(None, own)), claims) for head, own, claims in sections))


def _lines(markdown: str) -> list[str]:
    """The lines of a text, as CommonMark ends them."""
    return markdown.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _heads(markdown: str) -> list[tuple[int, int, int, str]]:
    """The headings of a text: first line, line after the last, level, words."""
    tokens = markdown_reader().parse(markdown)
    return [
        (token.map[0], token.map[1], int(token.tag[1]), tokens[place + 1].content.strip())
        for place, token in enumerate(tokens)
        if token.type == "heading_open" and token.level == 0 and token.map
    ]


def _words(below: str) -> Words:
    first, _, rest = below.partition("\n")
    if not _STAMP.fullmatch(first.strip()):
        return Words("", below)
    line, _, after = rest.strip().partition("\n")
    if not line.startswith(_REGION):
        return Words(first.strip(), rest.strip())
    return Words(first.strip(), after.strip(), region=line.strip())


def stamp(row: Row) -> str:
    """The line that stands first in what is written about a claim: verdict and number of a run."""
    label = row["label"] or row["grade"]
    said = f"**{row['verdict']}{', ' + label if label else ''}**"
    if row["effect"] is None:
        return said
    effect, interval = text.measured(row["effect"], row["interval"])
    if row["rule"] == "exact":
        said += f": {row['estimand'] or 'effect'} {effect}"
    else:
        said += f": {effect}" + (f" ({interval})" if row["interval"] else "")
    return said + (f", n {text.number(row['n'])}" if row["n"] is not None else "")


def region(row: Row) -> str:
    """The line that says where a claim holds; empty for one whose scope was not searched."""
    said = (searches.line(row) or "").partition(": ")[2]
    return f"{_REGION}{said}" if said else ""


def drift(words: Words, row: Row) -> str:
    """How a run differs from what the prose was written for, as a sentence; empty where it does not."""
    if not words.stamp or words.stamp == stamp(row):
        return ""
    then = words.stamp.replace("**", "")
    verdict = _STAMP.fullmatch(words.stamp)
    if verdict and verdict["verdict"] != row["verdict"]:
        return f"This was written for another verdict ({then}); this run says {row['verdict']}."
    return f"This was written for other numbers: {then}."


def stamped(markdown: str, rows: Mapping[str, Row]) -> str:
    """The text with the stamps of a run: those that are there are replaced, where there is none it is put in.

    Args:
        markdown: what is written about a document.
        rows: the run's rows by the last part of their ids.
    """
    lines = _lines(markdown)
    for _, end, level, words in reversed(_heads(markdown)):
        slug = words.strip("`")
        if level == 3 and slug in rows:
            first = next((place for place in range(end, len(lines)) if lines[place].strip()), len(lines))
            before = _words("\n".join(lines[first:]))
            said = [each for each in (stamp(rows[slug]), region(rows[slug])) if each]
            after = first + (1 if before.stamp else 0)
            if before.region:
                after = next(place for place in range(after, len(lines)) if lines[place].startswith(_REGION)) + 1
            lines[end:after] = ["", *_apart(said), *([] if after == len(lines) or not lines[after].strip() else [""])]
    return "\n".join(lines).rstrip("\n") + "\n"


def _apart(lines: Iterable[str]) -> list[str]:
    """Lines with an empty one between each two."""
    return "\n\n".join(lines).split("\n")


def gathered(folder: Path, documents: Iterable[str]) -> dict[str, str]:
    """What is written about documents: the text of ``folder/DOCUMENT.md`` by the document's key, of those that are there.

    Raises:
        ReportError: a file cannot be read, or is not text.
    """
    found = {}
    for key in documents:
        path = folder / f"{key}.md"
        if Path(key).name == key and isfile(path):
            try:
                found[key] = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as problem:
                raise ReportError(
                    f"cannot read {path}, which is written about {key}: {problem}; it has to be UTF-8"
                ) from problem
    return found


def slug(row: Row) -> str:
    """The last part of a claim's id, by which prose names it."""
    return str(row["id"]).partition("/")[2] or str(row["id"])


def compared(
    markdown: str, rows: Mapping[str, Row], beside: Iterable[Row] = (), apart: Iterable[Row] = ()
) -> tuple[list[str], list[str]]:
    """What a text says that a run does not: faults (claims that there are not, stamps of other verdicts or numbers), and notes.

    Args:
        markdown: what is written about a document.
        rows: the run's rows by the last part of their ids.
        beside: rows of other runs at the same scale, whose numbers the text may give, too.
        apart: rows of runs at other scales, whose numbers sections without claims may give.
    """
    told, drawn, others = read(markdown).claims, read(markdown).drawn, list(beside)
    faults = [f"{name} is no claim of this run" for name in told if name not in rows]
    faults += [f"{name} has no figure that could be the document's key figure" for name in drawn
               if name in rows and not rows[name]["figure"]]  # fmt: skip
    if len(drawn) > 1:
        faults.append(f"a document has one key figure, and these are said to be it: {', '.join(drawn)}")
    notes = [f"nothing is written about {name}" for name in rows if name not in told]
    for name, words in told.items():
        if name in rows:
            said = drift(words, rows[name])
            faults += [f"{name}: {said} --write writes {stamp(rows[name])}"] if said else []
            if words.stamp and words.region != region(rows[name]):
                faults.append(
                    f"{name}: where it holds is not what this run says. --write writes {region(rows[name]) or 'nothing'}"
                )
            same = [row for row in others if row["id"] == rows[name]["id"]]
            notes += [f"{name}: {each}" for each in strange(words.whole, [rows[name], *same])]
    documents = {row["document"] for row in rows.values()}
    whole = [*rows.values(), *(row for row in (*others, *apart) if row["document"] in documents)]
    story = read(markdown)
    for heading, said in (("introduction", story.intro), *((each.heading, each.prose) for each in story.sections)):
        if not heading.casefold().startswith(_EARLIER):
            notes += [f"{heading}: {each}" for each in strange(said, whole, decimals=False)]
    return faults, notes
