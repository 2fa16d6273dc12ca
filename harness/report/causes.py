"""Why two runs may say different things: what each was made of, compared by digest.

A cause that is named here is one that *can* have changed the numbers; whether it did is for the reader to find out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.report import text

_ENVIRONMENT = ("device", "torch", "python", "platform", "llc_engine")
_FIXED = ("statement", "kind", "prediction", "rule", "centre", "margin", "alpha")
Run = Mapping[str, Any]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Cause:
    """Something that differs between two runs.

    Attributes:
        what: "code", "claim", "population", "settings", "environment" or "scale".
        detail: in which way, with digests.
    """

    what: str
    detail: str


def between_runs(old: Run, new: Run) -> tuple[Cause, ...]:
    """What differs for every claim; of a merged run, whose claims came from several, only the scale."""
    found = [Cause("scale", f"{old['scale']} → {new['scale']}")] if old["scale"] != new["scale"] else []
    return (*found, *([] if _merged(old) or _merged(new) else _around(_facts(old, None), _facts(new, None))))


def of_claim(old: Row, new: Row, runs: tuple[Run, Run]) -> tuple[Cause, ...]:
    """What differs for one claim: what was fixed beforehand, what was trained, how it was measured.

    Where one of the runs was merged of several, code and environment of the one that gave the row, too.
    """
    parts = (("claim", _claim(old, new)), ("population", _population(old, new)), ("settings", _settings(old, new)))
    own = [Cause(what, detail) for what, detail in parts if detail]
    if any(map(_merged, runs)):
        own += _around(_facts(runs[0], old["id"]), _facts(runs[1], new["id"]))
    return tuple(own)


def same_networks(old: Row, new: Row) -> bool:
    """Whether both rows rest on the same networks (recipes and seeds), so that they are no independent runs."""
    return _trained(old) == _trained(new)


def _merged(run: Run) -> bool:
    return bool(run["provenance"].get("merged"))


def _facts(run: Run, claim: str | None) -> Mapping[str, Any]:
    """Provenance and device of the run, or of that which gave the claim's row to a merged one."""
    given = (part for part in run["provenance"].get("merged") or () if claim in part["rows"])
    whole: Mapping[str, Any] = {**run["provenance"], "device": run["device"]}
    return next(given, whole)


def _around(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Cause]:
    """Code and environment, where they differ."""
    around = filter(None, (_changed(name, was.get(name), now.get(name)) for name in _ENVIRONMENT))
    parts = (("code", _code(was, now)), ("environment", "; ".join(around)))
    return [Cause(what, detail) for what, detail in parts if detail]


def _code(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Whether code that can change a number differs; where no digest tells, whether the commit does."""
    before, after = was.get("code"), now.get("code")
    commits = f"commit {_short(was.get('commit'))} → {_short(now.get('commit'))}"
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        folders = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
        differ = ", ".join(f"{name} {_short(before.get(name))} → {_short(after.get(name))}" for name in folders)
        return f"{differ} ({commits})" if folders else ""
    if was.get("commit") != now.get("commit"):
        return commits
    return "uncommitted changes" if was.get("dirty") or now.get("dirty") else ""


def _claim(old: Row, new: Row) -> str:
    if old["digest"] == new["digest"]:
        return ""
    named = [_changed(name, old[name], new[name]) for name in _FIXED]
    if [gate["name"] for gate in old["gates"]] != [gate["name"] for gate in new["gates"]]:
        named.append("gates")
    said = "; ".join(filter(None, named)) or "source, gates or protocols"
    return f"{said} (digest {_short(old['digest'])} → {_short(new['digest'])})"


def _population(old: Row, new: Row) -> str:
    was, now = _trained(old), _trained(new)
    said = []
    for name in dict.fromkeys([*was, *now]):
        if name not in was or name not in now:
            said.append(f"{name} only in {'new' if name not in was else 'old'}")
        elif was[name] != now[name]:
            (digest, seeds), (later, others) = was[name], now[name]
            recipe = _changed("digest", _short(digest), _short(later))
            changed = filter(None, (recipe, _changed("seeds", text.ranges(seeds), text.ranges(others))))
            said.append(f"{name}: {', '.join(changed)}")
    return "; ".join(said[:4]) + (f"; and {len(said) - 4} recipes more" if len(said) > 4 else "")


def _settings(old: Row, new: Row) -> str:
    was, now = old["settings"], new["settings"]
    return "; ".join(filter(None, (_changed(name, was.get(name), now.get(name)) for name in dict.fromkeys([*was, *now]))))


def _trained(row: Row) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """Digest and seeds of every recipe, by its name (numbered where two have the same)."""
    found: dict[str, tuple[Any, tuple[Any, ...]]] = {}
    for recipe in row["recipes"]:
        name, count = str(recipe.get("name") or "unnamed"), 2
        while name in found:
            name, count = f"{recipe.get('name')} ({count})", count + 1
        found[name] = (recipe.get("digest"), tuple(recipe.get("seeds") or ()))
    return found


def _changed(name: str, before: Any, after: Any) -> str:
    if before == after:
        return ""
    return f"{name.replace('_', ' ')} {text.compact(before)} → {text.compact(after)}"


def _short(digest: Any) -> str:
    return "unknown" if digest is None else str(digest)[:12]
