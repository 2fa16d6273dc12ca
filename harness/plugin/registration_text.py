"""A preregistration for readers, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.report import text


def to_markdown(held: Mapping[str, Any]) -> str:
    """The file beside a preregistration's JSON; see :mod:`harness.plugin.registration`."""
    claims, versions = held["claims"], held["versions"]
    lines = [
        f"# Preregistration of {text.counted(len(claims), 'claim', 'claims')}, {held['date']}", "",
        f"Written before anything ran, at scale {held['scale']}. Commit {held['commit'] or 'unknown'}"
        f"{', with uncommitted changes' if held['dirty'] else ''}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items() if version) + ".", "",
        "A later run says of every claim whether it is as registered: `pytest claims/ --claims-preregistration FILE`, with the "
        "JSON file beside this one.", "",
    ]  # fmt: skip
    for name, claim in claims.items():
        lines += [f"## {name}", "", *_claim(claim), ""]
    lines += ["## Designs", "", "What is trained and measured, by the names above.", ""]
    for key, design in held["designs"].items():
        lines += [f"### {key}", "", *_design(design), ""]
    if held["recipes"]:
        lines += ["## Recipes", "", "What is trained, by the digests above.", ""]
        lines += [f"- `{key}`: {_inline(recipe)}" for key, recipe in held["recipes"].items()]
    return "\n".join(lines).rstrip() + "\n"


def _claim(claim: Mapping[str, Any]) -> Iterator[str]:
    declared = claim["declared"]
    source, prediction = declared["source"], declared["prediction"]
    yield declared["statement"]
    yield ""
    if "quote" in source:
        yield f"> {source['quote']}"
        yield ">"
    place = ", ".join(source[name] for name in ("title", "section") if name in source)
    yield f"> {place}" + (f" (reported: {source['reported']})" if "reported" in source else "")
    yield ""
    yield f"- **Prediction**: {claim['prediction']}"
    yield from _fields(prediction)
    for name, gate in ((gate["name"], gate) for gate in declared["gates"]):
        rest = {key: value for key, value in gate.items() if key != "name" and value not in (None, "", {}, [])}
        yield f"- **Validity check**, {name}: {_inline(rest)}"
    for companion in declared["companions"]:
        yield f"- **Companion**, without a say: {_inline(companion)}"
    if declared.get("population"):
        yield f"- **Population**: {_inline(declared['population'])}"
    if declared["protocols"]:
        yield f"- **Protocols**: {', '.join(declared['protocols'])}; the first decides"
    if declared["scope"]:
        yield "- **Scope**: " + "; ".join(f"{name} in {values}" for name, values in declared["scope"].items())
    yield f"- **Planned power**: {claim['plan']}"
    design = claim["design"]
    yield f"- **Design**: [{design['asks']}](#{design['asks']}); code of body and fixtures `{design['code']}`"
    yield f"- **Digests**: declaration `{claim['digest']}`, design `{design['digest']}`"


def _fields(prediction: Mapping[str, Any], indent: str = "  ") -> Iterator[str]:
    """Every field of a prediction; the parts of a conjunction below it."""
    for name, value in prediction.items():
        if isinstance(value, list) and value and all(isinstance(part, Mapping) for part in value):
            for number, part in enumerate(value, 1):
                yield f"{indent}- {name.replace('_', ' ')} {number}:"
                yield from _fields(part, indent + "  ")
        else:
            yield f"{indent}- {name.replace('_', ' ')}: {_inline(value)}"


def _design(design: Mapping[str, Any]) -> Iterator[str]:
    if not design["populations"]:
        yield "- No networks are trained"
    for group in design["populations"]:
        recipes = ", ".join(f"{name} (`{key}`)" for key, name in group["recipes"].items())
        yield f"- **Seeds** {text.ranges(group['seeds'])} of {recipes}"
    for instrument in design["instruments"]:
        of = f" of {text.counted(instrument['members'], 'network', 'networks')}" if instrument["members"] else ""
        streams = f"; random streams {text.ranges(instrument['streams'])}" if instrument["streams"] else ""
        yield f"- **Instrument**, {instrument['name']}{of}: {_inline(instrument['settings'])}{streams}"


def _inline(value: Any) -> str:
    """A value in one line, exact: a registered number is never rounded."""
    if isinstance(value, Mapping):
        return ", ".join(f"{str(name).replace('_', ' ')} {_inline(item)}" for name, item in value.items()) or "none"
    if isinstance(value, list):
        return "(" + ", ".join(map(_inline, value)) + ")" if value else "none"
    return "none" if value is None or value == "" else str(value)
