"""Claims whose scope is searched for settings in which their verdict turns (``--claims-search``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from harness.claim import ClaimError
from harness.plugin.growth import HARNESS, depends, rerun, rerun_in, seeds_of

if TYPE_CHECKING:
    from harness.claim import Claim, Evidence
    from harness.judge import Verdict


def check_scope(item: pytest.Function, claim: Claim) -> None:
    """Raise a ClaimError if the scope names a setting that none of the fixtures has asked for."""
    if not claim.scope:
        return
    asked = item._request.getfixturevalue(HARNESS).asked if depends(item) else {}
    if unknown := sorted(set(claim.scope) - set(asked)):
        raise ClaimError(
            f"the scope of {claim.id} names {', '.join(unknown)}, which no fixture asks for: a fixture gets the value with "
            f"harness.setting({unknown[0]!r}, default); asked for are {', '.join(sorted(asked)) or 'none'}"
        )


def searched(
    item: pytest.Function, claim: Claim, judge: Callable[[Evidence], Verdict], *, verdict: str, trials: int
) -> dict[str, Any]:
    """Search the scope of a claim.

    Args:
        item: the claim, set up.
        claim: its declaration, with a scope.
        judge: judges evidence.
        verdict: the verdict at the defaults.
        trials: settings to try.

    Returns:
        What a row holds of it; see :class:`harness.search.Search`.
    """
    from harness.search import search

    asked: dict[str, Any] = {}
    known: set[int] = set()
    first = seeds_of(rerun_in(item, [0], known, asked=asked))  # at the defaults: from the store, and only to see what they are

    def judged(settings: Any) -> Verdict:
        return judge(rerun(item, settings=settings))

    def fresh(settings: Any) -> Verdict | None:
        evidence = rerun_in(item, [1], set(known), settings=settings)
        seeds = seeds_of(evidence)
        return judge(evidence) if seeds and not seeds & first else None

    defaults = {name: asked[name] for name in claim.scope}
    return search(claim.scope, defaults, judged, verdict=verdict, trials=trials, fresh=fresh).to_json()

