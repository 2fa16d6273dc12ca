"""The rules that reduce points to one number a run, against numpy, and what they refuse."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import ClaimError, Evidence, PairedDifference, Runs, Source, claim
from harness import run as judged
from harness.kept import noting
from harness.runs.points import Point, Run
from harness.runs.read import Read, reading

CURVES = st.dictionaries(st.integers(0, 50), st.floats(-1e6, 1e6), min_size=1, max_size=12)


def of(*curves: dict[int, float], status: str = "unknown") -> Runs:
    return Runs(tuple(Run(f"r{n}", {"seed": n}, {"m": tuple(Point(*each) for each in curve.items())}, status)
                      for n, curve in enumerate(curves)), "memory")  # fmt: skip


def only(table: pd.DataFrame) -> float:
    (value,) = table["m"]
    return float(value)


@given(CURVES, st.integers(1, 5), st.tuples(st.integers(0, 50), st.integers(0, 50)))
def test_rules_are_what_numpy_says(curve, count, window):
    runs = of(curve)
    steps = np.array(sorted(curve))
    values = np.array([curve[step] for step in steps])
    assert only(runs.last("m")) == values[-1]
    assert only(runs.first("m")) == values[0]
    assert only(runs.best("m", of="min")) == values.min()
    assert only(runs.best("m", of="max")) == values.max()
    assert only(runs.at("m", step=int(steps[len(steps) // 2]))) == values[len(steps) // 2]
    assert only(runs.reduced(["m"], lambda points: float(len(points)))) == len(values)
    assert list(runs.curve("m")["m"]) == list(values)
    if len(values) >= count:
        assert only(runs.mean("m", points=count)) == pytest.approx(values[-count:].mean(), abs=1e-6)
    low, high = sorted(window)
    inside = values[(steps >= low) & (steps <= high)]
    if len(inside):
        assert only(runs.mean("m", over=(low, high))) == pytest.approx(inside.mean(), abs=1e-6)
        assert only(runs.best("m", of="max", over=(low, None))) == values[steps >= low].max()
    else:
        with pytest.raises(ClaimError, match="was not logged"):
            runs.mean("m", over=(low, high))


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-10, 10)), min_size=2, max_size=10))
def test_what_was_logged_twice_is_refused_until_somebody_says_what_counts(points):
    run = Run("r", {}, {"m": tuple(Point(*each) for each in points)})
    runs = Runs((run,), "memory")
    steps = [step for step, _ in points]
    top = [value for step, value in points if step == max(steps)]
    if len(set(steps)) < len(steps):
        with pytest.raises(ClaimError, match="'m' of run r was logged more than once at step"):
            runs.last("m")
    assert only(runs.deduplicated("last").last("m")) == top[-1]
    assert only(runs.deduplicated("first").last("m")) == top[0]
    assert only(runs.deduplicated("mean").last("m")) == pytest.approx(np.mean(top))
    if all(len({value for step, value in points if step == each}) == 1 for each in steps):
        assert only(runs.deduplicated("equal").last("m")) == top[0]
    else:
        with pytest.raises(ClaimError, match="which differ"):
            runs.deduplicated("equal")


RULES = {
    "last": lambda runs, **how: runs.last("m", **how),
    "first": lambda runs, **how: runs.first("m", **how),
    "best": lambda runs, **how: runs.best("m", of="max", **how),
    "best late": lambda runs, **how: runs.best("m", of="min", over=(2, None), **how),
    "mean": lambda runs, **how: runs.mean("m", over=(None, 3), **how),
    "mean of the last two": lambda runs, **how: runs.mean("m", points=2, **how),
    "own rule": lambda runs, **how: runs.reduced(["m"], lambda points: points[-1].value, **how),
    "curve": lambda runs, **how: runs.curve("m", **how),
}
LOOKED = {
    "last": lambda steps: steps[-1:],
    "first": lambda steps: steps[:1],
    "best late": lambda steps: [step for step in steps if step >= 2],
    "mean": lambda steps: [step for step in steps if step <= 3],
    "mean of the last two": lambda steps: steps[-2:],
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
@given(st.lists(st.sets(st.integers(0, 4), min_size=2), min_size=2, max_size=5))
def test_no_run_is_taken_at_other_steps_than_the_others(name, logged):
    """Whoever lacks a step of the rule is refused, or left out and counted; a value of another step never stands for it."""
    runs = of(*({step: 100.0 * number + step for step in steps} for number, steps in enumerate(logged)))
    looked = set(LOOKED.get(name, list)(sorted(set().union(*logged))))
    whole = [f"r{number}" for number, steps in enumerate(logged) if looked <= steps]
    rule = RULES[name]
    if looked and len(whole) == len(logged):
        alone = [rule(of(dict(run.points["m"]))) for run in runs.every]
        assert list(rule(runs)["m"]) == [value for table in alone for value in table["m"]]
        return
    with pytest.raises(ClaimError, match="it was not logged"):
        rule(runs)
    if not whole or not looked:
        with pytest.raises(ClaimError, match="no run of memory has 'm'"):
            rule(runs, unlogged="leave out")
        return
    with noting() as drops:
        assert list(dict.fromkeys(rule(runs, unlogged="leave out")["run"])) == whole
    assert [drop.rows for drop in drops] == [len(logged) - len(whole)]


@pytest.mark.parametrize("how", [{}, {"na_rep": "nan"}])
def test_a_run_that_diverged_is_never_compared_at_the_epoch_before(tmp_path, how):
    rows = [(name, seed, epoch, 0.6 + epoch / 10 + seed / 100) for name in "ab" for seed in range(6) for epoch in range(3)]
    whole = pd.DataFrame(rows, columns=["arm", "seed", "epoch", "m"])
    whole.loc[(whole["arm"] == "b") & (whole["seed"] < 5) & (whole["epoch"] > 0), "m"] = math.nan
    whole.to_csv(tmp_path / "r.csv", index=False, **how)
    runs = Runs.from_csv(tmp_path / "r.csv", run=("arm", "seed"), step="epoch", metrics="m")
    if how:
        assert runs.last("m")["m"].isna().sum() == 5
        return
    with pytest.raises(ClaimError, match=r"5 of 12 runs .* at step 2, where others have it.*na_rep"):
        runs.last("m")
    assert list(runs.last("m", unlogged="leave out")["arm"]) == ["a"] * 6 + ["b"]


def test_a_card_says_where_runs_are_taken_by_their_own_steps():
    runs = of({0: 1.0, 1: 2.0}, {0: 3.0})
    for name, said in (("last", "m at the last step"), ("best", "m greatest over all steps"), ("curve", "curves of m")):
        with reading() as reads:
            RULES[name](runs, steps="own")
        assert Read(said, "of each run by its own steps, which differ") in reads
        with reading() as reads:
            RULES[name](of({0: 1.0, 1: 2.0}, {0: 3.0, 1: 2.0}), steps="own")
        assert len(reads) == 1


def test_nan_is_no_candidate_only_where_somebody_says_so():
    runs = of({0: 1.0, 1: math.nan, 2: 3.0})
    with pytest.raises(ClaimError, match=r"'m' of run r0 was logged as NaN at 1 of 3 steps"):
        runs.best("m", of="min")
    assert only(runs.best("m", of="min", nan="skip")) == 1.0
    assert math.isnan(only(runs.best("m", of="min", nan="keep")))
    assert only(runs.best("m", of="min", over=(2, None))) == 3.0
    assert math.isnan(only(runs.mean("m", over=(0, 2))))
    assert math.isnan(only(of({0: math.nan}).best("m", of="max", nan="skip")))


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda runs: runs.last(), "name what was logged"),
        (lambda runs: runs.last("n"), "no run of memory logged 'n'; it has m"),
        (lambda runs: runs.best("m", of="best"), "of='best'"),
        (lambda runs: runs.best("m", of="min", nan="drop"), "nan='drop'"),
        (lambda runs: runs.best("m", of="min", over=3), "over=3"),
        (lambda runs: runs.best("m", of="min", over=(3, 1)), "over="),
        (lambda runs: runs.mean("m"), "give one of them"),
        (lambda runs: runs.mean("m", points=0), "points=0"),
        (lambda runs: runs.mean("m", points=9), "fewer than points=9"),
        (lambda runs: runs.at("m", step=math.nan), "step=nan"),
        (lambda runs: runs.at("m", step=7), "have no 'm' at step 7"),
        (lambda runs: runs.at("m", step=7, unlogged="leave out"), "no run of memory has 'm' at step 7"),
        (lambda runs: runs.last("m", unlogged="drop"), "unlogged='drop'"),
        (lambda runs: runs.last("m", steps="each"), "steps='each'"),
        (lambda runs: runs.last("m"), r"1 of 2 runs of memory have no 'm' at the last step \(r1\).* at step 1,.*steps='own'"),
        (lambda runs: runs.deduplicated("max"), "deduplicated"),
        (lambda runs: runs.renamed({"x": "y"}), "nothing is called 'x'"),
        (lambda runs: runs.renamed({"m": "seed"}).last("seed"), "two columns of the table would be called 'seed'"),
        (lambda runs: runs.where(lr=1), "lr"),
        (lambda runs: Runs((*runs.every, *runs.every), "memory"), "two runs called 'r0'"),
        (lambda runs: Runs((), "memory"), "holds no run"),
    ],
)  # fmt: skip
def test_what_would_need_a_silent_choice_is_refused(ask, says):
    with pytest.raises(ClaimError, match=says):
        ask(of({0: 1.0, 1: 2.0}, {0: 3.0}))


def test_metrics_of_other_steps_do_not_make_one_curve():
    run = Run("r", {}, {"a": (Point(0, 1.0), Point(1, 2.0)), "b": (Point(1, 5.0),)})
    with pytest.raises(ClaimError, match="logged 'a' and 'b' at different steps"):
        Runs((run,), "memory").curve("a", "b")
    table = Runs((Run("r", {}, {"a": (Point(1, 2.0), Point(0, 1.0)), "b": (Point(0, 4.0), Point(1, 5.0))}),), "memory").curve(
        "a", "b"
    )
    assert table.to_dict("list") == {"run": ["r", "r"], "step": [0, 1], "a": [1.0, 2.0], "b": [4.0, 5.0]}


def test_who_is_left_out_is_counted():
    runs = Runs(tuple(Run(f"r{n}", {"seed": n, "lr": n % 2}, {"m": (Point(0, 1.0),)} if n != 4 else {},
                          "unfinished" if n == 5 else "finished") for n in range(6)), "memory")  # fmt: skip
    with noting() as drops:
        assert len(runs.finished().last("m", unlogged="leave out")) == 4
    assert [(drop.rows, drop.because) for drop in drops] == [
        (1, "runs that did not finish"), (1, "runs that did not log m at the last step"),
    ]  # fmt: skip
    with noting() as drops:
        assert set(runs.where(lr=1).finished().last("m")["seed"]) == {1, 3}
    assert [drop.rows for drop in drops] == [1]


HIGHER = PairedDifference("acc", "optimizer", "adam", "sgd", "seed", margin=0.05, margin_reason="visible")
PAPER = Source("paper", "A paper").at("Intro", "it is")


def table(gain: float = 0.2) -> pd.DataFrame:
    rows = [
        (f"{name}-{seed}", name, seed, 0.5 + 0.01 * seed + (gain + 0.01 * (seed % 3)) * (name == "adam"), state)
        for name in ("sgd", "adam")
        for seed, state in enumerate(["done"] * 8 + ["killed"])
    ]
    return pd.DataFrame(rows, columns=["run", "optimizer", "seed", "acc", "state"])


def test_a_claim_over_runs_says_what_it_rests_on():
    def reads(harness):
        found = Runs.from_dataframe(
            table(), run="run", config=("optimizer", "seed"), status="state", finished="done", source="t.csv"
        )
        return Evidence(found.finished().last("acc"))

    body = claim("paper/higher", statement="It is so.", source=PAPER, prediction=HIGHER)(reads)
    done = judged(body)
    (row,) = done.run["rows"]
    assert done.verdict.outcome.value == "supported"
    assert row["rows"]["measured"] == 18
    digest = (
        Runs.from_dataframe(table(), run="run", config=("optimizer", "seed"), status="state", finished="done").finished().digest
    )
    assert row["settings"]["runs of t.csv"] == f"16 runs, digest {digest}"
    assert {"name": "runs of t.csv", "members": 0, "settings": {"runs": 16, "content": digest}, "streams": []} in row["design"][
        "instruments"
    ]


def test_a_verdict_on_a_table_needs_no_torch(pytester: pytest.Pytester):
    pytester.makepyfile(
        test_mine="""
        from pathlib import Path
        from harness import Evidence, PairedDifference, Runs, Source, claim

        @claim("mine/higher", statement="It is so.", source=Source("mine", "Mine").at("Intro", "it is"),
               prediction=PairedDifference("acc", "optimizer", "adam", "sgd", "seed", margin=0.05, margin_reason="visible"))
        def test_higher():
            runs = Runs.from_csv(Path(__file__).parent / "results.csv", run="run", config=("optimizer", "seed"), metrics="acc")
            return Evidence(runs.last("acc"))
        """,
        conftest="""
        import sys
        def pytest_unconfigure(config):
            print("TORCH" if "torch" in sys.modules else "NO TORCH")
        """,
    )
    table().to_csv(pytester.path / "results.csv", index=False)
    found = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-s")
    found.stdout.fnmatch_lines(["*SUPPORTED*mine/higher*", "*NO TORCH*"])
    code = (
        "import sys, test_mine, harness; done = harness.run(test_mine.test_higher); "
        "print(done.verdict.outcome, 'torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=pytester.path)
    assert said.stdout.split() == ["supported", "False"], said.stderr
