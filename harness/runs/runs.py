"""Results that somebody already has, as a tidy table: points by run, metric, step and order, and the rules that reduce them.

    runs = Runs.from_csv("results.csv", run=("optimizer", "seed"), config=("optimizer", "seed"), step="epoch")
    return Evidence(runs.last("val_acc"))

Four things that tables of other tools hold as one stay apart: a value that was not logged has no point, one that was logged as
NaN or infinite has such a point, and a run that did not finish says so.  No rule is chosen silently: what was logged twice, is
missing or did not finish is refused until the user says what it means, and who is left out is counted on the card.  Every rule
takes the same steps of all runs, so that none is compared at another step than the others unless the user says so.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from harness.drawn import drawn
from harness.errors import ClaimError
from harness.kept import note
from harness.limits import briefly
from harness.rows import Where
from harness.runs import rules
from harness.runs.points import Point, Run, content_digest, different
from harness.runs.read import Read, told
from harness.runs.readers import Readers
from harness.runs.rules import OWN, REPEATS, SAME, NothingLogged, Repeats, Rule, Step, Taken
from harness.showing import Shown

if TYPE_CHECKING:
    import pandas as pd

LEAVE_OUT = "leave out"
Unlogged = Literal["leave out"] | None
_NAMED = 4  # runs that a message names


@dataclass(frozen=True, eq=False, repr=False)
class Runs(Readers, Shown):
    """Runs of any tool.

    Attributes:
        every: the runs.
        source: where they were read, without the folders of one machine.
        unfinished_too: whether the user has said that runs which did not finish count like the others.
    """

    every: tuple[Run, ...]
    source: str
    unfinished_too: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "every", different(self.every, self.source))

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        states = [run.status for run in self.every]
        return f"{len(self)} runs of {self.source}", {
            "metrics": self.metrics, "config": self.config_names, "unfinished": states.count("unfinished") or None,
            "state unknown": states.count("unknown") or None, "digest": self.digest,
        }  # fmt: skip

    def __len__(self) -> int:
        return len(self.every)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all that any run logged, in order."""
        return tuple(sorted({metric for run in self.every for metric in run.points}))

    @property
    def config_names(self) -> tuple[str, ...]:
        """Names of what any run was configured with."""
        return tuple(dict.fromkeys(name for run in self.every for name in run.config))

    @cached_property
    def digest(self) -> str:
        """Digest of the content: of names, configurations, states and points."""
        return content_digest(self.every)

    @property
    def overview(self) -> pd.DataFrame:
        """One row per run: run, status, and a column for each name of the configurations; None where a run has it not."""
        import pandas as pd

        return pd.DataFrame([{"run": run.id, "status": run.status, **self._config(run)} for run in self.every])

    @property
    def points(self) -> pd.DataFrame:
        """One row per point: run, metric, step (NaN without one), order (in which the run logged it), value."""
        import pandas as pd

        rows = [
            (run.id, metric, point.step, order, point.value)
            for run in self.every
            for metric, points in run.points.items()
            for order, point in enumerate(points)
        ]
        return pd.DataFrame(rows, columns=["run", "metric", "step", "order", "value"])

    # --- which runs, which points -----------------------------------------------------------------------

    def where(self, **wanted: Any) -> Runs:
        """The runs whose configuration holds what is wanted (:mod:`harness.rows`): what is studied, so none counts as left out.

        Raises:
            ClaimError: no configuration has a name.
            NoRow: no run is wanted.
        """
        kept = set(Where(wanted, owner="runs").select(self.overview, "runs")["run"])
        return self._of(run for run in self.every if run.id in kept)

    def finished(self) -> Runs:
        """Those that did not finish left out; the card counts them."""
        kept = [run for run in self.every if run.status != "unfinished"]
        note(len(self) - len(kept), "runs that did not finish", "status")
        if not kept:
            raise ClaimError(f"none of the {len(self)} runs of {self.source} has finished")
        return self._of(kept)

    def with_unfinished(self) -> Runs:
        """The same, in which runs that did not finish count with what they logged."""
        return replace(self, unfinished_too=True)

    def deduplicated(self, by: Repeats) -> Runs:
        """Of the points that a run logged of one metric at one step, one.

        Args:
            by: "first" or "last" in the order in which they were logged, their "mean", or "equal", which refuses points that
                differ.

        Raises:
            ClaimError: points differ that should be equal, or by is none of these.
        """
        if by not in REPEATS:
            raise ClaimError(f"deduplicated({briefly(by)}); allowed are {', '.join(map(repr, REPEATS))}")
        return self._of(
            replace(run, points={metric: rules.deduplicated(points, by, f"{metric!r} of run {run.id}")
                                 for metric, points in run.points.items()})
            for run in self.every
        )  # fmt: skip

    def _of(self, runs: Iterable[Run]) -> Runs:
        return replace(self, every=tuple(runs))

    # --- one number per run -----------------------------------------------------------------------------

    def last(self, *metrics: str, unlogged: Unlogged = None, steps: Taken = SAME) -> pd.DataFrame:
        """One row per run: run, its configuration, and each metric's value at its last step, NaN where that is NaN.

        The last step of a metric is the greatest at which any of the runs logged it, and the same for all of them.

        Args:
            metrics: names of what was logged; the table's columns have these names.
            unlogged: None to refuse runs that did not log a metric there; "leave out" to leave them out, which the card counts.
            steps: "same" for the same steps of all runs; "own" for each run's own, of however many there are, which the card
                says.

        Raises:
            ClaimError: a run did not finish, a step was logged twice, a metric was not logged, or a name is also one of the
                configuration.
        """
        return self.reduced(metrics, rules.last(), unlogged, steps)

    def first(self, *metrics: str, unlogged: Unlogged = None, steps: Taken = SAME) -> pd.DataFrame:
        """As :meth:`last`, at the smallest step."""
        return self.reduced(metrics, rules.first(), unlogged, steps)

    def at(self, *metrics: str, step: float, unlogged: Unlogged = None) -> pd.DataFrame:
        """As :meth:`last`, at one step, which a run has to have logged."""
        return self.reduced(metrics, rules.at(step), unlogged)

    def best(
        self, *metrics: str, of: Literal["min", "max"], over: tuple[float | None, float | None] | None = None,
        nan: Literal["skip", "keep"] | None = None, unlogged: Unlogged = None, steps: Taken = SAME,
    ) -> pd.DataFrame:  # fmt: skip
        """As :meth:`last`, the smallest or greatest value over the steps at which any run logged the metric.

        Args:
            metrics: names of what was logged.
            of: "min" or "max".
            over: first and last step that are looked at, ends included; None for all.
            nan: what a NaN among the values means: "skip" (it is no candidate) or "keep" (the run has NaN); None to refuse it.
            unlogged: see :meth:`last`.
            steps: see :meth:`last`; "own" where runs end early by design, each with its own best.
        """
        return self.reduced(metrics, rules.best(of, over, nan), unlogged, steps)

    def mean(
        self, *metrics: str, over: tuple[float | None, float | None] | None = None, points: int | None = None,
        unlogged: Unlogged = None, steps: Taken = SAME,
    ) -> pd.DataFrame:  # fmt: skip
        """As :meth:`last`, the mean over a window of steps, or over the last ``points`` of them; NaN if one value is."""
        return self.reduced(metrics, rules.mean(over, points), unlogged, steps)

    def reduced(
        self, metrics: Sequence[str], rule: Rule | Callable[[Sequence[Point]], float], unlogged: Unlogged = None,
        steps: Taken = SAME,
    ) -> pd.DataFrame:  # fmt: skip
        """As :meth:`last`, by a rule of your own: a function of the points (step, value) in the order of their steps."""
        import pandas as pd

        rule = rule if isinstance(rule, Rule) else Rule(f"by {getattr(rule, '__name__', 'a rule')}", rule)
        self._check(metrics, unlogged, steps)
        everywhere = self._everywhere(metrics, steps)
        rows, absent = [], dict[str, dict[str, Step]]()
        for run in self.every:
            found: dict[str, float] = {}
            for metric in metrics:
                try:
                    found[metric] = rule.of(run.points.get(metric, ()), f"{metric!r} of run {run.id}", everywhere.get(metric))
                except NothingLogged as lack:
                    absent.setdefault(metric, {})[run.id] = lack.step
            if len(found) == len(metrics):
                rows.append({"run": run.id, **self._config(run), **found})
        self._missed(absent, rule.said, unlogged, len(self) - len(rows))
        self._noted(f"{', '.join(metrics)} {rule.said}" if self._of_their_own(metrics, steps) else None)
        return pd.DataFrame(rows)

    def curve(self, *metrics: str, unlogged: Unlogged = None, steps: Taken = SAME) -> pd.DataFrame:
        """One row per run and step: run, its configuration, step, and the metrics, which were logged at the same steps.

        Args:
            metrics: names of what was logged.
            unlogged: see :meth:`last`.
            steps: see :meth:`last`; by default every run has to have logged the metrics at all steps at which any did.

        Raises:
            ClaimError: see :meth:`last`; or metrics of a run were logged at different steps.
        """
        import pandas as pd

        self._check(metrics, unlogged, steps, "step")
        everywhere = self._everywhere(metrics, steps)
        rows: list[dict[str, Any]] = []
        absent = dict[str, dict[str, Step]]()
        left = 0
        for run in self.every:
            lacking = dict[str, Step]()
            for metric in metrics:
                own = [point.step for point in run.points.get(metric, ())]
                if lack := [step for step in everywhere.get(metric, ()) if step not in own]:
                    lacking[metric] = lack[0] if own else None
                elif not own:
                    lacking[metric] = None
            if lacking:
                left += 1
                for metric, step in lacking.items():
                    absent.setdefault(metric, {})[run.id] = step
                continue
            rows += self._curves(run, metrics)
        self._missed(absent, "at all steps" if steps == SAME else "at any step", unlogged, left)
        self._noted(f"curves of {', '.join(metrics)}" if self._of_their_own(metrics, steps) else None)
        return pd.DataFrame(rows)

    def _curves(self, run: Run, metrics: Sequence[str]) -> Iterable[dict[str, Any]]:
        """The rows of a run, one per step."""
        curves = {metric: rules.in_order(run.points[metric], f"{metric!r} of run {run.id}") for metric in metrics}
        steps = {metric: [point.step for point in points] for metric, points in curves.items()}
        if differ := [metric for metric in metrics if steps[metric] != steps[metrics[0]]]:
            raise ClaimError(
                f"run {run.id} logged {metrics[0]!r} and {differ[0]!r} at different steps ({len(steps[metrics[0]])} and "
                f"{len(steps[differ[0]])} points): take one curve at a time, or reduce each to one number"
            )
        for place, step in enumerate(steps[metrics[0]]):
            values = {metric: curves[metric][place].value for metric in metrics}
            yield {"run": run.id, **self._config(run), "step": step, **values}

    def _everywhere(self, metrics: Sequence[str], steps: Taken) -> dict[str, rules.Steps]:
        """For each metric the steps at which any run logged it; empty where each run has its own."""
        if steps == OWN:
            return {}
        return {metric: rules.steps_of(run.points.get(metric, ()) for run in self.every) for metric in metrics}

    def _of_their_own(self, metrics: Sequence[str], steps: Taken) -> bool:
        """Whether runs are taken by their own steps, and these differ."""
        own = [{point.step for point in run.points.get(metric, ())} for metric in metrics for run in self.every]
        return steps == OWN and any(each != own[0] for each in own)

    def _config(self, run: Run) -> dict[str, Any]:
        return {name: run.config.get(name) for name in self.config_names}

    def _check(self, metrics: Sequence[str], unlogged: Unlogged, steps: Taken, *more: str) -> None:
        """Refuse what would need a silent choice."""
        if not metrics:
            raise ClaimError(f"name what was logged; {self.source} has {', '.join(self.metrics)}")
        if unlogged not in (None, LEAVE_OUT):
            raise ClaimError(f"unlogged={briefly(unlogged)}; allowed are None (such runs are refused) and 'leave out'")
        if steps not in (SAME, OWN):
            raise ClaimError(
                f"steps={briefly(steps)}; allowed are 'same' (one and the same for all runs) and 'own' (each run's)"
            )
        for metric in metrics:
            if metric not in self.metrics:
                near = difflib.get_close_matches(str(metric), self.metrics, 3) or self.metrics[:8]
                raise ClaimError(f"no run of {self.source} logged {metric!r}; it has {', '.join(near)}")
        names = ["run", *self.config_names, *metrics, *more]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ClaimError(
                f"two columns of the table would be called {twice[0]!r}: rename what is logged or configured under that name "
                f"with runs.renamed({{{twice[0]!r}: 'another name'}})"
            )
        open_ends = [run.id for run in self.every if run.status == "unfinished"]
        if open_ends and not self.unfinished_too:
            raise ClaimError(
                f"{len(open_ends)} of {len(self)} runs of {self.source} did not finish ({_some(open_ends)}): leave them out "
                "with runs.finished(), which the card counts, or let them count with runs.with_unfinished()"
            )

    def renamed(self, names: Mapping[str, str]) -> Runs:
        """Names of metrics or of the configuration changed, old to new.

        Raises:
            ClaimError: nothing has such a name, or two would have the same.
        """
        before = [*self.config_names, *self.metrics]
        if unknown := [name for name in names if name not in before]:
            raise ClaimError(f"nothing is called {unknown[0]!r}; there are {', '.join(before)}")
        for own in (self.config_names, self.metrics):
            after = [names.get(name, name) for name in own]
            if twice := sorted({name for name in after if after.count(name) > 1}):
                raise ClaimError(f"two would be called {twice[0]!r}; give each a name of its own")
        return self._of(
            replace(run, config={names.get(name, name): value for name, value in run.config.items()},
                    points={names.get(name, name): points for name, points in run.points.items()})
            for run in self.every
        )  # fmt: skip

    def _missed(self, absent: Mapping[str, Mapping[str, Step]], said: str, unlogged: Unlogged, left: int) -> None:
        """Refuse runs that a metric is missing of, or count them."""
        if absent and unlogged is None:
            metric, runs = next(iter(absent.items()))
            short = {run: step for run, step in runs.items() if step is not None}
            raise ClaimError(
                f"{len(runs)} of {len(self)} runs of {self.source} have no {metric!r} {said} ({_some(list(runs))}): it was not "
                f"logged{_there(short)}; leave them out with unlogged='leave out', which the card counts"
                f"{_or_by_their_own(short)}"
            )
        if left == len(self):
            own = _or_by_their_own({run: step for runs in absent.values() for run, step in runs.items() if step is not None})
            raise ClaimError(f"no run of {self.source} has {', '.join(map(repr, absent))} {said}{own}")
        note(left, f"runs that did not log {', '.join(absent)} {said}", *absent)

    def _noted(self, by_their_own: str | None = None) -> None:
        """Say what was read, to the card and to the claim's design.

        Args:
            by_their_own: what was taken of each run at steps of its own, which differ; None where they are the same.
        """
        said = f"{len(self)} runs, digest {self.digest}{', unfinished ones included' if self.unfinished_too else ''}"
        own = [] if by_their_own is None else [Read(by_their_own, "of each run by its own steps, which differ")]
        told([Read(f"runs of {self.source}", said), *own])
        if (drawing := drawn()) is not None:
            drawing.instead(f"runs of {self.source}", {"runs": len(self), "content": self.digest})


def _there(short: Mapping[str, Step]) -> str:
    """At which step, where others logged it."""
    return f" at step {next(iter(short.values())):g}, where others have it" if short else ""


def _or_by_their_own(short: Mapping[str, Step]) -> str:
    """What else may be said of runs that logged less than others."""
    if not short:
        return ""
    return (
        ", or take each run by its own steps with steps='own'; if its value was NaN, let the file say so, since pandas writes "
        "an empty cell for it unless it is told to_csv(…, na_rep='nan')"
    )


def _some(runs: Sequence[str]) -> str:
    more = f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else ""
    return f"{', '.join(runs[:_NAMED])}{more}"
