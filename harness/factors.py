"""What a claim generalises to: factors whose levels stand for others, and factors whose levels it is about."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from harness.declaring import Declared
from harness.errors import ClaimError
from harness.limits import briefly


@dataclass(frozen=True)
class Factors(metaclass=Declared):
    """The population of a claim.

    A factor is a column of the table, or something that all rows share without a column for it, such as the test points.  The
    levels of a *random* factor are a sample, and the claim is about others like them: the inference accounts for how much they
    differ.  The levels of a *fixed* factor are the very ones that the claim is about, and its sentence says so.

    Example:
        >>> Factors(random="seed", fixed=("architecture", "test points"))
        Factors(random=('seed',), fixed=('architecture', 'test points'))

    Attributes:
        random: names of the random factors; columns, since the differences between levels are read off the rows.
        fixed: names of the fixed factors.
        unnamed: for one prediction of the claim, the random factors that it does not name (:meth:`restricted`).

    Raises:
        ClaimError: a name is not text, or appears twice.
    """

    random: str | tuple[str, ...] = ()
    fixed: str | tuple[str, ...] = ()
    unnamed: tuple[str, ...] = field(default=(), repr=False, kw_only=True)

    def __post_init__(self) -> None:
        for role in ("random", "fixed"):
            given = getattr(self, role)
            names = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else (given,)
            if odd := [name for name in names if not isinstance(name, str) or not name.strip()]:
                raise ClaimError(
                    f"Factors has {role}={briefly(given)}; {briefly(odd[0])} is not the name of a factor: give text"
                )
            object.__setattr__(self, role, names)
        both = [*self.random, *self.fixed]
        if twice := sorted({name for name in both if both.count(name) > 1}):
            raise ClaimError(
                f"Factors names {', '.join(twice)} more than once; the levels of a factor stand for others (random) or for "
                "themselves (fixed)"
            )

    def restricted(self, kind: str, own: Collection[str], held: Collection[str], elsewhere: Collection[str]) -> Factors:
        """What it says about one prediction of the claim.

        Args:
            kind: name of the prediction's kind.
            own: columns of its units, strata and blocks.
            held: these and the columns that are fixed unless they are named as random.
            elsewhere: columns that other predictions of the claim have their units in.

        Raises:
            ClaimError: one of its own columns is not declared, or none of them is random.
        """
        columns = ", ".join(own)
        if missing := [column for column in own if column not in (*self.random, *self.fixed)]:
            raise ClaimError(
                f"{kind} has its units in {columns}, and the population does not say whether {', '.join(missing)} is random "
                "(the claim is about others like these levels) or fixed (it is about these very ones): name every one of these "
                "columns in population=Factors(random=…, fixed=…)"
            )
        if not set(self.random) & set(own):
            raise ClaimError(
                f"{kind} has its units in {columns}, and the population declares all of them fixed: nothing was drawn, so "
                "nothing can be inferred; the training seed, at least, is random: random=…"
            )
        return Factors(
            tuple(name for name in self.random if name in held),
            tuple(name for name in self.fixed if name in held or name not in elsewhere),
            unnamed=tuple(name for name in self.random if name not in held),
        )

    def describe(self) -> dict[str, list[str]]:
        """As JSON holds it."""
        return {"random": list(self.random), "fixed": list(self.fixed)}
