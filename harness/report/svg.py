"""From matplotlib's SVG to one that belongs to the page.

Styles become classes that the page's style sheet colours (so that one drawing serves light, dark and print), ids get the
figure's own prefix, coordinates are rounded to a tenth of a point, and what a reader cannot see is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

# What the drawing paints with, and the class that each colour becomes.  Series are Okabe and Ito's colours
# (2008, "Color universal design"), which readers with any colour vision can tell apart.
INK, SOFT, GRID, GUIDE, PAPER = "#111111", "#555555", "#dddddd", "#777777", "#fefefe"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000001")
CLASSES = {INK: "ink", SOFT: "soft", GRID: "grid", GUIDE: "guide", PAPER: "paper"} | {
    colour: f"s{index}" for index, colour in enumerate(SERIES, 1)
}

_SVG = "http://www.w3.org/2000/svg"
_LINK = "{http://www.w3.org/1999/xlink}href"
_NUMBER = re.compile(r"-?\d*\.\d+(?:e-?\d+)?")
_STILL = re.compile(r"rotate\(-?0 [^)]*\)$")
_DROPPED = ("metadata", "style")
_KEPT = {
    "stroke-width": "1", "stroke-dasharray": "none", "stroke-opacity": "1", "fill-opacity": "1", "opacity":
    "1", "font-size": "", "text-anchor": "start",
}  # fmt: skip


def themed(source: str, *, key: str, title: str, description: str, panels: Sequence[Sequence[float]] = ()) -> str:
    """The drawing as an inline ``<svg>`` with a title, a description and role "img".

    Args:
        source: what matplotlib's SVG backend wrote.
        key: prefix of every id.
        title: name of the picture for a screen reader.
        description: what it shows, in words.
        panels: place and ranges of every panel, for a script that marks rows in it.
    """
    root = ET.fromstring(source)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
    parent = ET.Element("svg")
    names = _rename_ids(root, key)
    box = root.get("viewBox", "")
    width = float(box.split()[2])
    parent.attrib = {
        "viewBox": box, "role": "img", "class": "figure", "aria-labelledby": f"{key}-title {key}-text",
        "style": f"--natural:{width:.0f}px", "data-panels": json.dumps(panels, separators=(",", ":")),
    }  # fmt: skip
    for tag, words in (("title", title), ("desc", description)):
        element = ET.SubElement(parent, tag, {"id": f"{key}-{'title' if tag == 'title' else 'text'}"})
        element.text = words
    for child in root:
        _append(parent, child, names)
    _string(parent, {})
    return ET.tostring(parent, encoding="unicode")


def _rename_ids(root: ET.Element, key: str) -> dict[str, str]:
    """New names for the ids that something refers to; all others are matplotlib's bookkeeping."""
    text = " ".join(value for element in root.iter() for name, value in element.attrib.items() if name != "id")
    used = set(re.findall(r"#([\w.-]+)", text))
    found = [id for element in root.iter() if (id := element.get("id")) in used and id is not None]
    return {id: f"{key}-{index}" for index, id in enumerate(dict.fromkeys(found))}


def _append(parent: ET.Element, element: ET.Element, names: dict[str, str]) -> None:
    """Copy ``element`` into ``parent`` in the page's terms; groups that say nothing are dissolved."""
    if element.tag in _DROPPED or not isinstance(element.tag, str):
        return
    attributes = dict(_attributes(element, names))
    if element.tag == "defs" and not any(child.tag not in _DROPPED for child in element):
        return
    target = parent
    if element.tag != "g" or attributes:
        target = ET.SubElement(parent, element.tag, attributes)
        target.text = element.text if element.tag in ("text", "tspan") else None
    for child in element:
        _append(target, child, names)


def _attributes(element: ET.Element, names: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in element.attrib.items():
        if name == "id":
            if value in names:
                yield "id", names[value]
        elif name == "style":
            yield from _styles(value)
        elif name == _LINK:
            yield "href", "#" + names[value[1:]]
        elif name == "clip-path":
            yield name, f"url(#{names[value[5:-1]]})"
        elif name == "transform":
            if not _STILL.match(value):
                yield name, _rounded(value)
        else:
            precise = element.tag == "path" and "id" in element.attrib  # the shape of a marker is small
            yield name, _rounded(" ".join(value.split()), 2 if precise else 1)


def _styles(style: str) -> Iterator[tuple[str, str]]:
    """Colours as classes ("fill" f-…, "stroke" l-…), the rest as attributes where it is not the default."""
    rules = dict(part.strip().split(": ", 1) for part in style.split(";") if ": " in part)
    classes = []
    for role, prefix in (("fill", "f"), ("stroke", "l")):
        colour = rules.get(role)
        if colour == "none" and role == "fill":
            yield "fill", "none"
        elif colour in CLASSES:
            classes.append(f"{prefix}-{CLASSES[colour]}")
    if classes:
        yield "class", " ".join(classes)
    for name, default in _KEPT.items():
        if name in rules and rules[name] != default:
            yield name, _rounded(rules[name].removesuffix("px"), 2)


def _string(element: ET.Element, made: dict[tuple[tuple[str, str], ...], str]) -> None:
    """Replace a series of marks by one line whose corners carry the mark: a quarter of the bytes and nodes.

    A group with n uses of one shape becomes an SVG marker (which is that use) and a line through n places.

    Args:
        element: the group, or what holds groups.
        made: names of the markers that there are, by how they look; added to.
    """
    for child in element:
        _string(child, made)
    looks = {tuple(sorted((k, v) for k, v in child.items() if k not in "xy")) for child in element}
    if element.tag != "g" or len(element) < 2 or len(looks) > 1 or any(c.tag != "use" for c in element):
        return
    look = looks.pop()
    places = " ".join(f"{child.get('x')},{child.get('y')}" for child in element)
    for child in list(element):
        element.remove(child)
    if look not in made:
        made[look] = f"{dict(look)['href'][1:]}-mark-{len(made)}"
        marker = {"id": made[look], "overflow": "visible", "markerUnits": "userSpaceOnUse"}
        ET.SubElement(ET.SubElement(element, "marker", marker), "use", dict(look))
    ends = {f"marker-{part}": f"url(#{made[look]})" for part in ("start", "mid", "end")}
    ET.SubElement(element, "polyline", {"points": places, "class": "marks", **ends})


def _rounded(text: str, digits: int = 1) -> str:
    return _NUMBER.sub(lambda found: f"{float(found[0]):.{digits}f}".rstrip("0").rstrip(".") or "0", text)
