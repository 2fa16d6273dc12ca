"""Networks that several seeds share: a file given twice, or a loop that does not heed its seed.

Each seed is counted as an independent network, and several with the same weights are one that was counted several times: the
interval of whatever is judged on them is too narrow.  Tables have them under the seeds that the user gave; a claim that rests
on them is INVALID.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.recipe import digest
from harness.runs.read import Read, told
from harness.store.files import Damaged
from harness.store.headers import about_of

if TYPE_CHECKING:
    from harness.population import Population

CONTENT = "content"  # of a member's header: the digest of its parameters


@dataclass(frozen=True)
class Doubled(Read):
    """Seeds whose networks are one network."""


def of_weights(population: Population) -> dict[int, Any]:
    """What tells the weights of members apart, by seed."""
    own = population.parameters
    return {seed: digest([own[epoch][row] for epoch in population.epochs]) for row, seed in enumerate(population.seeds)}


def of_headers(paths: Mapping[int, Path]) -> dict[int, Any]:
    """The same of stored members, by seed, from what was written beside them; without those that say nothing of it."""
    found = {}
    for seed, path in paths.items():
        with suppress(Damaged):
            if (content := about_of(path).get(CONTENT)) is not None:
                found[seed] = content
    return found


def tell(name: str, contents: Mapping[int, Any], remedy: str) -> None:
    """Note seeds with the same weights for the claim that rests on them.

    Args:
        name: of their recipe.
        contents: what tells their weights apart, by seed.
        remedy: what to do about it.
    """
    alike: dict[Any, list[int]] = {}
    for seed, content in contents.items():
        alike.setdefault(content, []).append(seed)
    groups = [", ".join(map(str, seeds)) for seeds in alike.values() if len(seeds) > 1]
    if groups:
        shared = f"Seeds {', and seeds '.join(groups)} of {name} have the same weights"
        told([Doubled(f"the same weights in {name}", f"{shared}, so that one network would count as several: {remedy}")])
