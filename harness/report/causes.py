"""Why two runs say different things: how far chance moves an effect, and what each run was made of.

Two independent runs of one estimand both scatter.  What the old run leads one to expect of the new is a prediction interval:
it is wider than either confidence interval, and its half widths follow from theirs, since variances of independent
estimates add (Zou and Donner 2008, Statist. Med. 27, 1693-1702, the MOVER: the halves of the two intervals that face each
other count, so it works for asymmetric intervals, too).

A cause named here is one that *can* have changed the numbers; whether it did is for the reader to find out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import scipy

from harness.report import text
from harness.report.rows import Row

ALPHA = 0.05  # a shift is beyond chance where Holm's adjustment over all claims compared leaves p at or below it


@dataclass(frozen=True)
class Shift:
    """How far an effect moved.

    Attributes:
        difference: new less old, in natural units.
        interval: (low, high) of the differences that chance explains at ``level``.  None where a run has no interval, or where
            both have the same networks and so are not independent.
        level: level of the interval (0.9).
        p: two-sided and approximate (normal), of a difference at least as large between two independent runs of one truth;
            None without an interval.
        p_adjusted: Holm's, over all claims compared.
    """

    difference: float
    interval: tuple[float, float] | None = None
    level: float | None = None
    p: float | None = None
    p_adjusted: float | None = None

    @property
    def beyond(self) -> bool:
        """Whether the new effect lies outside the prediction interval."""
        return self.interval is not None and not self.interval[0] <= self.difference <= self.interval[1]

    @property
    def demonstrable(self) -> bool:
        """Whether it would do so in fewer than one in twenty comparisons of whole runs that do not differ."""
        return self.beyond and self.p_adjusted is not None and self.p_adjusted <= ALPHA


def shift(old: Row, new: Row, *, independent: bool) -> Shift:
    """How far the effect of ``new`` lies from that of ``old``; both are known.

    Args:
        old: row of the run before.
        new: row of the run after.
        independent: whether the two runs trained separate networks; only then can chance explain a difference.
    """
    difference = new["effect"] - old["effect"]
    if not independent or None in (old["interval"], new["interval"]):
        return Shift(difference)
    down, up, level = half_widths(old, new)
    return Shift(difference, (-down, up), level, _chance(difference, up if difference > 0 else down, level))


def half_widths(old: Row, new: Row) -> tuple[float, float, float]:
    """How far below and above the old effect chance puts the new one, and the level of that interval.

    Each half width is the root of the sum of squares of the two that face each other: upwards, the upper half of the old
    interval and the lower half of the new one.  Where the two intervals have different levels, that of the lower level is
    widened to the higher by the ratio of normal quantiles.
    """
    (old_down, old_up), (new_down, new_up) = _halves(old), _halves(new)
    alpha = min(_alpha(old), _alpha(new))
    wider_old, wider_new = (_quantile(alpha) / _quantile(_alpha(row)) for row in (old, new))
    downwards = math.hypot(old_down * wider_old, new_up * wider_new)
    upwards = math.hypot(old_up * wider_old, new_down * wider_new)
    return downwards, upwards, 1 - 2 * alpha


def in_half_widths(difference: float, row: Row) -> float:
    """A difference in units of half the row's interval; in natural units if that has no finite width."""
    down, up = _halves(row) if row["interval"] else (0.0, 0.0)
    half = (down + up) / 2
    return abs(difference) / half if 0 < half < math.inf else abs(difference)


def _chance(difference: float, half: float, level: float) -> float:
    """Two-sided p of a difference, where one of ``half`` is the end of the interval of ``level``; normal tails."""
    if difference == 0:
        return 1.0
    return 2 * float(scipy.stats.norm.sf(_quantile((1 - level) / 2) * abs(difference) / half)) if half else 0.0


def _halves(row: Row) -> tuple[float, float]:
    """From the estimate down and up to the ends of its interval; an end that is unknown is unbounded."""
    effect, (low, high) = row["effect"], row["interval"]
    down = math.inf if low is None else max(0.0, effect - low)
    up = math.inf if high is None else max(0.0, high - effect)
    return down, up


def _alpha(row: Row) -> float:
    return float(row["alpha"]) if row["alpha"] else ALPHA


def _quantile(tail: float) -> float:
    return float(scipy.stats.norm.isf(tail))


_LONG = 60  # characters of a setting that is told in full
_ENVIRONMENT = ("device", "torch", "python", "platform", "llc_engine")
_FIXED = ("statement", "kind", "prediction", "rule", "centre", "margin", "alpha")
Run = Mapping[str, Any]


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
    """What differs for every claim; for a merged run, whose claims came from several runs, only the scale."""
    found = [Cause("scale", f"{old['scale']} → {new['scale']}")] if old["scale"] != new["scale"] else []
    return (*found, *([] if _merged(old) or _merged(new) else _around(_facts(old, None), _facts(new, None))))


def of_claim(old: Row, new: Row, runs: tuple[Run, Run]) -> tuple[Cause, ...]:
    """What differs for one claim: what was fixed beforehand, what was trained, how it was measured.

    If one of the runs was merged from several, this includes code and environment of the run that the row came from.
    """
    parts = (("claim", _claim(old, new)), ("population", _population(old, new)), ("settings", _settings(old, new)))
    own = [Cause(what, detail) for what, detail in parts if detail]
    if any(map(_merged, runs)):
        own += _around(_facts(runs[0], old["id"]), _facts(runs[1], new["id"]))
    return tuple(own)


def same_networks(old: Row, new: Row) -> bool:
    """Whether both rows rest on the same networks (recipes and seeds), so that the runs are not independent."""
    return _trained(old) == _trained(new)


def _merged(run: Run) -> bool:
    return bool(run["provenance"].get("merged"))


def _facts(run: Run, claim: str | None) -> Mapping[str, Any]:
    """Provenance and device of the run, or, for a merged run, of the run that the claim's row came from."""
    given = (part for part in run["provenance"].get("merged") or () if claim in part["rows"])
    whole: Mapping[str, Any] = {**run["provenance"], "device": run["device"]}
    return next(given, whole)


def _around(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Cause]:
    """Code and environment, where they differ."""
    around = filter(None, (_changed(name, was.get(name), now.get(name)) for name in _ENVIRONMENT))
    parts = (("code", _code(was, now)), ("environment", "; ".join(around)))
    return [Cause(what, detail) for what, detail in parts if detail]


def _code(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Whether code that can change a number differs; without a digest, whether the commit does."""
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
    was, now = _apart(text.compact(before), text.compact(after))
    return f"{name.replace('_', ' ')} {was} → {now}"


def _apart(before: str, after: str) -> tuple[str, str]:
    """Two long lists of settings without what both have: of sixteen, the two that differ are what a reader looks for."""
    if min(len(before), len(after)) <= _LONG:
        return before, after
    was, now = before.split(", "), after.split(", ")
    told: tuple[list[str], list[str]] = ([], [])
    for same, start, end, begin, stop in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        for side, pieces in zip(told, (was[start:end], now[begin:stop]), strict=True):
            side += ["…"] if same == "equal" else pieces
    return ", ".join(told[0]) or "nothing", ", ".join(told[1]) or "nothing"


def _short(digest: Any) -> str:
    return "unknown" if digest is None else str(digest)[:12]
