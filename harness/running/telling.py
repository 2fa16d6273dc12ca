"""What a search found, in a few sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.predict import words
from harness.running.edges import Edge
from harness.running.explored import side
from harness.running.trials import Trial, in_words, value_in_words
from harness.running.values import is_number

if TYPE_CHECKING:
    from harness.running.found import Search

LEVEL = 0.05  # of the test that effects differ at all, without which no setting is said to matter


def told(found: Search, default: Trial) -> str:
    """A search in a few sentences."""
    tried_so_far = words.counted(len(found.trials), "setting")
    broke = f"The search broke after {tried_so_far}: {found.broke}." if found.broke else ""
    said = (broke, _shares(found), _edges(found, default), _simplest(found), _matters(found))
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
        return f"{tried} Of {supported.of} settings from values that Hypothesis gave of {names}, which need not be even: " \
               f"{', '.join(said)}.".strip()  # fmt: skip
    return f"{tried} Of {drawn}: {', '.join(said)}; so it is supported in {low} to {high} % of the scope.".strip()


def _edges(found: Search, default: Trial) -> str:
    """The first edge with all that is known of it, the others by where they are."""
    turning = [edge for edge in found.edges if edge.judged and edge.clear and not _chance(found)]
    unjudged = [f"{edge.name} {_from(edge)}" for edge in found.edges if not edge.judged]
    said = [_edge(turning[0], found, default)] if turning else []
    if turning[1:]:
        said.append(f"It turns, too, {' and '.join(_where(edge) for edge in turning[1:])}.")
    if unjudged:
        said.append(f"It cannot be judged with {' and '.join(unjudged)}.")
    return " ".join(said)


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
    return f"at {edge.name} {value_in_words(edge.threshold)}"


def _edge(edge: Edge, found: Search, default: Trial) -> str:
    if edge.threshold is None:
        return f"With all else at its default it turns {_where(edge)}."
    home = side(default)
    inner, outer = (edge.supported, edge.refuted) if home else (edge.refuted, edge.supported)
    here, there = ("supported", "refuted") if home else ("refuted", "supported")
    if not edge.alone and inner is not None and outer is not None:
        sides = f"{here} at {edge.name} {value_in_words(inner)} and {there} at {value_in_words(outer)}"
        return f"With all else at its default it is {sides}, and turns along {edge.name} elsewhere, too, or cannot be judged."
    falls = edge.outside < edge.inside  # the edge may lie below the default, too
    parts = [f"{here} {'down' if falls else 'up'} to {edge.name} {value_in_words(inner)}"] if inner is not None else []
    named = "" if parts else f"{edge.name} "
    parts += [f"{there} from {named}{value_in_words(outer)}{' down' if falls else ''}"] if outer is not None else []
    turns = f"its effect passes the margin at about {value_in_words(edge.threshold)}"
    between = "" if edge.threshold in (inner, outer) else f"; {turns}"  # of values that are next to each other
    decided = sorted(value for value in (inner, outer) if value is not None)
    if len(decided) == 2 and not decided[0] <= edge.threshold <= decided[1]:
        between += ", which a support does not exclude"  # nor a refutation of what lies a little beyond it
    if not parts:
        return f"With all else at its default {turns.replace('margin at about', f'margin at {edge.name} of about')}."
    fresh = ""
    if found.inside is not None:
        kept = found.inside.verdict == here
        fresh = f"; on fresh seeds with {in_words(found.inside.settings) or 'the defaults'} it is {found.inside.verdict}"
        fresh += ", as before" if kept else ""
    return f"With all else at its default it is {', '.join(parts)}{between}{fresh}."


def _simplest(found: Search) -> str:
    if found.found is None:
        turned = [each for each in found.trials if each.verdict == found.looked_for]
        if turned or not found.trials:
            return ""
        several = f"none of {len(found.trials)} settings"
        return f"It is {found.looked_for} in {several if len(found.trials) > 1 else 'no setting: one was tried'}."
    fewer = any(each.verdict == found.looked_for and len(each.settings) < len(found.found) for each in found.trials)
    clearly = "clearly " if fewer else ""  # expected to come out so again, which those with fewer changes are not
    what = f"The simplest setting in which it is {clearly}{found.looked_for}: {in_words(found.found)}"
    if found.confirmation is None:
        return f"{what}; no seeds are used, so that there are none to confirm it with."
    if found.confirmed:
        return f"{what}; confirmed with {found.confirmation.n or 'fresh'} units of seeds that had no part in finding it."
    return f"{what}; not confirmed: with fresh seeds it is {found.confirmation.verdict}, so that this may be chance."


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
