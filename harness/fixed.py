"""What is fixed before a claim runs, as plain data, and in words what differs between two states of it.

A state is ``{"digest": …, "declared": …, "design": …}``: the claim's own digest, what its declaration says
(:func:`declared`), and what it asks for (:meth:`harness.running.asking.ClaimDesign.to_json`).  Rows of a report, the ledger and
preregistrations hold it in this form.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from harness.claim import PASSES, Claim
from harness.spec import digest, type_name

State = Mapping[str, Any]
CODE = "code of its fixtures"
_LONGEST = 48  # characters of a value that a sentence still shows
_NAMED = 3  # recipes that a sentence names; of more it gives the number
_SHARED = ("populations", "instruments")
_EMPTY: tuple[Any, ...] = (None, "", [], {})  # what a field without a value may hold
_UNSAID = ("settings", "spec", "type")  # levels that only sort what is below them


def declared(claim: Claim) -> dict[str, Any]:
    """All that a claim's declaration fixes, as JSON.

    Tags and links, which decide nothing, are left out, and so are fields without a value, below the first level.
    """
    cited = claim.source
    said = {
        "statement": claim.statement,
        "kind": claim.kind,
        "source": {"title": cited.source.title, "section": cited.section, "quote": cited.quote, "reported": cited.reported},
        "prediction": stable(claim.prediction),
        "gates": [_without_type(stable(gate)) for gate in claim.gates],
        "protocols": list(claim.protocols),
        "companions": [stable(companion) for companion in claim.companions],
        "scope": {name: str(values) for name, values in sorted(claim.scope.items())},
        "population": stable(claim.population),
    }
    if claim.passes != PASSES:
        said["passes"] = list(claim.passes)
    return {name: _filled(value) for name, value in said.items()}


def stable(value: Any) -> Any:
    """A spec as readable JSON, the same in every process: what JSON lacks is named by its type, never by its address."""
    if hasattr(value, "describe") and not isinstance(value, type):
        return stable(value.describe())
    if is_dataclass(value) and not isinstance(value, type):
        return {"type": type_name(type(value))} | {each.name: stable(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): stable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [stable(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(map(stable, value), key=repr)
    if value is None or isinstance(value, bool | str):
        return value
    if hasattr(value, "tolist"):
        return stable(value.tolist())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if value - value == 0 else str(float(value))  # JSON has no infinity and no NaN
    named = value if isinstance(value, type) or inspect.isroutine(value) else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _filled(value: Any) -> Any:
    """The value without fields that say nothing."""
    if isinstance(value, dict):
        return {name: _filled(item) for name, item in value.items() if item not in _EMPTY}
    return [_filled(item) for item in value] if isinstance(value, list) else value


def set_apart(design: Mapping[str, Any], into: dict[str, Any]) -> dict[str, Any]:
    """A design with what several claims may share, members and instruments, put ``into`` a table under its digest."""
    shared = {name: design[name] for name in _SHARED}
    key = digest(shared)
    into[key] = shared
    return {name: value for name, value in design.items() if name not in _SHARED} | {"asks": key}


def put_together(design: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """A design that was set apart, whole again; one that was not, as it is."""
    if "asks" not in design:
        return dict(design)
    return {name: value for name, value in design.items() if name != "asks"} | dict(shared[design["asks"]])


def is_set_apart(design: Any, shared: Mapping[str, Any]) -> bool:
    """Whether something read from a file is a design, whole or with its part in ``shared``."""
    apart = isinstance(design, dict) and isinstance(design.get("asks"), str) and design["asks"] in shared
    return apart or is_design(design)


def is_design(value: Any) -> bool:
    """Whether something read from a file has the form of a design."""
    groups = value.get("populations") if isinstance(value, dict) else None
    return isinstance(groups, list) and _are_objects(value.get("instruments")) and all(
        isinstance(group, dict) and isinstance(group.get("recipes"), dict) and isinstance(group.get("seeds"), list)
        and all(type(seed) is int for seed in group["seeds"])
        for group in groups
    )  # fmt: skip


def differences(before: State, now: State) -> list[str]:
    """What differs, in the order in which a reader asks for it: "margin 1.0 → 0.2", "seeds 8 → 30".

    The code of body and fixtures is named where nothing else differs, since what else differs stands in code, too.  Where one
    of the states does not know a part, that part is not compared.
    """
    found: list[str] = []
    if before.get("declared") and now.get("declared"):
        found += _declaration(before["declared"], now["declared"])
    if not found and before.get("digest") and now.get("digest") and before["digest"] != now["digest"]:
        found.append(f"declaration (digest {before['digest'][:8]} → {now['digest'][:8]})")
    old, new = before.get("design"), now.get("design")
    if old and new and old.get("digest") != new.get("digest"):
        found += _design(old, new)
        if not found and old.get("code") and new.get("code") and old["code"] != new["code"]:
            found.append(CODE)
    return found


def _declaration(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for part in dict.fromkeys([*before, *now]):
        label = {"prediction": "", "gates": "gate", "companions": "companion"}.get(part, part)
        found += _compare(label, before.get(part), now.get(part))
    return found


def _design(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    old, new = _recipes(before), _recipes(now)
    found = [*_seeds(old, new), *_other_recipes(old, new)]
    instruments = [
        # Seeds and recipes that are others make other numbers of members, which is no news beside them.
        [_without(one, "members") if found else dict(one) for one in design.get("instruments") or ()]
        for design in (before, now)
    ]
    return found + _compare("", *instruments)


def _recipes(design: Mapping[str, Any]) -> dict[str, tuple[str, list[int]]]:
    """Name and seeds of every recipe by its digest."""
    return {
        key: (str(name), list(group["seeds"]))
        for group in design.get("populations") or () for key, name in group["recipes"].items()
    }  # fmt: skip


def _seeds(old: Mapping[str, tuple[str, list[int]]], new: Mapping[str, tuple[str, list[int]]]) -> Iterator[str]:
    was, now = (sorted({seed for _, seeds in some.values() for seed in seeds}) for some in (old, new))
    if was != now:
        yield f"seeds {len(was)} → {len(now)}" if len(was) != len(now) else f"seeds {_said(was)} → {_said(now)}"
        return
    moved = [key for key in old if key in new and sorted(old[key][1]) != sorted(new[key][1])]
    for key in moved[:_NAMED]:
        yield f"seeds of {old[key][0]} {_said(sorted(old[key][1]))} → {_said(sorted(new[key][1]))}"
    if len(moved) > _NAMED:
        yield f"seeds of {len(moved) - _NAMED} more recipes"


def _other_recipes(old: Mapping[str, tuple[str, list[int]]], new: Mapping[str, tuple[str, list[int]]]) -> Iterator[str]:
    gone = Counter(name for key, (name, _) in old.items() if key not in new)
    come = Counter(name for key, (name, _) in new.items() if key not in old)
    for what, some in (("changed", gone & come), ("left out", gone - come), ("added", come - gone)):
        names = list(some.elements())
        if names:
            shown = ", ".join(dict.fromkeys(names)) if len(set(names)) <= _NAMED else f"{next(iter(names))} and others"
            yield f"{'recipe' if len(names) == 1 else f'{len(names)} recipes'} {what} ({shown})"


def _compare(label: str, before: Any, now: Any) -> list[str]:
    """What differs below a label, one short phrase for each value."""
    if before == now or (before in _EMPTY and now in _EMPTY):
        return []
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        kinds = [value.get("kind") or value.get("type") for value in (before, now)]
        if label != "source" and kinds[0] != kinds[1]:
            return [f"{label or 'prediction'} {kinds[0]} → {kinds[1]}"]
        names = dict.fromkeys([*before, *now])
        return [each for name in names for each in _compare(_below(label, name), before.get(name), now.get(name))]
    if _lists_of_parts(before, now):
        return list(_parts(label, before, now))
    old, new = _said(before), _said(now)
    return [f"{label} {old} → {new}" if max(len(old), len(new)) <= _LONGEST else label]


def _parts(label: str, before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Lists of gates, parts, companions or instruments: equal ones are put aside, the others compared by name or place."""
    label = label.removesuffix("s") if label.endswith(("parts", "predictions")) else label
    left, right = list(before), list(now)
    for each in before:
        if each in right:
            left.remove(each)
            right.remove(each)
    if not left and not right:
        yield f"order of {label}".strip()
    old, new = dict(_keyed(left)), dict(_keyed(right))
    for key in dict.fromkeys([*old, *new]):
        named = _below(label, f"“{key[0]}”" if isinstance(key[0], str) else str(key[0] + 1))
        if key not in old or key not in new:
            yield f"{named} {'added' if key not in old else 'left out'}"
        else:
            yield from _compare(named, _without(old[key], "name"), _without(new[key], "name"))


def _keyed(items: Iterable[Mapping[str, Any]]) -> Iterator[tuple[tuple[Any, int], Mapping[str, Any]]]:
    seen: Counter[Any] = Counter()
    for place, each in enumerate(items):
        name = each.get("name", place)
        name = name if isinstance(name, str | int) else _said(name)
        yield (name, seen[name]), each
        seen[name] += 1


def _lists_of_parts(*values: Any) -> bool:
    return all(map(_are_objects, values))


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, Mapping) for each in value)


def _below(label: str, name: str) -> str:
    said = "" if name in _UNSAID else name.replace("_", " ")
    return f"{label} {said}".strip()


def _without(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key != name}


def _without_type(value: Any) -> Any:
    return _without(value, "type") if isinstance(value, Mapping) else value


def _said(value: Any) -> str:
    """A value as a sentence has it."""
    if value in _EMPTY:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_said(item)}" for name, item in value.items())
    if isinstance(value, list):
        whole = all(type(each) is int for each in value)
        if whole and len(value) > 2 and value == list(range(value[0], value[0] + len(value))):
            return f"{value[0]}–{value[-1]}"
        return ", ".join(map(_said, value))
    return _values_in_words(value) if isinstance(value, str) else repr(value)


_RANGE = re.compile(r"(floats|integers)\(min_value=([^,()]+), max_value=([^,()]+)\)")
_CHOICE = re.compile(r"sampled_from\([\[(](.*)[\])]\)")


def _values_in_words(said: str) -> str:
    """A strategy of a scope, which a declaration holds in the words of a reader; other text as it is."""
    if found := _RANGE.fullmatch(said):
        kind, low, high = found.groups()
        said = f"{'whole numbers ' * (kind == 'integers')}from {low} to {high}"
    elif found := _CHOICE.fullmatch(said):
        said = f"one of {found.group(1).replace(',)', ')').rstrip(',')}"
    else:
        return said
    return re.sub(r"(\d)\.0\b", r"\1", said)
