"""What a search found, in a few sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.predict import words
from harness.report.searches import LEVEL, UNEVEN
from harness.running.edges import Edge
from harness.running.trials import in_words, value_in_words
from harness.running.values import is_number

if TYPE_CHECKING:
    from harness.running.found import Search

MOST = 5  # places of which a sentence lists each


def told(found: Search) -> str:
    """A search in a few sentences."""
    tried_so_far = words.counted(len(found.trials), "setting")
    broke = f"The search broke after {tried_so_far}: {found.broke}." if found.broke else ""
    said = (broke, _shares(found), _edges(found), _simplest(found), _matters(found))
    return " ".join(filter(None, said))


def _shares(found: Search) -> str:
    said = [words.came(share.count, share.verdict) for share in found.shares if share.count or share.verdict == "supported"]
    supported = next((share for share in found.shares if share.verdict == "supported"), None)
    tried = f"The time was over after {len(found.trials)} of {words.counted(found.asked or 0, 'setting')}." if found.cut else ""
    if supported is None:
        return "No setting was tried: the time was over before." if found.cut else "No setting was tried."
    if not found.trials:
        return "The scope has no setting but the defaults, so that there is nothing to try."
    if supported.exact:
        every = "was the only setting" if supported.of == 1 else f"were all {supported.of} settings"
        return f"Tried {every} of the scope, so that the shares are exact: {', '.join(said)}."
    low, high = (f"{100 * end:.0f}" for end in supported.interval)
    different = sum(trial.why == "even" for trial in found.trials)  # beside the defaults
    drawn = f"{words.counted(supported.of, 'setting')} spread evenly over the scope"
    if different < supported.of - 1:  # a scope of few settings gives the same ones again
        drawn = f"{supported.of} even draws from a scope of few settings"
    if found.pools:
        names = " and ".join(found.pools)
        return f"{tried} Of {supported.of} settings from values that Hypothesis gave of {names}, which {UNEVEN}: " \
               f"{', '.join(said)}.".strip()  # fmt: skip
    return (
        f"{tried} Of {drawn}: {', '.join(said)}; so a study of this size supports it in {low} to {high} % of the scope.".strip()
    )


def _edges(found: Search) -> str:
    """The first line that turns with all that is known of it, the others by where they do."""
    lines: dict[str, list[Edge]] = {}
    for edge in found.edges:
        if not (edge.judged and _chance(found)):  # what turns by no more than errors explain is no edge
            lines.setdefault(edge.name, []).append(edge)
    turning = [line for line in lines.values() if any(edge.judged for edge in line)]
    single = [edge for line in turning[1:] for edge in line if not _several(line)]
    said = [_line(turning[0], found)] if turning else []
    if single:
        said.append(f"It turns, too, {_places(single)}.")
    said += [f"Along {line[0].name} it is {_along(line)}." for line in turning[1:] if _several(line)]
    unjudged = [edge for line in lines.values() if line not in turning for edge in line]
    for begins, can in (("fails", "cannot"), ("unjudged", "can")):
        values = [f"{edge.name} {_from(edge)}" for edge in unjudged if (edge.here == "unjudged") == (begins == "unjudged")]
        said += [f"It {can} be judged with {' and '.join(values)}."] if values else []
    return " ".join(said)


def _several(line: Sequence[Edge]) -> bool:
    """Whether values along a line have an order, and it has more than one edge."""
    return len(line) > 1 and all(_ordered(edge) for edge in line)


def _line(line: Sequence[Edge], found: Search) -> str:
    """The line that turns nearest to the defaults."""
    if _several(line):
        return f"With all else at its default it is {_along(line)}.{_fresh(line[0], found)}"
    if line[0].threshold is None:
        judged = [edge for edge in line if edge.judged]
        return f"With all else at its default it turns {_places(judged)}.{_fresh(line[0], found)}"
    return _edge(line[0], found)


def _along(line: Sequence[Edge]) -> str:
    """The stretches of a line with several edges, from its least value to its greatest."""
    edges = sorted(line, key=lambda edge: (edge.inside + edge.outside) / 2)
    falls = [edge.outside < edge.inside for edge in edges]
    states = [edges[0].there if falls[0] else edges[0].here]
    states += [edge.here if fall else edge.there for edge, fall in zip(edges, falls, strict=True)]
    said = []
    for number, state in enumerate(states):
        low = None if number == 0 else _end(edges[number - 1], state, above=True)
        high = None if number == len(edges) else _end(edges[number], state, above=False)
        decided = all(end is None or end[1] for end in (low, high))
        word = {"holds": "supported" if decided else "beyond its margin",
                "fails": "refuted" if decided else "short of its margin", "unjudged": "not to be judged"}[state]  # fmt: skip
        name = f"{line[0].name} " if number == 0 else ""
        ends = [None if end is None else value_in_words(end[0]) for end in (low, high)]
        if ends[0] is None:
            said.append(f"{word} up to {name}{ends[1]}")
        elif ends[1] is None:
            said.append(f"{word} from {ends[0]}")
        else:
            said.append(f"{word} at {ends[0]}" if ends[0] == ends[1] else f"{word} from {ends[0]} to {ends[1]}")
    return f"{', '.join(said[:-1])} and {said[-1]}"


def _end(edge: Edge, state: str, *, above: bool) -> tuple[Any, bool]:
    """Where a stretch ends at an edge, and whether that was decided: the value on the side above it or below it."""
    own = edge.outside if (edge.outside > edge.inside) == above else edge.inside
    decided = {"holds": edge.supported, "fails": edge.refuted, "unjudged": own}[state]
    return (own, False) if decided is None else (decided, True)


def _chance(found: Search) -> bool:
    """Whether effects differ over the scope no more than their errors explain: what turns there is no edge."""
    return found.alike is not None and found.alike >= LEVEL


def _from(edge: Edge) -> str:
    """The side of an edge that is not the defaults'."""
    value = value_in_words(edge.outside)
    if not _ordered(edge) or not edge.alone:
        return value
    return f"{value} and below" if edge.outside < edge.inside else f"{value} and above"


def _ordered(edge: Edge) -> bool:
    if edge.judged:
        return edge.threshold is not None
    return is_number(edge.inside) and is_number(edge.outside)


def _where(edge: Edge) -> str:
    if edge.threshold is None:
        return f"where {edge.name} is {value_in_words(edge.outside)}"
    if edge.threshold in (edge.inside, edge.outside):  # there is no value in between
        return f"between {edge.name} {value_in_words(edge.inside)} and {value_in_words(edge.outside)}"
    return f"at {edge.name} {value_in_words(edge.threshold)}"


def _places(edges: Sequence[Edge]) -> str:
    """Where it turns; of many values those nearest to the defaults."""
    told, more = edges[:MOST], len(edges) - MOST
    places = " and ".join(map(_where, told))
    return places if more <= 0 else f"{places}, and at {words.counted(more, 'more value')}"


def _edge(edge: Edge, found: Search) -> str:
    """The only edge along a setting."""
    home = edge.here == "holds"
    inner, outer = (edge.supported, edge.refuted) if home else (edge.refuted, edge.supported)
    here, there = ("supported", "refuted") if home else ("refuted", "supported")
    falls = edge.outside < edge.inside  # the edge may lie below the default, too
    parts = [f"{here} {'down' if falls else 'up'} to {edge.name} {value_in_words(inner)}"] if inner is not None else []
    named = "" if parts else f"{edge.name} "
    parts += [f"{there} from {named}{value_in_words(outer)}{' down' if falls else ''}"] if outer is not None else []
    turns = f"its effect passes the margin at about {value_in_words(edge.threshold)}"
    between = "" if edge.threshold in (inner, outer, edge.inside, edge.outside) else f"; {turns}"
    decided = sorted(value for value in (inner, outer) if value is not None)
    if between and len(decided) == 2 and not decided[0] <= edge.threshold <= decided[1]:
        between += ", which a support does not exclude"  # nor a refutation of what lies a little beyond it
    if not parts:
        return f"With all else at its default {turns.replace('margin at about', f'margin at {edge.name} of about')}."
    return f"With all else at its default it is {', '.join(parts)}{between}.{_fresh(edge, found)}"


def _fresh(edge: Edge, found: Search) -> str:
    """What came out on fresh seeds on the side of the defaults, near an edge."""
    if found.inside is None:
        return ""
    before = next((each.verdict for each in found.trials if each.settings == found.inside.settings), None)
    here = before or {"holds": "supported", "fails": "refuted"}.get(edge.here)
    as_before = ", as before" if found.inside.verdict == here else ""
    return f" On fresh seeds it is {found.inside.verdict} with {in_words(found.inside.settings) or 'the defaults'}{as_before}."


def _simplest(found: Search) -> str:
    if found.found is None:
        turned = [each for each in found.trials if each.verdict == found.looked_for]
        if turned or not found.trials:
            return ""
        several = f"none of {len(found.trials)} settings"
        return f"It is {found.looked_for} in {several if len(found.trials) > 1 else 'no setting: one was tried'}."
    simpler = any(each.verdict == found.looked_for and _simpler(each.settings, found.found, found.default)
                  for each in found.trials)  # fmt: skip
    # Expected to come out so again, which what is simpler is not.
    first = f"A simple setting in which it is clearly {found.looked_for}" if simpler else \
        f"The simplest setting in which it is {found.looked_for}"  # fmt: skip
    what = f"{first}: {in_words(found.found)}"
    if found.confirmation is None:
        return f"{what}; no seeds are used, so that there are none to confirm it with."
    if found.confirmed:
        return f"{what}; confirmed with {found.confirmation.n or 'fresh'} units of seeds that had no part in finding it."
    return f"{what}; not confirmed: with fresh seeds it is {found.confirmation.verdict}, so that this may be chance."


def _simpler(one: Mapping[str, Any], other: Mapping[str, Any], default: Mapping[str, Any]) -> bool:
    """Whether settings change less than others: fewer of them, or a number by less."""
    if len(one) != len(other) or list(one) != list(other):
        return len(one) < len(other)
    values = [(one[name], other[name], default.get(name)) for name in one]
    if not all(is_number(each) for triple in values for each in triple):
        return False
    nearer = [abs(mine - own) - abs(others - own) for mine, others, own in values]
    return bool(max(nearer) <= 0 > min(nearer))


def _matters(found: Search) -> str:
    if found.alike is None:
        return ""
    if _chance(found):
        return "Effects differ over the scope no more than their errors explain."
    if not found.importance:
        return "Effects differ over the scope by more than their errors explain; they are too few to say what that goes with."
    first, *rest = found.importance
    low, high = (f"{100 * end:.0f}" for end in first.interval)
    beside = [index for index in rest if index.total >= first.interval[0]]
    said = f"Of the variance of the effect {100 * first.total:.0f} % ({low} to {high}) goes with {first.name}"
    if not beside:
        return f"{said}."
    names = " and ".join(index.name for index in beside)
    together = max(index.alone for index in (first, *beside)) < first.total / 2
    return f"{said}, and as much with {names}: {'by what they are together' if together else 'no one of them can be left out'}."
