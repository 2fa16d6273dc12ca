"""Runs that are read are checked against the published schema, ``claims.schema.json``: what is wrong, where, and why.

The part of JSON Schema (draft 2020-12) that the published schema uses is checked here, so that reading a run needs no further
package; the tests compare with ``jsonschema``.  Besides, it has to be strict JSON (:mod:`harness.strict`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.limits import briefly
from harness.strict import Fault, below, unfit

_PLAIN: Mapping[str, tuple[type, ...]] = {
    "null": (type(None),), "boolean": (bool,), "integer": (int,), "number": (int, float), "string": (str,), "array": (),
    "object": (),
}  # fmt: skip
"""Python's own types for those of JSON, without those that have parts."""
_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: (isinstance(value, int) and not isinstance(value, bool))
    or (isinstance(value, float) and value.is_integer()),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, Mapping),
}  # fmt: skip


@cache
def published() -> dict[str, Any]:
    """The schema."""
    held: dict[str, Any] = json.loads((Path(__file__).parent / "claims.schema.json").read_text(encoding="utf-8"))
    return held


def faults(run: Any) -> Iterator[Fault]:
    """What is wrong with a run, depth first; nothing if it is one."""
    strict = list(unfit(run))
    yield from strict or _faults(run, published(), "")


def faults_of(part: str, value: Any) -> Iterator[Fault]:
    """What is wrong with what the schema defines under ``$defs`` by the name of ``part``."""
    strict = list(unfit(value))
    yield from strict or _faults(value, published()["$defs"][part], "")


def faults_by(schema: Mapping[str, Any], value: Any) -> Iterator[Fault]:
    """What is wrong with a value by a schema without references."""
    strict = list(unfit(value))
    yield from strict or _faults(value, schema, "")


def _faults(value: Any, schema: Mapping[str, Any], where: str) -> Iterator[Fault]:
    if "$ref" in schema:
        yield from _faults(value, published()["$defs"][schema["$ref"].rsplit("/", 1)[-1]], where)
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds is not None and not any(_TYPES[kind](value) for kind in kinds):
        yield where, f"is {briefly(value)}; expected {' or '.join(kinds)}"
        return
    yield from _of_values(value, schema, where)
    if isinstance(value, Mapping):
        yield from _of_objects(value, schema, where)
    if isinstance(value, list):
        yield from _of_arrays(value, schema, where)
    if "oneOf" in schema:
        yield from _of_choices(value, schema["oneOf"], where)


def _of_values(value: Any, schema: Mapping[str, Any], where: str) -> Iterator[Fault]:
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    if choices is not None and not any(type(value) is type(choice) and value == choice for choice in choices):
        yield where, f"is {briefly(value)}; expected {' or '.join(json.dumps(choice) for choice in choices)}"
    if _TYPES["number"](value):
        if value < schema.get("minimum", value):
            yield where, f"is {briefly(value)}; expected {schema['minimum']} or more"
        if value > schema.get("maximum", value):
            yield where, f"is {briefly(value)}; expected {schema['maximum']} or less"
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        yield where, "is an empty text"


def _of_objects(value: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> Iterator[Fault]:
    for name in schema.get("required", ()):
        if name not in value:
            yield where, f"lacks {name!r}"
    own, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, item in value.items():
        at = below(where, name)
        if name in own:
            yield from _faults(item, own[name], at)
        elif others is False:
            yield where, f"has the unknown field {briefly(name)}"
        elif isinstance(others, Mapping):
            yield from _faults(item, others, at)


def _of_arrays(value: list[Any], schema: Mapping[str, Any], where: str) -> Iterator[Fault]:
    first, rest = schema.get("prefixItems", []), schema.get("items", True)
    if len(value) < schema.get("minItems", 0) or (rest is False and len(value) > len(first)):
        yield where, f"has {len(value)} entries; expected {schema.get('minItems', len(first))}"
    if len(value) > schema.get("maxItems", len(value)):
        yield where, f"has {len(value)} entries; expected {schema['maxItems']} at most"
    if not first and isinstance(rest, Mapping) and _all_simple(value, rest):
        return
    for place, item in enumerate(value):
        at = f"{where}[{place}]"
        if place < len(first):
            yield from _faults(item, first[place], at)
        elif isinstance(rest, Mapping):
            yield from _faults(item, rest, at)


def _all_simple(values: list[Any], schema: Mapping[str, Any]) -> bool:
    """Whether all values are of a type, where the schema asks for nothing else: most of a run is columns of figures."""
    if "$ref" in schema:
        schema = published()["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    kinds = schema.get("type")
    if kinds is None or set(schema) - {"type", "description"}:
        return False
    kinds = [kinds] if isinstance(kinds, str) else kinds
    held = {type(value) for value in values}
    return all(any(held_type in _PLAIN[kind] for kind in kinds) for held_type in held)


def _of_choices(value: Any, choices: list[Mapping[str, Any]], where: str) -> Iterator[Fault]:
    """The faults by the last choice: in the schema the first is always null."""
    found = [list(_faults(value, choice, where)) for choice in choices]
    if all(found):
        yield from found[-1]
