"""Prose about a document as HTML: links to claims show their verdicts, intervals of other runs are marked, HTML is text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markdown_it.token import Token
from markupsafe import Markup, escape

from harness.report.prose import markdown_reader
from harness.report.prose_numbers import Row, foreign, unbroken


@dataclass
class ProsePage:
    """Makes HTML of the prose of one document.

    Attributes:
        key: the document's key.
        rows: its rows by the last part of their ids.
        glyphs: sign and word of each verdict.
        marked: whether a number was marked as not of this run.
    """

    key: str
    rows: Mapping[str, Row]
    glyphs: Mapping[str, Any]
    marked: bool = False

    def html(self, prose: str, about: Iterable[Row] | None = None) -> Markup:
        """A text as HTML.

        A link to a claim, ``[words](#slug)``, shows its verdict in this run; links to other places of the file, or to other
        files, are left out, since the report stands alone; HTML is shown as text.  An interval that is none of this run's is
        marked.

        Args:
            prose: Markdown.
            about: the rows whose intervals it may give; those of the whole document where that is not said.
        """
        if not prose:
            return Markup("")
        known = list(self.rows.values() if about is None else about)
        tokens = markdown_reader().parse(unbroken(prose))
        for token in tokens:
            if token.type == "inline":
                token.children = list(self._inline(token.children or [], foreign(token.content, known)))
            elif token.type in ("heading_open", "heading_close"):
                token.tag = "h5"
        return Markup(markdown_reader().renderer.render(tokens, markdown_reader().options, {}))

    def _inline(self, tokens: list[Token], strange: list[str]) -> Iterator[Token]:
        closing: list[str] = []
        for token in tokens:
            if token.type == "link_open":
                address = str(token.attrs.get("href", ""))
                slug = address.removeprefix("#")
                row = self.rows.get(slug) if address.startswith("#") else None
                if row is not None:
                    token.attrs = {"href": f"#story/{self.key}/{slug}"}
                    closing.append(self._glyph(row))
                elif address.lower().startswith(("https://", "http://")):
                    token.attrs["rel"] = "noopener noreferrer"
                    closing.append("")
                else:
                    closing.append("gone")
                    continue
            elif token.type == "link_close":
                after = closing.pop()
                if after == "gone":
                    continue
                yield token
                if after:
                    yield _raw(after)
                continue
            elif token.type == "image":
                token = _text(token.content)
            if token.type == "text" and any(each in token.content for each in strange):
                yield _raw(self._with_marks(token.content, strange))
            else:
                yield token

    def _glyph(self, row: Row) -> str:
        look = self.glyphs[row["verdict"]]
        sign = Markup('<span class="glyph" aria-hidden="true">{}</span><span class="hidden">{}</span>').format(
            look.glyph, look.word
        )
        return str(Markup(' <span class="v-{}" title="{}">{}</span>').format(row["verdict"], look.word, sign))

    def _with_marks(self, words: str, strange: list[str]) -> str:
        self.marked = True
        said = str(escape(words))
        for each in dict.fromkeys(strange):
            found = re.escape(str(escape(each)))
            said = re.sub(rf"{found}[^)]*\)?", lambda match: f'{match[0]}<sup title="not a number of this run">†</sup>', said)
        return said


def _raw(html: str) -> Token:
    return Token("html_inline", "", 0, content=html)


def _text(words: str) -> Token:
    return Token("text", "", 0, content=words)
