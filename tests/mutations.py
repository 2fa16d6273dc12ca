"""Files that somebody or something has changed: other values in places of JSON; bytes cut, doubled, flipped."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

Path = tuple[Any, ...]
ODD: Sequence[Any] = (
    None, True, False, 0, 1, -1, 0.5, 1e308, -1e308, float("inf"), float("nan"), 10**18, 10**400, "", "text", "2026-99-99",
    "a\x1b[2Jb\u202ec", "\ud800", "<script>", "a/b", [], [1], [None, None], [1e308, -1e308], ["a"], [[]], {}, {"a": 1},
    {"a": {"b": []}},
)  # fmt: skip
"""Values of every type, and the awkward ones among them."""

WORDS: tuple[bytes, ...] = (
    b"a: [", b"\t", b"!!python/object:os.system {}", b"- 1\n", b"&a [*a]", b"${b}", b"${oc.env:X}", b"nan", b"1e999", b"-inf",
    b'"', b",", b",,", b"\x00", b"\xff\xfe", b"\xe2\x80\xae", b"[" * 2000, b'{"a":' * 1500, b"null", b"2026-01-01",
    b"9" * 5000, b"0x1", b"### ", b"## ", b"**supported**", b"<script>", b"[a]: b", b"| a |\n|---|", b"> " * 300, b"```\n",
    b"\r", b"[](" * 300,
)  # fmt: skip
"""What a file of text may hold where nobody expects it."""


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where a value could be changed; of long lists only the first entries."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:4]) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def kinds_of_places(value: Any) -> list[list[Path]]:
    """The places by what they are: an entry of a list is like its neighbours, so that figures do not drown the rest."""
    found: dict[Path, list[Path]] = {}
    for path in places(value):
        found.setdefault(tuple("*" if isinstance(key, int) else key for key in path), []).append(path)
    return list(found.values())


def changed(value: Any, path: Path, by: Any, *, remove: bool) -> Any:
    """A copy in which one place is another value, or is gone; where the place is gone already, as it was."""
    whole = holder = copy.deepcopy(value)
    try:
        for key in path[:-1]:
            holder = holder[key]
        if remove:
            del holder[path[-1]]
        else:
            holder[path[-1]] = by
    except (LookupError, TypeError):
        return value
    return whole


def nested(content: bytes, rng: random.Random) -> bytes:
    """A value of a file of JSON nested so deep that a parser that calls itself cannot follow."""
    at = rng.choice([place for place, byte in enumerate(content[:20_000]) if byte == ord(":")] or [len(content) - 1]) + 1
    times = rng.choice((200, 900, 5000, 100_000))
    opened, closed = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return content[:at] + times * opened + b"0" + (times * closed + b"," + content[at:] if rng.random() < 0.5 else b"")


def with_words(content: bytes, rng: random.Random) -> bytes:
    """Text with some of the awkward words put in, beside or instead of others of it."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(content) + 1)
        content = content[:at] + rng.choice(WORDS) + content[at + rng.choice((0, 0, 1, 4, 20)) :]
    return content


@st.composite
def mutated(draw: st.DrawFn, value: Any, kinds: list[list[Path]], most: int = 3) -> Any:
    """The value with up to ``most`` places changed."""
    for _ in range(draw(st.integers(1, most))):
        path = draw(st.sampled_from(draw(st.sampled_from(kinds))))
        value = changed(value, path, draw(st.sampled_from(ODD)), remove=draw(st.integers(0, 6)) == 0)
    return value


def texts(value: Any, kinds: list[list[Path]]) -> st.SearchStrategy[bytes]:
    """Files of JSON: mutated by value, or by byte."""
    whole = json.dumps(value).encode()
    return st.one_of(mutated(value, kinds).map(lambda found: json.dumps(found).encode()), damaged(whole))


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes cut short, with some flipped, doubled, or left out; or anything at all."""
    how = draw(st.sampled_from(["cut", "flip", "double", "drop", "any"]))
    if how == "any" or not content:
        return draw(st.binary(max_size=200))
    at = draw(st.integers(0, len(content) - 1))
    if how == "cut":
        return content[:at]
    length = draw(st.integers(1, 64))
    if how == "flip":
        return content[:at] + bytes(byte ^ draw(st.integers(1, 255)) for byte in content[at : at + 3]) + content[at + 3 :]
    return content[: at + length] + content[at:] if how == "double" else content[:at] + content[at + length :]
