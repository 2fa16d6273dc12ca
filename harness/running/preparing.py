"""What several settings of a claim ask for, made in one go before any of them is judged.

A claim's body is called for every setting with a store that has things or stops the call and says what it lacks.  What all of
them lack is made together (:mod:`harness.store.alongside`), and they are called again, until they are through.  So nothing has
to be known beforehand of what a body asks for, and what it does between two questions may depend on what it has measured.
What a body returns once it is through is what is judged; where it does not come so far, it is called once more, as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from harness.design import labelled
from harness.running.around import StoreAround
from harness.running.growth import Body
from harness.running.quiet import quietly
from harness.running.scope import Settings
from harness.running.session import Harness
from harness.spec import digest
from harness.store.names import stored
from harness.store.sharing import calls

if TYPE_CHECKING:
    import pandas as pd

    from harness.design import Design
    from harness.evidence import Evidence
    from harness.measure.base import Measurement
    from harness.measure.views import View
    from harness.population import Population
    from harness.recipe import Recipe
    from harness.store import Store

Seeds = Callable[[Iterable[int]], list[int]]
GOES_ON = (
    0.5  # share of the settings that the next look is taken at, about: 23 of 40 after a first one, 8 of these after a second
)


class Lacking(BaseException):
    """Ends a call whose next step needs what is not there yet; no ``except Exception`` of a study may catch it.

    Args:
        members: recipes and seeds of what it needs.
        measurement: what is to be measured of them; None where they are to be trained.
        asked: the seeds that the study asks for, of which those are some.
    """

    def __init__(
        self, members: Sequence[tuple[Recipe, tuple[int, ...]]], measurement: Measurement | None, asked: tuple[int, ...] = ()
    ) -> None:
        super().__init__("not there yet")
        self.members, self.measurement, self.asked = tuple(members), measurement, asked

    @property
    def key(self) -> str:
        """What tells one need from another."""
        what = None if self.measurement is None else digest(self.measurement)
        return digest([what, [[recipe.key, list(seeds)] for recipe, seeds in self.members]])


class _Asking(StoreAround):
    """A store that raises :class:`Lacking` for what it lacks, once; whoever asks again is served as ever.

    Args:
        store: the session's.
        seeds: maps the seeds that are asked for to those that are taken.
        known: keys of what has been said to be lacking.
    """

    def __init__(self, store: Store, seeds: Seeds, known: set[str]) -> None:
        super().__init__(store)
        self._seeds, self._known = seeds, known

    def _need(self, need: Lacking) -> None:
        lacks = any(self._store.lacks(recipe, seeds, need.measurement) for recipe, seeds in need.members)
        if lacks and need.key not in self._known:
            self._known.add(need.key)
            raise need

    def populations(
        self, recipes: Iterable[Recipe] | Design, seeds: Iterable[int], *, name: str | None = None
    ) -> list[Population]:
        """The members of several recipes."""
        cells, asked = labelled(recipes), tuple(seeds)
        own = tuple(self._seeds(asked))
        self._need(Lacking([(recipe, own) for recipe in {recipe.key: recipe for _, recipe in cells}.values()], None, asked))
        return self._store.populations(recipes, own, name=name)

    def measure(
        self, populations: Iterable[Population], measurement: Measurement, *, on: View | None = None, name: str | None = None
    ) -> pd.DataFrame:
        """One table of all members' measurements."""
        every = list(populations)
        if on is None and all(map(stored, every)):
            self._need(Lacking([(each.recipe, each.seeds) for each in every], measurement))
        return self._store.measure(every, measurement, on=on, name=name)


def prepared(
    body: Body, harness: Harness, batch: Sequence[tuple[Settings, Seeds]], *, later: Sequence[Seeds] = (), name: str = "search",
    going: Callable[[], bool] = lambda: True, came: Callable[[Settings, Evidence], None] = lambda settings, evidence: None,
) -> bool:  # fmt: skip
    """Make what the claim asks for in some settings; whatever breaks is left to the call that judges.

    Args:
        body: the claim's.
        harness: the session's.
        batch: the settings, each with what maps the seeds that are asked for to those that are taken.
        later: the seeds that later looks at the settings take, in turn; where a stack is so small that its calls cost more,
            networks of these are trained along.
        name: for the progress line.
        going: asked whether there is time left, before anything is made.
        came: told what the body returned in a setting, once all of it is there.

    Returns:
        Whether all of it is made.
    """
    store = harness.store
    known = [set[str]() for _ in batch]
    left = list(range(len(batch)))
    while left:
        needs: list[Lacking] = []
        for number in list(left):
            settings, seeds = batch[number]
            asking = cast("Store", _Asking(store, seeds, known[number]))
            found = _called(body, replace(harness, store=asking, settings=settings))
            if isinstance(found, Lacking):
                needs.append(found)
                continue
            left.remove(number)
            if found is not None:
                came(settings, found)
        if needs and not going():  # asked only before something is made: what is made may be known to be all
            return False
        training = [need for need in needs if need.measurement is None]
        store.train_alongside(
            [(recipe, _as_far(recipe, seeds, need.asked, later, len(training)))
             for need in training for recipe, seeds in need.members], name=name,
        )  # fmt: skip
        store.measure_alongside([(need.members, need.measurement) for need in needs if need.measurement is not None], name=name)
    return True


def _as_far(
    recipe: Recipe, seeds: tuple[int, ...], asked: tuple[int, ...], later: Sequence[Seeds], settings: int
) -> tuple[int, ...]:
    """The seeds of a recipe to train now: those of later looks, too, where a stack of their own has more calls than members.

    Args:
        recipe: what is trained.
        seeds: that are needed now.
        asked: that the study asks for.
        later: what maps these to the seeds of later looks, in turn.
        settings: how many are looked at together.
    """
    for number, look in enumerate(later, 1):
        further = tuple(look(asked))
        in_vain = settings * (len(further) - len(seeds)) * (1 - GOES_ON**number)
        if in_vain >= calls(recipe):
            break
        seeds = further
    return seeds


def _called(body: Body, harness: Harness) -> Evidence | Lacking | None:
    """What a call of the body comes to, or what it stops at; None where it breaks."""
    with quietly():
        try:
            return body(harness)
        except Lacking as need:
            return need
        except Exception:
            return None
