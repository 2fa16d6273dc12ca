"""What a document says and what would count against it, written down before anything runs.

A :class:`Claim` is data: it can be printed, hashed and compared.  Nothing in this module measures, judges or
imports a numerical library.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from harness._callable import as_its_function
from harness.declaring import mistaken_among
from harness.errors import ClaimError
from harness.factors import Factors
from harness.gate import Gate, names_of
from harness.links import KINDS as LINKS
from harness.showing import Shown
from harness.source import Citation

Kind = Literal["empirical", "theorem", "data"]
KINDS: tuple[Kind, ...] = ("empirical", "theorem", "data")
SCALES: tuple[str, ...] = ("smoke", "reduced", "full")
PASSES: tuple[str, ...] = ("supported",)
_ID = re.compile(r"[a-z][a-z0-9-]*/[a-z0-9][a-z0-9-]*")


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
        self._check_scope()
        object.__setattr__(self, "passes", names_of(self.passes, f"claim {self.id}", "passes"))
        judged = {"supported", "refuted", "inconclusive"}
        if not set(self.passes) <= judged or (self.passes != PASSES and self.source.source.role != "control"):
            raise ClaimError(
                f"claim {self.id} has passes={self.passes!r}; that is for claims whose source has role='control', and may hold "
                f"{', '.join(sorted(judged))}"
            )
        self._check_links()
        self._hand_on_population()

    def _check_scope(self) -> None:
        """Check that the scope has a strategy for each name."""
        example = "give the values that each setting may take, as in scope={'noise': st.floats(0.5, 2)}"
        if not isinstance(self.scope, Mapping):
            raise ClaimError(f"claim {self.id} has scope={self.scope!r}, which names no settings: {example}, or leave it out")
        if unnamed := [name for name in self.scope if not isinstance(name, str)]:
            raise ClaimError(f"claim {self.id} has a scope with the name {unnamed[0]!r}, which is no text: {example}")
        # Whoever has made a strategy has imported Hypothesis, which takes a second that others need not wait for.
        strategy = getattr(sys.modules.get("hypothesis.strategies"), "SearchStrategy", ())
        if broken := [name for name, values in self.scope.items() if not isinstance(values, strategy)]:
            raise ClaimError(f"claim {self.id} has a scope whose {', '.join(broken)} is not a Hypothesis strategy: {example}")

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
            others = self.companions if isinstance(self.companions, tuple | list) else ()  # which is refused later
            for each in (self.prediction, *others):
                if hasattr(each, "check_units"):
                    each.check_units()
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
