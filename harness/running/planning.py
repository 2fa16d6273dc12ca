"""What the configured seeds can find, claim by claim, before anything is trained (``python -m harness plan``)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.predict import words

if TYPE_CHECKING:
    from harness.claim import Claim
    from harness.predict import Prediction
    from harness.running.asking import ClaimDesign

Row = Mapping[str, Any]
SEED = "seed"


def statement(
    claim: Claim, design: ClaimDesign | None, row: Row | None, scale: str, ran_at: str | None, family: int = 1
) -> str:
    """What can be said of a claim's power: from the spread that an earlier run measured, else in standard deviations.

    Args:
        claim: the claim.
        design: the members that it asks for, or None where it asks for none.
        row: its row in an earlier run, or None.
        scale: scale of the design.
        ran_at: scale of the earlier run.
        family: claims of its document that an interval decides.
    """
    prediction = claim.prediction
    if prediction.rule == "exact":
        return "exact: no seeds are needed, and none would help"
    if design is None:
        return "its fixtures ask for no models before they measure, so that its units are not known beforehand"
    parts = list(prediction.for_support)
    lines = [_configured(design, parts[0], scale)]
    measured = (row or {}).get("power")
    if measured:
        lines.append(_measured(measured, design, parts, scale, str(ran_at)))
    elif _counted(parts[0], design):
        lines += dict.fromkeys(_before(part, design) for part in parts)  # parts of one kind say the same
    if family > 1 and _counted(parts[0], design):
        lines += dict.fromkeys(said for part in parts if (said := _surviving(part, design, measured, family)))
    return "\n    ".join(lines)


def _counts(prediction: Prediction, design: ClaimDesign) -> tuple[str, ...]:
    """Columns of what is counted: the unit, or, if a population is declared, its random factor with the fewest levels."""
    if prediction.population is None:
        return prediction.units
    known = [column for column in prediction.replicated if column in design.COLUMNS]
    return (min(known, key=lambda column: design.units((column,), prediction.where)),) if known else prediction.replicated


def _units(prediction: Prediction, design: ClaimDesign) -> int:
    return design.units(_counts(prediction, design), prediction.where)


def _counted(prediction: Prediction, design: ClaimDesign) -> bool:
    """Whether the members say how many units there are; a column that a study adds to its tables does not show in them."""
    return all(column in design.COLUMNS for column in prediction.replicated)


def _are_seeds(prediction: Prediction, design: ClaimDesign) -> bool:
    """Whether more seeds make more of what is counted: not if levels of another random factor are counted."""
    return prediction.population is None or _counts(prediction, design) == (SEED,)


def _configured(design: ClaimDesign, prediction: Prediction, scale: str) -> str:
    unit = prediction.crossed(_counts(prediction, design))
    units = f"units of {unit}, which are counted when they are measured"
    if _counted(prediction, design):
        units = f"{words.counted(_units(prediction, design), 'unit')} ({unit})"
    seeds, members = words.counted(design.seeds, "seed"), words.counted(len(design.members), "member")
    return f"configured at scale {scale}: {seeds}, {members}, {units}."


def _measured(power: Row, design: ClaimDesign, parts: list[Prediction], scale: str, ran_at: str) -> str:
    """The earlier run's statement, or, if the seeds configured now are others, the statement for these."""
    from harness.judge.power import again

    said = f"By the spread measured at scale {ran_at}: {power['statement']}"
    n = power["n"] if scale == ran_at else _units(parts[0], design)
    if scale != ran_at and (moved := again(power, n)):
        said = f"By the spread measured at scale {ran_at}: {moved}"
    if power["units_needed"] and n and _are_seeds(parts[0], design):
        seeds = math.ceil(power["units_needed"] * design.seeds / n)
        said += f" That is {words.counted(seeds, 'seed')}."
    return said + (" Of its parts this is the one that decided." if len(parts) > 1 else "")


def _before(prediction: Prediction, design: ClaimDesign) -> str:
    """What a study of so many units finds before any has run."""
    from harness.judge.power import plan_for

    n = _units(prediction, design)
    study = prediction.pilot(n)
    if study is not None:
        return str(plan_for(prediction, study, n, prediction.crossed(_counts(prediction, design))))
    size = smallest_in_deviations(prediction, n)
    finds = "decide nothing, whatever is true" if size is None else f"find {words.number(size)} standard deviations or more"
    if prediction.rule == "within" and size is not None:
        finds = f"confirm an absence within ± {words.number(size)} standard deviations or more"
    return (
        f"With 90 % power {words.counted(n, 'unit')} {finds}, of the spread between units; how many the margin, "
        f"{words.number(prediction.margin)}, needs is known after a first run."
    )


def _surviving(prediction: Prediction, design: ClaimDesign, measured: Row | None, family: int) -> str | None:
    """The seeds with which a claim survives Holm's adjustment within its document, whatever the other claims say."""
    from harness.judge import power

    n = _units(prediction, design)
    among = f"Adjusted for the {family} claims of its document that an interval decides, it survives"
    pilot, known = prediction.pilot(n), power.earlier(measured) if measured else None
    if pilot is not None:
        terms, study, at, fewest = power.terms_of(prediction), pilot, n, prediction.fewest
    elif known is not None and measured is not None:
        (study, terms, fewest), at = known, int(measured["n"])
    else:
        size = smallest_in_deviations(prediction, n, family)
        if size is None:
            return f"{among} with no effect that {words.counted(n, 'unit')} can find."
        what = "an absence within ± " if prediction.rule == "within" else ""
        return f"{among} from {what}{words.number(size)} standard deviations on."
    units = power.surviving(terms, study, at, family, fewest)
    if units is None:
        return f"{among} with more than {power.MOST_UNITS:,} units."
    seeds = f", {words.counted(math.ceil(units * design.seeds / n), 'seed')}" if _are_seeds(prediction, design) else ""
    said = f"{among} with {words.counted(units, 'unit')}{seeds} ({words.percent(power.POWER)} power)"
    floor = power.least_units(study, terms, family)
    return f"{said}, and with fewer than {floor} never." if floor and floor > prediction.fewest else f"{said}."


def smallest_in_deviations(prediction: Prediction, n: int, family: int = 1) -> float | None:
    """Smallest effect, in standard deviations between units, that so many units find at alpha / ``family``."""
    from harness.judge.power import Terms, smallest
    from harness.stats import Student

    if n < 2:
        return None
    study = Student(0.0, 1 / math.sqrt(n), n - 1, lean=0.0)
    return smallest(study, Terms("within" if prediction.rule == "within" else "above", 0.0, 0.0, prediction.alpha / family))
