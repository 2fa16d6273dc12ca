"""Running a claim: its body, the judge, and the resulting row; from pytest, from Python or from a notebook."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.claim import SCALES, Claim
from harness.code import ReachedCode
from harness.code.captured import captured_or_unknown
from harness.errors import ClaimError, Shortfall
from harness.evidence import Evidence, TooMuchError
from harness.running import provenance
from harness.running.asking import Designer, instruments, refuse_unknown
from harness.running.evidence import completed
from harness.running.growth import Body, Grown, seeds_of, until_decided
from harness.running.returned import check_claim, check_evidence
from harness.running.session import Harness, needs, open_harness, store_place
from harness.running.timeout import within

if TYPE_CHECKING:
    from harness.judge import Verdict
    from harness.running.found import Search
    from harness.running.fresh import Plan
    from harness.store import Store
    from harness.store.store import Measured

Row = dict[str, Any]


@dataclass(frozen=True)
class Judging:
    """By which rule claims are judged.

    Attributes:
        scale: "smoke", "reduced" or "full".
        family: number of claims by which alpha is divided; None for no adjustment.
        blocks: seeds are added until the claim is decided, in at most so many blocks; None for the seeds that it asks for.
        fresh: what is judged on fresh seeds alone; None for the claims' own.
        search: settings that are tried of its scope; 0 for no search.
        minutes: after which a search tries no further setting; None for no limit.
        searchers: processes that a search shares its settings among.
        searched: says of a judged row whether an earlier search of it stands, so that none is made; None where none can.
    """

    scale: str
    family: int | None = None
    blocks: int | None = None
    fresh: Plan | None = None
    search: int = 0
    minutes: float | None = None
    searchers: int = 1
    searched: Callable[[Row], bool] | None = None


@dataclass(frozen=True)
class Judged:
    """A claim's row with its verdict, and what both rest on."""

    row: Row
    evidence: Evidence
    verdict: Verdict
    search: Search | None = None


def judged_row(
    row: Mapping[str, Any], claim: Claim, evidence: Evidence, how: Judging, body: Body, harness: Harness | None
) -> Judged:
    """Judge a claim, and put the verdict and what the evidence shows into its row.

    Args:
        row: the row so far, with the design.
        claim: the declaration.
        evidence: what the body returned.
        how: by which rule it is judged.
        body: for more seeds and other settings.
        harness: what the body was called with; None if it was given none, so that it returns the same whatever is asked.

    Raises:
        ClaimError: the evidence cannot be judged.
    """
    from harness.judge import judge
    from harness.report.rows import plain, with_verdict
    from harness.report.setting_values import held

    if isinstance(evidence, Evidence):
        check_evidence(claim, evidence)

    def judged(evidence: Evidence, blocks: list[Collection[int]] | None = None, *, share: float = 1.0) -> Verdict:
        return judge(claim, evidence, scale=how.scale, share=share / max(how.family or 1, 1), blocks=blocks)

    if how.fresh is not None:
        evidence = _fresh(row, claim, evidence, how.fresh, body, harness)
    grown = _grown(row, evidence, how, body, harness, judged)
    evidence, verdict = grown.evidence, grown.verdict
    if not isinstance(evidence, Evidence):  # a bare table, which the judge takes, has nothing to show
        raise ClaimError(f"the body of {claim.id} has to return Evidence(table, …), not {type(evidence).__name__}")
    done = with_verdict(row, verdict.to_json())
    _show(done, evidence)
    done["settings"] = plain({**evidence.settings, **_rules(claim, how, grown)})
    done["recipes"] = plain(evidence.recipes)
    found: Search | None = None
    if evidence.shortfall is None and claim.scope:
        from harness.running.searching import check_scope, search_scope  # only now: Hypothesis takes a second to import

        check_scope(claim, {} if harness is None else harness.asked)
        done["captured"] = captured_or_unknown(body)
        if how.search and harness is not None and not (how.searched is not None and how.searched(done)):
            found = search_scope(
                claim, body, harness, judged, verdict=verdict, trials=how.search, minutes=how.minutes, design=row.get("design"),
                rule=how.family, workers=how.searchers,
            )  # fmt: skip
            done["search"] = plain(held(found.to_json()))
    return Judged(done, evidence, verdict, found)


def _show(done: dict[str, Any], evidence: Evidence) -> None:
    """Give a row the pictures of its evidence; one with more than can be read is left out, with a note."""
    from harness.report.figures import figure_from_evidence
    from harness.report.images import images_from_evidence

    pictures: list[tuple[str, Any, Callable[[Any], dict[str, Any]]]] = [
        ("figure", evidence.figure, figure_from_evidence), ("images", evidence.images, images_from_evidence),
    ]  # fmt: skip
    for name, picture, to_json in pictures:
        try:
            done[name] = None if picture is None else to_json(picture)
        except TooMuchError as problem:
            done[name] = None
            done["notes"] = [*done["notes"], f"Nothing is drawn: {problem}."]


def _grown(
    row: Mapping[str, Any], evidence: Evidence, how: Judging, body: Body, harness: Harness | None,
    judged: Callable[..., Verdict],
) -> Grown:  # fmt: skip
    """Judged once, or after every block of seeds that is added."""
    if how.blocks is None or how.scale == "smoke" or harness is None or not seeds_of(evidence):
        return Grown(evidence, judged(evidence), looks=0)
    asked = [seed for each in row["design"]["populations"] for seed in each["seeds"]]
    return until_decided(body, harness, evidence, judged, most=how.blocks, asked=asked)


def _fresh(
    row: Mapping[str, Any], claim: Claim, evidence: Evidence, plan: Plan, body: Body, harness: Harness | None
) -> Evidence:
    """The evidence of the fresh seeds that a plan gives the claim."""
    from harness.running.fresh import on_fresh_seeds

    blocks = plan.blocks(claim.id, claim.digest())
    if harness is None:
        raise ClaimError(f"{claim.id} asks for no seeds, so that none can be fresh")
    asked = [seed for each in row["design"]["populations"] for seed in each["seeds"]]
    return on_fresh_seeds(body, harness, blocks, asked, seeds_of(evidence))


def _rules(claim: Claim, how: Judging, grown: Grown) -> dict[str, str]:
    """How the rule differs from the ordinary one; a claim without an interval has no other."""
    rules: dict[str, str] = {}
    if claim.prediction.rule == "exact":
        return rules
    if how.blocks is not None and grown.looks:
        ended = " (none could be added: its tables have no new ones)" if grown.stuck else ""
        rules["stopping rule"] = (
            f"blocks of seeds are added until the claim is decided, at most {how.blocks} in all{ended}; every look is judged "
            "by an e-process"
        )
    elif how.blocks is not None and how.scale != "smoke":
        rules["stopping rule"] = "judged once, by the ordinary rule: no seeds can be added to what does not ask for any"
    if how.fresh is not None:
        number = how.fresh.blocks(claim.id, claim.digest())
        rules["seeds"] = f"fresh ones alone, {number} times as many as the claim has, planned on {how.fresh.date}; judged once"
    if how.family is not None:
        rules["level"] = f"α divided by the {how.family} claims of the document (family-wise)"
    return rules


def instruments_of(measured: Iterable[Measured]) -> Iterator[dict[str, Any]]:
    """The instruments that measured, each once, with the engine that ran; None for an instrument without engines.

    ``trusted`` counts estimates, once for each time that they were asked for; None where the instrument does not judge its own.
    """
    measured = list(measured)
    trusts = instruments((name, spec, of[0] if of else 0) for name, spec, of in measured)
    for trusted, each in zip(trusts, instruments((name, spec, of[1] if of else 0) for name, spec, of in measured), strict=True):
        settings = each["settings"]
        yield {
            "name": each["name"], "engine": settings.get("engine"), "settings": settings,
            "streams": len(each["streams"]) or None,
            "trusted": {"count": trusted["members"], "of": each["members"]} if each["members"] else None,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Result:
    """A claim, judged.

    Attributes:
        claim: the declaration.
        verdict: outcome, reason, effect with its interval, and all else that the judge says.
        evidence: what the body returned; with ``until_decided`` after the last block.
        run: what ``claims.json`` would hold: one row, and where it came from.
        search: where in its scope the claim holds; None where that was not asked for.
    """

    claim: Claim
    verdict: Verdict
    evidence: Evidence
    run: Mapping[str, Any]
    search: Search | None = None

    @property
    def row(self) -> Row:
        """The claim's row, as ``claims.json`` would hold it."""
        return dict(self.run["rows"][0])

    def __repr__(self) -> str:
        said = " ".join((self.verdict.reason, *self.verdict.doubts))
        return f"{self.claim.id} is {self.verdict.outcome.value} at scale {self.run['scale']}: {said}"

    @cached_property
    def page(self) -> str:
        """The claim's card, an HTML page without script."""
        from harness.report.page import render_alone

        return render_alone(self.run)

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that its style and the notebook's leave each other alone."""
        return (
            f'<iframe title="{escape(self.claim.id)}" srcdoc="{escape(self.page)}" width="100%" height="760" '
            'style="border:0" loading="lazy"></iframe>'
        )


def run(
    claim: Callable[..., Evidence], *, scale: str = "reduced", store: Store | str | Path | None = None, device: str = "auto",
    llc_engine: str = "stacked", until_decided: int | None = None, search: int = 0, minutes: float | None = None,
    timeout: float | None = None,
    workers: int = 1,
) -> Result:  # fmt: skip
    """Train what is missing, measure, and judge one claim, as ``pytest claims/`` does; a line tells how far it is.

    The ledger is not consulted.

    Args:
        claim: the body, declared with :func:`harness.claim.claim`.
        scale: "smoke", "reduced" or "full".
        store: of trained models and measurements, or its folder or URL; None for ``$HARNESS_STORE``, else ``.harness`` in the
            project, the nearest folder above the present one that has a pyproject.toml, which ``pytest claims/`` uses, too.
        device: "auto", "cpu" or "cuda"; a store that is given keeps its own.
        llc_engine: "stacked" or "devinterp", likewise.
        until_decided: seeds are added until the claim is decided, in at most so many blocks; None for those that it asks for.
        search: settings to try of the claim's scope.
        minutes: after which a search tries no further setting; None for no limit.
        timeout: seconds that it may take, in which waiting for other processes does not count; None for no limit.
        workers: processes that a search shares its settings among.

    Raises:
        ClaimError: it is not declared as a claim, or declared wrongly; it needs pytest's fixtures; or its evidence cannot be
            judged.
        TimeoutError: it has taken longer; the message says what it was doing.  What was trained is kept.
    """
    from harness.judge import judge  # noqa: F401 - before the clock starts
    from harness.report.rows import assemble, base_row

    declared = declaration(claim)
    _require(scale, until_decided, search)
    project = _project()
    began, started = time.perf_counter(), time.time()
    origin = provenance.origin(project, ())
    given = bool(needs(claim))
    harness = _harness(store, scale, device, llc_engine, project) if given else None  # who takes none needs no torch
    row = base_row(declared, declared.id) | {"design": Designer(scale, ReachedCode(project)).design_of(claim).to_json()}
    made, already = (harness.store.made, len(harness.store.measured)) if harness is not None else (0, 0)

    body = completed(declared, lambda harness: claim(harness=harness) if given else claim())
    with within(timeout):
        try:
            evidence = body(harness)
        except Shortfall as problem:
            evidence = Evidence({}, shortfall=str(problem))
        refuse_unknown(f"the body of {declared.id}", getattr(evidence, "table", evidence))
        how = Judging(scale, blocks=until_decided, search=search, minutes=minutes, searchers=workers)
        measured = list(instruments_of(harness.store.measured[already:])) if harness is not None else []
        done = judged_row(row, declared, evidence, how, body, harness)
    seconds = time.perf_counter() - began
    cached = harness is not None and harness.store.made == made
    done.row.update(seconds=seconds, cached=cached, instruments=measured)
    facts = provenance.provenance(
        origin, started=started, seconds=seconds, command=f"harness.run({claim.__name__}, scale={scale!r})", workers=1,
        llc_engine=llc_engine if harness is None else harness.llc_engine, selected={"claims": 1, "of": None},
    )  # fmt: skip
    on = harness.device if harness is not None else getattr(store, "device", "cpu")  # nothing was trained or measured anywhere
    told = assemble([done.row], scale=scale, device=on, provenance=facts)
    return Result(declared, done.verdict, done.evidence, told, done.search)


def search(claim: Callable[..., Evidence], *, examples: int = 40, minutes: float | None = None, **how: Any) -> Search:
    """Where in its declared scope a claim holds; see :class:`harness.running.found.Search`.

    Args:
        claim: the body, declared with :func:`harness.claim.claim`.
        examples: settings to try, half of them spread evenly over the scope.
        minutes: after which no further setting is tried; None for no limit.  What was trained is kept, so that the same search
            goes on where it stopped.
        how: scale, store, device, llc_engine and workers, as :func:`run` takes them.

    Raises:
        ClaimError: the claim has no scope, cannot be searched without a harness, or see :func:`run`.
    """
    declared = declaration(claim)
    if not declared.scope:
        raise ClaimError(f"{declared.id} has no scope; declare one with @claim(…, scope={{'noise': st.floats(0.5, 3)}})")
    if examples < 1:
        raise ClaimError(f"examples={examples!r}: a search tries 1 setting or more")
    if not needs(claim):
        raise ClaimError(
            f"{declared.id} could not be searched: its body takes no harness, so that it is the same in every setting; let it "
            "take one, and read each setting with harness.setting(name, default)"
        )
    result = run(claim, search=examples, minutes=minutes, **how)
    if result.search is None:
        why = result.verdict.reason
        raise ClaimError(f"{declared.id} could not be searched, since it could not be judged at its defaults: {why}")
    return result.search


def declaration(claim: Callable[..., Any]) -> Claim:
    """What a body was declared as.

    Raises:
        ClaimError: it was not declared, or declared wrongly, or it needs more than a harness.
    """
    declared = getattr(claim, "__claim__", None)
    if isinstance(declared, ClaimError):
        raise declared
    if not isinstance(declared, Claim):
        raise ClaimError(
            f"{claim!r} is not declared as a claim: give the function that stands below "
            '@claim("document/name", statement=…, source=…, prediction=…)'
        )
    check_claim(declared)
    if fixtures := [name for name in needs(claim) if name != "harness"]:
        raise ClaimError(
            f"the body of {declared.id} takes {', '.join(fixtures)}, which pytest would have to make; outside of pytest a body "
            "takes only the harness and calls its studies with it"
        )
    return declared


def _require(scale: str, blocks: int | None, search: int) -> None:
    if scale not in SCALES:
        raise ClaimError(f"scale={scale!r}; allowed are {', '.join(SCALES)}")
    if blocks is not None and blocks < 2:
        raise ClaimError(f"until_decided={blocks!r}; seeds are added in 2 blocks or more")
    if search < 0:
        raise ClaimError(f"search={search!r}; give the number of settings to try, or 0 for no search")


def _project() -> Path:
    """The nearest project folder at or above the working directory; the working directory if there is none."""
    standing = Path.cwd()
    return next((each for each in (standing, *standing.parents) if (each / "pyproject.toml").is_file()), standing)


def _harness(store: Store | str | Path | None, scale: str, device: str, llc_engine: str, project: Path) -> Harness:
    if store is None or isinstance(store, str | Path):
        return open_harness(store_place(store, (), Path.cwd(), project), scale=scale, device=device, llc_engine=llc_engine)
    return Harness(scale, store.device, store.llc_engine, store)
