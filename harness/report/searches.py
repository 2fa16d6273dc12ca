"""A search of a claim's scope as the template draws it: sentences, shares, specification curve, what matters, trials.

The curve shows all effects in order of size, with the settings of each below, as multiverse analyses do (Simonsohn, Simmons &
Nelson 2020, doi 10.1038/s41562-020-0912-z).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.predict import words
from harness.report import heat, text
from harness.report.setting_values import number_of, said

NO_TRIAL: Mapping[str, Any] = {"settings": {}, "fresh": False} | dict.fromkeys(
    ("verdict", "reason", "effect", "interval", "n", "seconds", "why")
)
_WIDE, _HIGH, _LEFT, _ROW = 640.0, 150.0, 96.0, 16.0
UNEVEN = "need not be even"  # of settings whose values Hypothesis drew
LEVEL = 0.05  # of the test that effects differ at all, without which no setting is said to matter
_APART = 11.0  # between two lines of letters
_LONGEST = 190.0  # room for the name of a setting


def searched(found: Mapping[str, Any] | None, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """A search as the template draws it.

    Args:
        found: the row's ``search``, as ``harness.running.found.Search.to_json()`` writes it; what it lacks is unknown.
        row: the claim's row, whose effect stands in the curve as that of the defaults.
    """
    if not found:
        return None
    turned, confirmed, again = (found.get(name) for name in ("found", "confirmed", "confirmation"))
    at = None if turned is None else json.dumps(turned, sort_keys=True)  # in which True is not 1
    trials = [{**NO_TRIAL, **trial, "found": json.dumps(trial.get("settings"), sort_keys=True) == at}
              for trial in found.get("trials") or ()]  # fmt: skip
    told = [{**NO_TRIAL, **each, "found": False, "fresh": True} for each in (again, found.get("inside")) if each]
    default = found.get("default") or {}
    once = text.Once(fewest=1)
    once(str(row.get("reason") or ""))
    for trial in (*trials, *told):  # why settings could not be judged, each sentence once, and none of the card's own
        unjudged = trial["verdict"] in ("error", "invalid")
        trial["reason"] = once(str(trial["reason"] or ""), "") or None if unjudged else None
        trial["said"] = {name: said(value) for name, value in trial["settings"].items()}
    return {
        "heading": _heading(found, turned, confirmed), "as_of": found.get("as_of"), "reason": found.get("reason"),
        "looked_for": found.get("looked_for"), "own": {name: row.get(name) for name in ("verdict", "effect", "interval", "n")},
        "trials": [*trials, *told], "default": {name: said(value) for name, value in default.items()},
        "names": list(dict.fromkeys([*default, *(name for trial in (*trials, *told) for name in trial["settings"])])),
        "shares": [_share(share, found) for share in found.get("shares") or () if share["count"]],
        "importance": [_index(index) for index in found.get("importance") or ()], "split": _split(found.get("split")),
        "curve": _curve(trials, default, row),
        "maps": heat.drawn(found.get("maps") or ()), "holm": _holm(found),
        "joint": None if found.get("joint") is None else text.p_value(found["joint"]),
    }  # fmt: skip


def _heading(found: Mapping[str, Any], turned: Any, confirmed: bool | None) -> str:
    if found.get("broke"):
        return "The search broke; the claim's own verdict does not depend on it."
    if turned is None:
        return "No turn of the verdict was found."
    if confirmed and found.get("survives") is False:
        return "A turn of the verdict was confirmed, but does not stand among all searches of this report."
    return "The verdict turns in other settings." if confirmed is not False else "A turn of the verdict was not confirmed."


def _holm(found: Mapping[str, Any]) -> str | None:
    """What becomes of a confirmed turn among all searches of the report."""
    if not found.get("confirmed") or found.get("p_adjusted") is None:
        return None
    stands = {True: "it stands", False: "it does not stand", None: "there is no α to hold it against"}[found.get("survives")]
    return f"Among all searches of this report (Holm) its p is {text.p_value(found['p_adjusted'])}: {stands}."


def agreement(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """In how much of its scope a claim has the verdict that it has at its defaults, and its grade.

    Args:
        row: the claim's row.

    Returns:
        None for a claim that was not searched or not decided; else ``share`` in words, or None, and ``grade``: robust where
        the lower end of the share's interval lies above one half, replicable where fresh seeds gave the same verdict,
        reproducible where neither is known (docs/method/judging.md).
    """
    found = row["search"]
    if not found or row["verdict"] not in ("supported", "refuted"):
        return None
    own = next((each for each in found.get("shares") or () if each["verdict"] == row["verdict"]), None)
    others = found.get("others", own)  # beside the defaults, which agree with themselves
    again = found.get("inside")
    grades = [
        *(["robust"] if others and others["interval"][0] > 0.5 and not found.get("pools") else []),
        *(["replicable"] if again and again.get("verdict") == row["verdict"] else []),
    ]
    share = None if own is None else f"{own['count']} of {words.counted(own['of'], 'setting')}"
    return {"share": share, "grade": " and ".join(grades) or "reproducible"}


def line(row: Mapping[str, Any]) -> str | None:
    """Where a claim holds, in one line of Markdown; None for one that was not searched."""
    found = row.get("search")
    if not found:
        return None
    told = [f"{row['verdict']} at its defaults"]
    if found.get("broke"):
        told.append(f"its search broke: {found['broke']}")
    shares = [each for each in found.get("shares") or () if each["count"]]
    if shares:
        exact, of = shares[0]["interval"][0] == shares[0]["interval"][1], shares[0]["of"]
        different = sum(each.get("why") == "even" for each in found.get("trials") or ()) + 1  # beside the defaults
        drawn = f"all {words.counted(of, 'setting')} of its scope" if exact else words.counted(of, "even setting")
        if not exact and found.get("pools"):
            drawn = f"{words.counted(of, 'setting')}, which {UNEVEN},"
        elif not exact and 1 < different < of:  # a scope of few settings gives the same ones again
            drawn = f"{of} even draws of {different} settings"
        told.append(f"of {drawn} {', '.join(words.came(each['count'], each['verdict']) for each in shares)}")
    chance = (found.get("alike") or 0.0) >= LEVEL  # what turns there is no edge
    told += [
        _turn(edge) for edge in found.get("edges") or ()
        if edge.get("clear", True) and (not chance or not edge.get("judged", True))
    ]  # fmt: skip
    if found.get("found") is not None:
        where = ", ".join(f"{name.replace('_', ' ')} {said(value)}" for name, value in found["found"].items())
        how = {True: "on fresh seeds, too", False: "not on fresh seeds", None: "without fresh seeds"}[found.get("confirmed")]
        fate = ", but not after Holm" if found.get("survives") is False else ""
        told.append(f"{found['looked_for']} with {where} ({how}{fate})")
    grade = agreement(row)
    graded = f" Grade: {grade['grade']}." if grade else ""
    return f"- `{row['id']}`: {'; '.join(told)}.{graded}"


def _share(share: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    low, high = (round(100 * end) for end in share["interval"])
    part = share["count"] / share["of"]
    exact = share["interval"][0] == share["interval"][1]  # all of a scope of few settings was tried
    scope = "the whole scope" if exact else UNEVEN if found.get("pools") else f"{low} to {high} % of the scope"
    shown = f"{share['count']} of {share['of']}, {scope}"
    return {"verdict": share["verdict"], "percent": round(100 * part, 2), "said": shown}


def _turn(edge: Mapping[str, Any]) -> str:
    """Where a claim turns along one setting, or where it cannot be judged."""
    name, value = edge["name"].replace("_", " "), said(edge["outside"])
    if edge["threshold"] is not None:
        return f"turns at {name} {said(edge['threshold'])}"
    if edge.get("judged", True):
        return f"turns where {name} is {value}"
    can = "can be judged" if edge.get("here") == "unjudged" else "cannot be judged"
    inner, outer = number_of(edge["inside"]), number_of(edge["outside"])
    if inner is None or outer is None:
        return f"{can} where {name} is {value}"
    side = "from" if outer > inner else "up to"
    return f"{can} {side} {name} {value}" if edge.get("alone", True) else f"{can} at {name} {value}"


def _index(index: Mapping[str, Any]) -> dict[str, Any]:
    low, high = (round(100 * end) for end in index["interval"])
    percent = round(100 * index["total"])
    return {"name": index["name"].replace("_", " "), "percent": percent, "said": f"{percent} % ({low} to {high})"}


def _split(split: Mapping[str, Any] | None) -> str | None:
    """The best single condition, in a sentence."""
    if not split:
        return None
    name, below, above = split["name"].replace("_", " "), said(split["below"]), split["above"]
    where = f"{name} is {below}" if isinstance(above, list) else f"{name} is at most {below}"
    held = "holds" if split["holds_below"] else "does not hold"
    return f"The best single condition: it {held} where {where}, right for {split['right']} of {split['of']} settings."


def _curve(trials: Sequence[Mapping[str, Any]], default: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The specification curve: places of effects, intervals and settings in a drawing; None where there are too few effects."""
    shown = [each for each in trials if each["why"] == "even" and _drawable(each)]
    own = {"settings": {}, "effect": row["effect"], "interval": row["interval"], "verdict": row["verdict"]}
    if len(shown) < 3 or not default:
        return None
    turned = [each for each in trials if each["found"] and _drawable(each)][:1]
    shown += [each for each in turned if each not in shown]
    shown = sorted([*shown, *([own] if _drawable(own) else [])], key=lambda each: each["effect"])
    # What failed a check says nothing, and must not squash what says something: it may end in an arrow.
    telling = [each for each in shown if each["verdict"] != "invalid"] or shown
    ends = [end for each in telling for end in each["interval"]]
    centre, margin = row["centre"] or 0.0, row["margin"]
    guides = [centre] if not margin else [centre, *({"above": [centre + margin], "below": [centre - margin]}.get(
        row["rule"], [centre - margin, centre + margin]))]  # fmt: skip
    low, high = min(*ends, *guides), max(*ends, *guides)
    names = {name: heat.shortened(name, _LONGEST) for name in sorted(default)}
    left = max(_LEFT, round(10 + max(map(heat.room_of, names.values())), 1))
    step = (_WIDE - left) / len(shown)

    def y(value: float) -> float:
        inside = min(max(value, low), high)
        return float(round(_HIGH - 8 - (inside - low) / ((high - low) or 1.0) * (_HIGH - 16), 1))

    def beyond(each: Mapping[str, Any]) -> list[tuple[int, float]]:
        """Arrows at the ends that lie outside: (1 downwards or -1 upwards, where)."""
        bottom, top = each["interval"]
        return [(1, y(low))] * (bottom < low) + [(-1, y(high))] * (top > high)

    points = [
        {"x": round(left + step * (at + 0.5), 1), "y": y(each["effect"]), "low": y(each["interval"][0]),
         "high": y(each["interval"][1]), "verdict": each["verdict"], "own": each is own,
         "beyond": beyond(each), "outside": not low <= each["effect"] <= high,
         "ringed": each in turned}
        for at, each in enumerate(shown)
    ]  # fmt: skip
    settings = [{**default, **each["settings"]} for each in shown]
    rows = [
        {"name": short, "title": name.replace("_", " "), "y": round(_HIGH + _ROW * (at + 1), 1),
         "places": [{"x": point["x"], "y": round(_HIGH + _ROW * (at + 1) - 3 - 8 * place, 1)}
                    for point, place in zip(points, _places([each[name] for each in settings]), strict=True)]}
        for at, (name, short) in enumerate(names.items())
    ]  # fmt: skip
    return {
        "wide": _WIDE, "high": _HIGH + _ROW * (len(rows) + 1), "left": left, "points": points, "rows": rows,
        "guides": [{"y": y(value), "said": text.number(value) if _free(y(value), map(y, guides[:at])) else ""}
                   for at, value in enumerate(guides)],
        "title": f"{len(shown)} effects ({row['estimand'] or 'in natural units'}) in order of size, with intervals"
                 + ", an arrow where one goes on" * any(point["beyond"] for point in points)
                 + "; below them the value of each setting, low to high",
        "ringed": bool(turned),
    }  # fmt: skip


def _free(place: float, others: Iterable[float]) -> bool:
    """Whether a name at a place would lie over none of the others."""
    return all(abs(place - other) >= _APART for other in others)


def _drawable(trial: Mapping[str, Any]) -> bool:
    ends = trial["interval"]
    return trial["effect"] is not None and ends is not None and all(end is not None for end in ends)


def _places(values: Sequence[Any]) -> list[float]:
    """Where values lie between the smallest and the largest; names one after the other, and numbers if one is not finite."""
    numbers = [number for value in values if (number := number_of(value)) is not None]
    if len(numbers) == len(values):
        if all(map(math.isfinite, numbers)):
            low, high = min(numbers), max(numbers)
            return [(number - low) / ((high - low) or 1) for number in numbers]
        names = list(dict.fromkeys(map(said, sorted(numbers, key=lambda number: (math.isnan(number), number)))))
    else:
        names = sorted({said(value) for value in values})
    return [names.index(said(value)) / max(len(names) - 1, 1) for value in values]
