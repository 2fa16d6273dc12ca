"""What a claim asks for, found by calling its body with a harness that trains and measures nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from harness.code import CodeError, ReachedCode
from harness.code.requested import Requested
from harness.code.statements import ALL
from harness.fixed import stable
from harness.rows import Where
from harness.running.drawing import Asked, Drawing, Unknown, stand_ins
from harness.running.session import Harness, Value, call_of, needs
from harness.spec import definitions, digest

if TYPE_CHECKING:
    from harness.recipe import Recipe
    from harness.store import Store

HARNESS, REQUEST, UNKNOWN = "harness", "request", "unknown"
Fixtures = Callable[[str | None], Sequence[Callable[..., Any]]]
_DIGITS = 6  # significant; what a machine computes may differ from another's in the last of sixteen
_LONGEST = 16  # numbers that stand in a design one by one


@dataclass(frozen=True)
class ClaimDesign:
    """What a claim asks for.

    Attributes:
        recipes: the recipes and the seeds of each, in the order in which they are asked for.
        instruments: {"name", "members", "settings", "streams"} of every measurement: of how many members, with which settings
            (an engine only where it names one), on which random streams (its seeds).
        code: digest of body and fixtures and of what they use of the project; UNKNOWN where a source cannot be read.
        scaled: whether the claim asks for the scale, so that at another it may be about other networks.
        measured: (measurement, recipes and seeds that it is of) of every measurement of members, in order.
        alone: names of the tables that belong to no member.
    """

    recipes: tuple[tuple[Recipe, tuple[int, ...]], ...]
    instruments: tuple[Mapping[str, Any], ...] = ()
    code: str = UNKNOWN
    scaled: bool = False
    measured: tuple[tuple[Any, tuple[tuple[Recipe, tuple[int, ...]], ...]], ...] = ()
    alone: tuple[str, ...] = ()

    COLUMNS = ("recipe", "architecture", "regime", "seed")

    @property
    def members(self) -> tuple[tuple[str, str, str, int], ...]:
        """One (recipe, architecture, regime, seed) per member, named as in the columns of a measured table."""
        return tuple(
            (recipe.key, recipe.architecture.name, recipe.regime.name, seed) for recipe, seeds in self.recipes for seed in seeds
        )

    @property
    def seeds(self) -> int:
        """Number of different training seeds."""
        return len({member[3] for member in self.members})

    def units(self, columns: Iterable[str], where: Mapping[str, Any]) -> int:
        """Number of different combinations of the columns that a design knows, among the members that ``where`` admits."""
        places = [self.COLUMNS.index(column) for column in columns if column in self.COLUMNS]
        rows = Where(where)
        admitted = [
            member for member in self.members
            if all(rows.admits(column, value) for column, value in zip(self.COLUMNS, member, strict=True))
        ]  # fmt: skip
        return len({tuple(member[place] for place in places) for member in admitted})

    def to_json(self) -> dict[str, Any]:
        """What a row, the ledger and a preregistration hold about it; recipes that share their seeds are grouped."""
        by_seeds: dict[tuple[int, ...], dict[str, str]] = {}
        for recipe, seeds in self.recipes:
            by_seeds.setdefault(seeds, {})[recipe.key] = recipe.name
        said = {
            "populations": [{"seeds": list(seeds), "recipes": recipes} for seeds, recipes in by_seeds.items()],
            "instruments": list(self.instruments),
            "code": self.code,
        }
        return {"digest": digest(said), **said}


def no_fixtures(name: str | None) -> tuple[()]:
    """The fixtures of a body outside of pytest."""
    return ()


@dataclass(frozen=True)
class Standing:
    """Where a claim stands under pytest, as whoever is handed ``request`` can see it.

    Attributes:
        fixtures: the project's fixtures of a name, the one that the claim is given first; all of them for None.
        around: names of fixtures that are made for it without being handed to it.
        beside: functions and classes that run with it, or hold what it uses.
        module: name of its module.
        markers: (name, values by place, values by name) of its markers, those of the function first.
    """

    fixtures: Fixtures = no_fixtures
    around: Sequence[str] = ()
    beside: Sequence[Any] = ()
    module: str = ""
    markers: Sequence[tuple[str, tuple[Any, ...], Mapping[str, Any]]] = ()

    def shows(self, requested: Requested) -> tuple[list[tuple[str, str]], list[Any]]:
        """(names of modules, values of markers) that are read off the claim."""
        markers = [each for each in self.markers if requested.markers & {each[0], None}]
        places = [(self.module, name or ALL) for name in requested.module]
        return [*places, *([(self.module, "pytestmark")] if requested.markers else ())], markers


class _Drawn(Harness):
    """A harness whose studies are drawn, each once, for all claims together."""

    def __getattribute__(self, name: str) -> Any:
        if name == "scale":
            cast("Drawing", self.store).asked.scaled = True
        return super().__getattribute__(name)

    def setting(self, name: str, default: Value) -> Value:
        """See :meth:`Harness.setting`; whether a claim's defaults for a setting agree is checked when it runs."""
        return default

    def remembered(self, function: Callable[..., Any], arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        """See :meth:`Harness.remembered`; a study that ends early leaves a stand-in, and what it had asked for."""
        drawing = cast("Drawing", self.store)
        key = call_of(function, arguments, named)
        if key not in self._made:
            self._made[key] = drawing.drawn(partial(function, self, *arguments, **named))
        value, asked = cast("tuple[Any, Asked]", self._made[key])
        drawing.asked.add(asked)
        return value


class Designer:
    """Draws designs at one scale; a study that several claims share is drawn once.

    Args:
        scale: "smoke", "reduced" or "full".
        project: the code that claims are made of.
    """

    def __init__(self, scale: str, project: ReachedCode) -> None:
        self._drawing, self._project = Drawing(), project
        self._harness = _Drawn(scale=scale, device="cpu", llc_engine="stacked", store=cast("Store", self._drawing))

    def design_of(self, body: Callable[..., Any], standing: Standing | None = None) -> ClaimDesign:
        """What a claim asks for.

        It is the same before and during a run, and does not depend on which data the machine has, because it is drawn and not
        taken from what ran.  A study is drawn up to where a measured value decides what comes next; what it asks for after that
        shows only in its code.

        Args:
            body: the claim's.
            standing: where it stands under pytest; None for a body outside of it.
        """
        standing, asked = standing or Standing(), Asked()
        if needs(body):
            with stand_ins(self._drawing), ExitStack() as after:
                given = {name: self._given(name, standing.fixtures, (), asked, after) for name in needs(body)}
                asked.add(self._drawing.drawn(partial(body, **given))[1])
        specs = [*asked.members, *(measurement for _, measurement, _ in asked.measured)]
        try:
            code = self._code(body, standing, [*definitions(specs), *standing.beside])
        except CodeError:
            code = UNKNOWN
        recipes = tuple((recipe, tuple(seeds)) for recipe, seeds in asked.members.items())
        return ClaimDesign(
            recipes, tuple(instruments(asked.measured)), code, asked.scaled, tuple(asked.work), tuple(asked.alone)
        )

    def _given(self, name: str, fixtures: Fixtures, above: tuple[str, ...], asked: Asked, after: ExitStack) -> Any:
        """What a body or a fixture is handed under a name; a fixture that asks for its own name is handed the one it overrides.

        Args:
            name: the name.
            fixtures: the project's fixtures of a name, those first that override others.
            above: names of the fixtures that are being drawn, from the body's on.
            asked: what fixtures ask for is added here.
            after: what comes after the values that fixtures yield is called by this.
        """
        if name == HARNESS:
            return self._harness
        own = fixtures(name)[above.count(name) :]
        if not own or inspect.isasyncgenfunction(own[0]) or REQUEST in needs(own[0]):
            return Unknown()
        given = {each: self._given(each, fixtures, (*above, name), asked, after) for each in needs(own[0])}
        value, found = self._drawing.drawn(partial(self._begun, own[0], given, after))
        asked.add(found)
        return value

    def _begun(self, fixture: Callable[..., Any], given: Mapping[str, Any], after: ExitStack) -> Any:
        """What a fixture returns, or yields."""
        made = fixture(**given)
        if not inspect.isgenerator(made):
            return made
        after.callback(self._drawing.drawn, partial(next, made, None))
        return next(made)

    def _code(self, body: Callable[..., Any], standing: Standing, more: Sequence[Any]) -> str:
        """Digest of the code of a body, of every fixture that could be one which it is given, and of what these read of pytest.

        Fixtures that are asked for by name while a function runs count, too; where that name is computed, all of them do.  Who
        is handed ``request`` can read names of the claim's module, and values of its markers.

        Raises:
            CodeError: a source cannot be read.
        """
        names, every = {*needs(body), *standing.around} - {HARNESS}, False
        places: list[tuple[str, str]] = []
        markers: list[Any] = []
        while True:
            found = [each for name in sorted(names) for each in standing.fixtures(name)]
            found += [each for each in standing.fixtures(None) if each not in found] if every else []
            reached = self._project.reach([body, *found], [*more, *definitions(markers)], places)
            before = (names, every, places, markers)
            names = names.union(*map(needs, found), filter(None, reached.requested.fixtures)) - {HARNESS}
            every = every or None in reached.requested.fixtures
            places, markers = standing.shows(reached.requested) if REQUEST in names else ([], [])
            if (names, every, places, markers) == before:
                return digest([reached.digest, stable(markers)]) if markers else reached.digest


def refuse_unknown(where: str, table: Any) -> None:
    """Raise a ClaimError if a body returns a stand-in that a cache of the project's own has kept from a drawing."""
    from harness.errors import ClaimError

    if any(isinstance(each, Unknown) for each in (table.values() if isinstance(table, Mapping) else (table,))):
        raise ClaimError(
            f"{where} returns a stand-in for a measured table, which code of its own has kept from when its design was drawn; "
            "keep tables in a pytest fixture or in the store, not in a variable of a module"
        )


def instruments(measured: Iterable[tuple[str, Any, int]]) -> Iterator[dict[str, Any]]:
    """The measurements as JSON; one that is repeated, of other members or on other random streams, appears once."""
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
