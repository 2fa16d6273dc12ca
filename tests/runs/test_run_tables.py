"""Tables of runs, from CSV and pandas: what is read is what was written, and what is not said is refused."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import ClaimError, Runs

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
LOGGED = st.dictionaries(
    st.integers(0, 30), st.fixed_dictionaries({}, optional={"acc": NUMBERS, "val/loss": NUMBERS}), max_size=5
)
GROUPS = st.dictionaries(
    st.tuples(st.sampled_from(["sgd", "NA", "None", "007"]), st.integers(0, 9)), LOGGED, min_size=1, max_size=4
)


def same(left: float, right: float) -> bool:
    return (math.isnan(left) and math.isnan(right)) or (left == right and math.copysign(1, left) == math.copysign(1, right))


def write(path: Path, head: list[str], rows: list[list[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return path


def logged(runs: Runs) -> dict[str, dict[str, list[tuple[float | None, float]]]]:
    return {run.id: {metric: [tuple(point) for point in points] for metric, points in run.points.items()} for run in runs.every}


def agree(runs: Runs, groups: dict) -> None:
    """Every point is there with its very value, and no other."""
    found = logged(runs)
    expected = {f"optimizer={name}, seed={seed}": steps for (name, seed), steps in groups.items() if any(steps.values())}
    assert set(found) >= set(expected)
    for run, steps in expected.items():
        for metric in ("acc", "val/loss"):
            points = [(step, values[metric]) for step, values in steps.items() if metric in values]
            own = found[run].get(metric, [])
            assert [step for step, _ in own] == [step for step, _ in points]
            assert all(same(a, b) for (_, a), (_, b) in zip(own, points, strict=True))


@given(GROUPS)
def test_a_wide_file_is_read_to_the_last_bit(tmp_path_factory, groups):
    path = tmp_path_factory.mktemp("wide") / "r.csv"
    rows = [[name, seed, step, values.get("acc", ""), values.get("val/loss", "")]
            for (name, seed), steps in groups.items() for step, values in steps.items()]  # fmt: skip
    if not rows:
        return
    write(path, ["optimizer", "seed", "step", "acc", "val/loss"], rows)
    runs = Runs.from_csv(path, run=("optimizer", "seed"), step="step")
    agree(runs, groups)
    names = {(row["optimizer"], row["seed"]) for _, row in runs.overview.iterrows()}
    assert names == {(name, seed) for (name, seed), steps in groups.items() if steps} or names == {
        (7, seed) for (_, seed) in groups
    }


@given(GROUPS)
def test_a_long_file_and_a_table_say_the_same(tmp_path_factory, groups):
    path = tmp_path_factory.mktemp("long") / "r.csv"
    rows = [
        [name, seed, step, metric, value]
        for (name, seed), steps in groups.items()
        for step, values in steps.items()
        for metric, value in values.items()
    ]
    if not rows:
        return
    head = ["optimizer", "seed", "step", "what", "how much"]
    how = {"run": ("optimizer", "seed"), "step": "step", "metric": "what", "value": "how much"}
    agree(Runs.from_csv(write(path, head, rows), **how), groups)
    agree(Runs.from_dataframe(pd.DataFrame(rows, columns=head), nan="logged", **how), groups)
    objects = pd.DataFrame(rows, columns=head).astype(object)
    agree(Runs.from_dataframe(objects, **how), groups)


def test_the_four_states_of_a_value_stay_apart(tmp_path):
    path = write(tmp_path / "r.csv", ["run", "epoch", "acc", "state"],
                 [["a", 0, 0.5, "done"], ["a", 1, "nan", "done"], ["b", 0, "", "done"], ["b", 1, "-inf", "done"],
                  ["c", 0, 0.25, "killed"]])  # fmt: skip
    runs = Runs.from_csv(path, run="run", step="epoch", status="state", finished=("done", "ok"))
    assert [run.status for run in runs.every] == ["finished", "finished", "unfinished"]
    with pytest.raises(ClaimError, match=r"1 of 3 runs of r.csv did not finish \(c\)"):
        runs.last("acc")
    with pytest.raises(
        ClaimError, match=r"1 of 3 runs of r.csv have no 'acc' at the last step \(c\): it was not logged at step 1"
    ):
        runs.with_unfinished().last("acc")
    last = runs.with_unfinished().last("acc", steps="own").set_index("run")["acc"]
    assert math.isnan(last["a"])
    assert last["b"] == -math.inf
    assert last["c"] == 0.25
    with pytest.raises(ClaimError, match=r"1 of 2 runs of r.csv have no 'acc' at step 0 \(b\): it was not logged"):
        runs.finished().at("acc", step=0)
    assert list(runs.finished().at("acc", step=0, unlogged="leave out")["run"]) == ["a"]


@pytest.mark.parametrize(
    ("cells", "values"),
    [(["007", "7"], ["007", "7"]), (["7", "-3"], [7, -3]), (["0.1", "1e-3"], [0.1, 0.001]), (["True", "false"], [True, False]),
     (["1", "x"], ["1", "x"]), (["NA", "None"], ["NA", "None"]), (["1", ""], [1, None]), (["1_000", "2"], ["1_000", "2"]),
     (["nan", "1"], ["nan", "1"])],
)  # fmt: skip
def test_a_column_of_the_configuration_is_what_all_its_cells_are(tmp_path, cells, values):
    path = write(tmp_path / "r.csv", ["run", "c", "acc"], [[str(n), cell, 1] for n, cell in enumerate(cells)])
    found = [run.config["c"] for run in Runs.from_csv(path, run="run", config="c").every]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("text", "how", "says"),
    [
        ("run,acc\na,1,\n", {"run": "run"}, "line 2, has 3 cells"),
        ("run,acc\na\n", {"run": "run"}, "line 2, has 1 cells"),
        ("run,acc,acc\na,1,2\n", {"run": "run"}, "two columns called 'acc'"),
        ("", {"run": "run"}, "is empty"),
        ("run,acc\n", {"run": "run"}, "no line below"),
        ("run,acc\na,NA\n", {"run": "run"}, "holds 'NA', which is no number"),
        ("run,acc\na,1_0\n", {"run": "run"}, "holds '1_0', which is no number"),
        ("run,acc\na,9007199254740993\n", {"run": "run"}, "no double holds exactly"),
        ("run,step,acc\na,x,1\n", {"run": "run", "step": "step"}, "holds 'x', which is no step"),
        ("run,step,acc\na,,1\n", {"run": "run", "step": "step"}, "which is no step"),
        ("run,lr,acc\na,1,1\na,2,1\n", {"run": "run", "config": "lr"}, "run a with lr = 1, 2"),
        ("run,acc\n,1\n", {"run": "run"}, "has nothing in column 'run'"),
        ("run,acc\na,1\n", {"run": "runs"}, "no column 'runs'; it has run"),
        ("run,acc\na,1\n", {"run": "run", "metric": "acc"}, "give both or none"),
        ("run,acc\na,1\n", {"run": "run", "step": "acc"}, "no column of what was logged"),
        ("run,acc\na,1\n", {"run": "run", "step": "acc", "metrics": "acc"}, "two meanings"),
    ],
)  # fmt: skip
def test_a_file_that_says_something_else_is_refused_in_a_sentence(tmp_path, text, how, says):
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(ClaimError, match=says.replace("(", r"\(")):
        Runs.from_csv(tmp_path / "r.csv", **how)


def test_several_files_are_several_runs_or_one_table(tmp_path):
    for seed in range(3):
        write(tmp_path / f"seed{seed}.csv", ["seed", "epoch", "acc"], [[seed, 0, 0.1], [seed, 1, 0.2 + seed]])
    apart = Runs.from_csv(tmp_path / "*.csv", config="seed", step="epoch")
    assert list(apart.last("acc")["run"]) == ["seed0", "seed1", "seed2"]
    together = Runs.from_csv([tmp_path / "seed1.csv", tmp_path / "seed2.csv"], run="seed", step="epoch")
    assert list(together.last("acc")["acc"]) == [1.2, 2.2]
    write(tmp_path / "other.csv", ["seed", "loss"], [[1, 1]])
    with pytest.raises(ClaimError, match="different columns"):
        Runs.from_csv(tmp_path / "*.csv", config="seed")
    with pytest.raises(ClaimError, match=r"there is no file nothing-.*the working directory is"):
        Runs.from_csv("nothing-*.csv", run="run")


def test_nan_in_a_column_of_plain_floats_is_ambiguous():
    table = pd.DataFrame({"run": ["a", "b"], "acc": [1.0, math.nan]})
    with pytest.raises(ClaimError, match="stands for a value that was not logged as well"):
        Runs.from_dataframe(table, run="run")
    assert "acc" not in Runs.from_dataframe(table, run="run", nan="not logged").every[1].points
    assert math.isnan(Runs.from_dataframe(table, run="run", nan="logged").every[1].points["acc"][0].value)
    for kind in ("Float64", object):
        column = pd.Series([1.0, None], dtype=kind)
        assert "acc" not in Runs.from_dataframe(table.assign(acc=column), run="run").every[1].points


def test_the_digest_is_of_the_content():
    table = pd.DataFrame({"run": ["a", "b"], "lr": [1, 2], "acc": [1.0, 0.5]})
    first = Runs.from_dataframe(table, run="run", config="lr").digest
    assert Runs.from_dataframe(table.iloc[::-1], run="run", config="lr", source="elsewhere").digest == first
    changed = [table.assign(acc=[1.0, 0.25]), table.assign(lr=[1, 3]), table.assign(run=["a", "c"]), table.assign(lr=[1, True])]
    digests = {Runs.from_dataframe(each, run="run", config="lr").digest for each in changed}
    assert len(digests | {first}) == 5
