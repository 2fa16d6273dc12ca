"""What a claim asks for, found by running its fixtures against a store that trains and measures nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest

from harness.code import CodeError
from harness.fixed import stable
from harness.plugin.asking import REQUEST, Asking, code_of, definitions_of, is_own
from harness.plugin.drawing import Asked, Drawing, Undrawn, Unknown, stand_ins
from harness.plugin.fixture import Harness
from harness.plugin.growth import HARNESS, depends
from harness.rows import Where
from harness.spec import definitions, digest

if TYPE_CHECKING:
    from harness.recipe import Recipe
    from harness.store import Store

UNKNOWN = "unknown"
_DIGITS = 6  # significant; what a machine computes may differ from another's in the last of sixteen
_LONGEST = 16  # numbers that stand in a design one by one


@dataclass(frozen=True)
class Design:
    """What a claim asks for.

    Attributes:
        recipes: the recipes and the seeds of each, in the order in which they are asked for.
        instruments: {"name", "members", "settings", "streams"} of every measurement: of how many members, with which settings
            (an engine only where it names one), on which random streams (its seeds).
        code: digest of body and fixtures and of what they use of the project; UNKNOWN where a source cannot be read.
    """

    recipes: tuple[tuple[Recipe, tuple[int, ...]], ...]
    instruments: tuple[Mapping[str, Any], ...] = ()
    code: str = UNKNOWN

    COLUMNS = ("recipe", "architecture", "regime", "seed")

    @property
    def members(self) -> tuple[tuple[str, str, str, int], ...]:
        """One (recipe, architecture, regime, seed) each, as the columns of a measured table name them."""
        return tuple(
            (recipe.key, recipe.architecture.name, recipe.regime.name, seed) for recipe, seeds in self.recipes for seed in seeds
        )

    @property
    def seeds(self) -> int:
        """Different training seeds."""
        return len({member[3] for member in self.members})

    def units(self, columns: Iterable[str], where: Mapping[str, Any]) -> int:
        """Different combinations of those of the columns that a design knows, among the members that ``where`` admits."""
        places = [self.COLUMNS.index(column) for column in columns if column in self.COLUMNS]
        rows = Where(where)
        admitted = [
            member for member in self.members
            if all(rows.admits(column, value) for column, value in zip(self.COLUMNS, member, strict=True))
        ]  # fmt: skip
        return len({tuple(member[place] for place in places) for member in admitted})

    def to_json(self) -> dict[str, Any]:
        """What a row, the ledger and a preregistration hold of it; recipes that share their seeds stand together."""
        by_seeds: dict[tuple[int, ...], dict[str, str]] = {}
        for recipe, seeds in self.recipes:
            by_seeds.setdefault(seeds, {})[recipe.key] = recipe.name
        said = {
            "populations": [{"seeds": list(seeds), "recipes": recipes} for seeds, recipes in by_seeds.items()],
            "instruments": list(self.instruments),
            "code": self.code,
        }
        return {"digest": digest(said), **said}


class Designer:
    """Draws the designs of a session's claims; a fixture that several of them share is drawn once.

    Args:
        scale: "smoke", "reduced" or "full".
    """

    def __init__(self, scale: str) -> None:
        self._drawing = Drawing()
        self._harness = Harness(scale=scale, device="cpu", llc_engine="stacked", store=cast("Store", self._drawing))
        self._made: dict[tuple[Any, ...], tuple[Any, Asked, Any]] = {}

    def design_of(self, item: pytest.Function) -> Design:
        """What a claim asks for.

        It is the same before anything has run and in a run, and does not depend on which data the machine has: it is drawn,
        and not taken from what ran.  A fixture is drawn up to where a measured value decides what comes next; what it asks
        for after that shows in its code alone.
        """
        asked = Asked()
        if depends(item):
            with stand_ins(self._drawing):
                arguments = {name: self._value(item, name, asked) for name in item._fixtureinfo.argnames}
                asked.add(self._drawn(item.obj, arguments)[1])
        specs = [*asked.members, *(measurement for _, measurement, _ in asked.measured)]
        try:
            code = code_of(item, definitions(specs))
        except CodeError:
            code = UNKNOWN
        recipes = tuple((recipe, tuple(seeds)) for recipe, seeds in asked.members.items())
        return Design(recipes, tuple(instruments(asked.measured)), code)

    def _value(self, item: pytest.Function, name: str, asked: Asked, level: int = -1) -> Any:
        """What a fixture hands on; what it asks for is added to ``asked``."""
        if name == HARNESS:
            return self._harness
        if name == REQUEST:
            return Asking(Unknown(), lambda wanted: self._value(item, wanted, asked))
        found = definitions_of(item, name) if isinstance(name, str) else ()
        if len(found) < -level or not _drawable(item, found[level], name):
            return Unknown()
        definition = found[level]
        arguments = {
            needed: self._value(item, needed, asked, level - 1 if needed == name else -1) for needed in definition.argnames
        }
        key = (definition, *map(id, arguments.values()))
        if key not in self._made:
            # The arguments are kept, too, so that no other object gets the id of one of them.
            self._made[key] = (*self._drawn(definition.func, arguments), arguments)
        value, own, _ = self._made[key]
        asked.add(own)
        return value

    def _drawn(self, function: Callable[..., Any], arguments: Mapping[str, Any]) -> tuple[Any, Asked]:
        """What a function returns, as far as it is drawn, and what it asks for."""
        with self._drawing.noting() as asked:
            try:
                value = function(**arguments)
                if inspect.isgenerator(value):
                    running, value = value, next(value)
                    next(running, None)  # what comes after the yield cleans up
                elif inspect.iscoroutine(value):
                    value.close()
            except (Exception, Undrawn, pytest.skip.Exception, pytest.fail.Exception):
                value = Unknown()
        return value, asked


_DESIGNERS: pytest.StashKey[dict[str, Designer]] = pytest.StashKey()


def design_of(item: pytest.Function, scale: str) -> Design:
    """What a claim asks for at a scale; see :meth:`Designer.design_of`."""
    designers = item.config.stash.setdefault(_DESIGNERS, {})
    if scale not in designers:
        designers[scale] = Designer(scale)
    return designers[scale].design_of(item)


def refuse_unknown(where: str, table: Any) -> None:
    """Raise a ClaimError if what a body measured is a stand-in, which a cache of the project's own has kept from a drawing."""
    from harness.claim import ClaimError

    if any(isinstance(each, Unknown) for each in (table.values() if isinstance(table, Mapping) else (table,))):
        raise ClaimError(
            f"{where} returns a stand-in for a measured table, which something of its own kept from when its design was drawn; "
            "let a pytest fixture or the store keep tables, and no variable of a module"
        )


def design_in(item: pytest.Item, scale: str) -> dict[str, Any]:
    """The design as a row holds it."""
    assert isinstance(item, pytest.Function)  # nothing else is a claim
    return design_of(item, scale).to_json()


def _drawable(item: pytest.Function, definition: Any, name: str) -> bool:
    """Whether a fixture is run for a design: those that get the harness, and plain functions without means of a run."""
    if depends(item, name):
        return True
    return not inspect.isgeneratorfunction(definition.func) and REQUEST not in definition.argnames and is_own(definition)


def instruments(measured: Iterable[tuple[str, Any, int]]) -> Iterator[dict[str, Any]]:
    """The measurements as JSON; one that is repeated, of other members or on other random streams, stands once."""
    found: dict[str, dict[str, Any]] = {}
    for name, measurement, members in measured:
        said = _robust(stable(measurement))
        settings = said if isinstance(said, dict) else {"type": said}
        streams = settings.pop("seed", None)
        one = found.setdefault(digest([name, settings]), {"name": name, "members": 0, "settings": settings, "streams": []})
        one["members"] += members
        one["streams"] += [streams] if streams not in (None, *one["streams"]) else []
    yield from found.values()


def _robust(value: Any) -> Any:
    """Settings as they are on every machine: numbers to six digits, long rows of them by their digest."""
    if isinstance(value, dict):
        return {name: _robust(item) for name, item in value.items()}
    if isinstance(value, list) and all(type(item) in (int, float) for item in value):
        nothing = max(map(abs, value), default=0) * 10.0**-_DIGITS
        rounded = [_robust(item) if abs(item) > nothing else 0 for item in value]
        return rounded if len(value) <= _LONGEST else {"numbers": len(value), "digest": digest(rounded)}
    if isinstance(value, list):
        return [_robust(item) for item in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value
