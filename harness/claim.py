"""What a document says and what would count against it, written down before anything runs.

A :class:`Claim` is data: it can be printed, hashed and compared.  Nothing in this module measures, judges or
imports a numerical library.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from harness._callable import as_its_function
from harness.declaring import Declared, mistaken_among
from harness.errors import ClaimError
from harness.factors import Factors
from harness.gate import Gate, names_of
from harness.links import KINDS as LINKS
from harness.showing import Shown

if TYPE_CHECKING:
    import pandas as pd

    from harness.kept import Account

Kind = Literal["empirical", "theorem", "data"]
KINDS: tuple[Kind, ...] = ("empirical", "theorem", "data")
__all__ = ["KINDS", "SCALES", "Citation", "Claim", "ClaimError", "Evidence", "Factors", "Figure", "Gate", "Images", "Source",
           "claim"]  # fmt: skip
SCALES: tuple[str, ...] = ("smoke", "reduced", "full")
Role = Literal["document", "control", "question"]
ROLES: tuple[Role, ...] = ("document", "control", "question")
PASSES: tuple[str, ...] = ("supported",)
_ID = re.compile(r"[a-z][a-z0-9-]*/[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True)
class Source(metaclass=Declared):
    """A document that makes claims.

    Attributes:
        key: short name; the first part of the ids of its claims ("slt").
        title: title of the document.
        authors: authors as printed, or None where the document names none.
        year: year of publication, or None.
        address: where a reader finds it, or None.
        role: "document" for what others have claimed; "control" for what has to come out as it is known to be, so that a
            report counts it apart and distrusts itself where it does not; "question" for what nobody has claimed yet.

    Raises:
        ClaimError: there is no such role.
    """

    key: str
    title: str
    authors: str | None = None
    year: int | None = None
    address: str | None = None
    role: Role = field(default="document", repr=False)  # digests of claims read the others off its repr

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ClaimError(f"source {self.key!r} has role={self.role!r}; allowed are {', '.join(ROLES)}")

    def at(
        self, section: str, quote: str, *, reported: str | None = None, number: float | Sequence[float | None] | None = None
    ) -> Citation:
        """Point at the place in the document that makes a claim.

        Args:
            section: heading under which the sentence stands.
            quote: the document's own words.
            reported: the number that the document prints for it, as printed; None where it prints none.
            number: the same as a value of what is judged (the difference, the exponent), which the report draws beside ours;
                for a conjunction one for each part, in order, None where the document prints none.

        Raises:
            ClaimError: ``number`` is not a finite number, or a sequence of such.
        """
        given: Any = number  # the citation makes a tuple of a sequence
        return Citation(self, section, quote, reported, given)


@dataclass(frozen=True)
class Citation(metaclass=Declared):
    """A sentence in a :class:`Source`; made by :meth:`Source.at`.

    ``number`` is only drawn, and so has no part in the digest of a claim, which is made of this object's ``repr``.
    """

    source: Source
    section: str
    quote: str
    reported: str | None = None
    number: float | tuple[float | None, ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", _numbers(self.number))


def _numbers(given: Any) -> float | tuple[float | None, ...] | None:
    several = isinstance(given, list | tuple)
    for each in given if several else (given,):
        known = isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each)
        if not known and each is not None:
            raise ClaimError(
                f"the document's number is {given!r}; give number=0.5, or for a conjunction one for each part, as in "
                "number=(0.5, None)"
            )
    return tuple(given) if several else given


@dataclass(frozen=True, repr=False)
class Figure(Shown):
    """What to draw beside a verdict; the report draws it, the claim only names columns.

    Attributes:
        kind: "scatter" (points of y over x), "lines" (mean of y over x with its spread), "paired" (one line per pair
            between the levels of x), "strip" (points of y in the categories of x), "bars" (y by category x).
        table: tidy table to draw from, a few hundred rows at most.
        x: column on the horizontal axis.
        y: column on the vertical axis.
        title: what the figure shows, in a sentence; it names the document's figure that it redraws.
        x_label: axis label with its unit.
        y_label: axis label with its unit.
        hue: column that gives the colour, or None.
        facet: column that splits the figure into panels, or None.
        pair: column that identifies a pair (kind "paired").
        log_x: logarithmic horizontal axis.
        log_y: logarithmic vertical axis.
        own_axes: every panel has its own ranges, for panels whose values lie far apart; else all share one.
        reference: numbers at which a horizontal line is drawn, by their label.
        slope: slope of a dashed guide line in log-log figures, or None.
        through: a point (x, y) of that line; None for one that only shows the slope, through the middle of the data.
        ringed: places that are drawn with a ring, each a value by column (x, y, and the facet where there is one), by what is
            written beside it; such as the counterexample that a theorem's search found.
    """

    kind: Literal["scatter", "lines", "paired", "strip", "bars"]
    table: pd.DataFrame
    x: str
    y: str
    title: str
    x_label: str
    y_label: str
    hue: str | None = None
    facet: str | None = None
    pair: str | None = None
    log_x: bool = False
    log_y: bool = False
    own_axes: bool = False
    reference: Mapping[str, float] = field(default_factory=dict)
    slope: float | None = None
    through: tuple[float, float] | None = None
    ringed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        shape = " × ".join(map(str, getattr(self.table, "shape", ())))
        return f"Figure of kind {self.kind}", {"shows": self.title, "y": self.y, "x": self.x, "hue": self.hue,
                                               "facet": self.facet, "rows × columns": shape}  # fmt: skip


@dataclass(frozen=True, repr=False)
class Images(Shown):
    """Example images to show under the figure, in a grid; the report draws them.

    Attributes:
        table: one row per image, sixty at most.
        image: column of arrays of shape (height, width) or (height, width, 3), from 0 (black) to 1 (white).
        x: column whose values head the columns of the grid.
        y: column whose values head its rows.
        note: column of a few words under each image (what a network answers), or None.
        title: what is shown, in a sentence.
    """

    table: pd.DataFrame
    image: str
    x: str
    y: str
    title: str
    note: str | None = None

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        return f"{len(self.table)} images", {"show": self.title, "across": self.x, "down": self.y}


@dataclass(frozen=True, repr=False)
class Evidence(Shown):
    """What a claim's body returns: tables, and what to draw.  It holds no verdict and asserts nothing.

    Attributes:
        table: tidy table, one row per unit (and checkpoint, scope, sample) with every column that the prediction
            and the gates name; or, for a claim with protocols, such a table for each protocol.
        figure: what to draw, or None.
        recipes: what was trained, as returned by ``Population.provenance()``.
        settings: anything else that a reader needs to repeat the measurement (sampler settings, data).
        shortfall: None, or what is missing so that the claim cannot be judged, with its remedy; the verdict is
            then INVALID with this text as its reason.
        images: example images to show under the figure, or None.
        rows: how many rows were measured and why any of them is not in the table; for a claim with protocols, one account for
            each.  None if nobody counted.
    """

    table: pd.DataFrame | Mapping[str, pd.DataFrame]
    figure: Figure | None = None
    recipes: tuple[Mapping[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    shortfall: str | None = None
    images: Images | None = None
    rows: Account | Mapping[str, Account] | None = None

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        tables = self.table if isinstance(self.table, Mapping) else {"rows × columns": self.table}
        sizes = {str(name): " × ".join(map(str, getattr(table, "shape", ()))) for name, table in tables.items()}
        return "Evidence", {
            **sizes, "columns": tuple(map(str, next(iter(tables.values())).columns)) if len(sizes) == 1 else None,
            "figure": self.figure.title if self.figure else None, "recipes": len(self.recipes) or None,
            "settings": tuple(self.settings), "shortfall": self.shortfall,
        }  # fmt: skip


@dataclass(frozen=True, repr=False)
class Claim(Shown):
    """One claim of a document: fixed before anything runs.

    Attributes:
        id: stable name, "document/claim".
        statement: the claim in a sentence.
        source: the sentence of the document that makes it.
        kind: "empirical", "theorem" or "data".
        prediction: what must be seen; one of :mod:`harness.predict`.
        gates: validity checks on the evidence.
        protocols: names of the protocols under which it is judged; the first decides, the others are reported
            beside it.  Empty for a claim that has one way of being measured.
        companions: predictions that are judged on the same evidence and shown, without a say in the verdict.
        tags: words to filter by.
        scope: settings that the document leaves open or claims to hold for, by name, each with the Hypothesis strategy of
            its values; ``--claims-search`` draws from it.  The claim's fixtures ask for them with ``harness.setting(name, …)``.
        population: what it generalises to: every column of the units, strata and blocks of its predictions is random (its
            levels stand for others) or fixed (it is about these very ones).  Without it, units count as drawn independently.
        requires: ids of claims without which its sentence has no object or no footing; see :mod:`harness.links`.
        explains: ids of claims of which the document gives it as the reason.
        contradicts: ids of claims that cannot be true with it, as both are worded.
        passes: verdicts with which a control comes out as it has to; for every other claim "supported" alone.
    """

    id: str
    statement: str
    source: Citation
    prediction: Any
    kind: Kind = "empirical"
    gates: tuple[Gate, ...] = ()
    protocols: tuple[str, ...] = ()
    companions: tuple[Any, ...] = ()
    tags: tuple[str, ...] = ()
    scope: Mapping[str, Any] = field(default_factory=dict, hash=False)
    population: Factors | None = None
    requires: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()
    contradicts: tuple[str, ...] = ()
    passes: tuple[str, ...] = PASSES

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ClaimError(
                f"claim id {self.id!r} is not of the form 'document/claim' in lower-case letters, digits and hyphens"
            )
        if not isinstance(self.source, Citation):
            raise ClaimError(
                f"claim {self.id} has source={self.source!r}; point at a sentence in it: source=SOURCE.at(section, quote)"
            )
        if self.kind not in KINDS:
            raise ClaimError(f"claim {self.id} has kind={self.kind!r}; allowed are {', '.join(KINDS)}")
        object.__setattr__(self, "protocols", names_of(self.protocols, f"claim {self.id}", "protocols"))
        if self.prediction is None:
            raise ClaimError(
                f"claim {self.id} has no prediction, so nothing could count against it: "
                "give it prediction=… with one of harness.predict"
            )
        if broken := [name for name, values in self.scope.items() if not hasattr(values, "filter")]:
            raise ClaimError(
                f"claim {self.id} has a scope whose {', '.join(broken)} is not a Hypothesis strategy: "
                "give the values that it may take, as in scope={'noise': st.floats(0.5, 2)}"
            )
        object.__setattr__(self, "passes", names_of(self.passes, f"claim {self.id}", "passes"))
        judged = {"supported", "refuted", "inconclusive"}
        if not set(self.passes) <= judged or (self.passes != PASSES and self.source.source.role != "control"):
            raise ClaimError(
                f"claim {self.id} has passes={self.passes!r}; that is for claims whose source has role='control', and may hold "
                f"{', '.join(sorted(judged))}"
            )
        self._check_links()
        self._hand_on_population()

    def _check_links(self) -> None:
        """Take the links as tuples of ids; whether these claims exist is seen when all are collected."""
        for kind in LINKS:
            others = names_of(getattr(self, kind), f"claim {self.id}", kind)
            if wrong := [other for other in others if not _ID.fullmatch(other) or other == self.id or others.count(other) > 1]:
                raise ClaimError(
                    f"claim {self.id} has {kind}={wrong[0]!r}; give ids of other claims, each once, as in "
                    f"{kind}=('document/claim',)"
                )
            object.__setattr__(self, kind, others)

    def _hand_on_population(self) -> None:
        """Check the population, and let the predictions carry it."""
        population = self.population
        if population is None:
            return
        if not isinstance(population, Factors):
            raise ClaimError(
                f"claim {self.id} has population={population!r}; say which factors are random and which fixed: "
                "population=Factors(random=…, fixed=…)"
            )
        judged = [each for each in (self.prediction, *self.companions) if hasattr(each, "drawn_from")]
        known = {column for each in judged for column in (*each.own_factors, *each.more_factors)}
        unknown = [name for name in population.random if name not in known]
        if unknown and any(each.own_factors for each in judged):
            raise ClaimError(
                f"claim {self.id} has random={', '.join(unknown)} in its population, which no unit, pair, strata or blocks "
                f"of its predictions names (they name {', '.join(sorted(known))}): the differences between its levels are read "
                "off the rows, so a column has to tell them apart; return a row for each level, or declare it fixed"
            )
        prediction, *companions = (
            each.drawn_from(population, known) if hasattr(each, "drawn_from") else each
            for each in (self.prediction, *self.companions)
        )
        object.__setattr__(self, "prediction", prediction)
        object.__setattr__(self, "companions", tuple(companions))

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        return f"Claim {self.id}", {
            "says": self.statement, "kind": self.kind, "prediction": type(self.prediction).__name__,
            "tested": str(self.prediction), "gates": tuple(getattr(gate, "name", str(gate)) for gate in self.gates),
            "protocols": self.protocols, "from": f"{self.source.source.title}, {self.source.section}",
        }  # fmt: skip

    @property
    def document(self) -> str:
        """The first part of the id: the key of the document."""
        return self.id.split("/")[0]

    def digest(self) -> str:
        """Hash of all that was fixed beforehand.  Tags and links, which decide nothing, are not in it.

        A changed margin, alpha, limit or gate changes it, and so does the code of a :func:`~harness.quantities.quantity`.
        """
        fixed = repr(
            (
                self.id,
                self.statement,
                self.source,
                self.kind,
                self.prediction.describe(),
                tuple(gate.describe() for gate in self.gates),
                self.protocols,
                tuple(companion.describe() for companion in self.companions),
            )
        )
        if self.scope:
            fixed += repr(sorted(self.scope.items(), key=lambda setting: setting[0]))
        if self.population is not None:
            fixed += repr(self.population)
        if self.passes != PASSES:
            fixed += repr(self.passes)
        return hashlib.sha256(fixed.encode()).hexdigest()[:16]


Body = TypeVar("Body", bound=Callable[..., Any])


def claim(id: str, **declared: Any) -> Callable[[Body], Body]:
    """Mark a pytest test function as the body of a claim.

    The function asks its studies for populations, measures them and returns :class:`Evidence`.  The keyword arguments
    are those of :class:`Claim`.  An error in the declaration is kept and raised when the test runs, so that it has a
    row in the report and the other claims still run.

    Example:
        >>> @claim("mine/first", statement="…", source=SOURCE.at("Intro", "…"), prediction=…)  # doctest: +SKIP
        ... def test_first(harness): return Evidence(table)
    """

    def decorate(body: Body) -> Body:
        declaration: Claim | ClaimError
        try:
            if (mistaken := mistaken_among(declared.values())) is not None:
                raise mistaken.problem
            declared.setdefault("prediction", None)
            declaration = Claim(id=id, **declared)
        except (ClaimError, TypeError) as problem:
            text = str(problem)
            declaration = ClaimError(text if id in text else f"claim {id}: {text}")
        body.__claim__ = declaration  # type: ignore[attr-defined]
        body.__claim_id__ = id  # type: ignore[attr-defined]
        return body

    return decorate


as_its_function(__name__)
