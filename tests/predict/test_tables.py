import numpy as np
import pandas as pd
import pytest

from harness.errors import ClaimError
from harness.predict import PairedDifference, Unusable, tables


def test_rows_of_both_sides_belong_together_in_any_order():
    frame = pd.DataFrame({"seed": [3, 1, 2, 2, 3, 1], "regime": list("aaabbb"), "llc": [30, 10, 20, 21, 31, 11]})
    left, right = tables.sides(frame, ["seed"], "regime", ("a", "b"))
    assert (right["llc"] - left["llc"]).tolist() == [1, 1, 1]
    assert left["seed"].tolist() == right["seed"].tolist()


def test_an_example_keeps_the_type_of_each_key():
    frame = pd.DataFrame({"seed": [1, 2], "threshold": [0.5, 2.0], "name": ["a", "b"]})
    assert tables.first(frame, np.array([False, True]), ["seed", "threshold", "name"]) == (
        "seed = 2, threshold = 2.0, name = b"
    )


def test_groups_of_categories_without_rows_do_not_exist():
    regimes = pd.Categorical(["a", "b", "a"], categories=["a", "b", "c"])
    frame = pd.DataFrame({"regime": regimes, "llc": [1.0, 2.0, 3.0]})
    assert [(name, len(part)) for name, part in tables.groups(frame, ["regime"])] == [("a", 2), ("b", 1)]
    assert tables.codes(frame, ["regime"]).tolist() == [0, 1, 0]


@pytest.mark.parametrize(("values", "constant"), [([1.0, 1.0], True), ([0.3, 0.1 + 0.2], True), ([1.0, 1.1], False)])
def test_a_column_that_varies_by_rounding_only_is_constant(values, constant):
    if not constant:
        tables.varies(values, "llc")
        return
    with pytest.raises(Unusable, match="llc has the same value"):
        tables.varies(values, "llc")


@pytest.mark.parametrize(("scale", "judged"), [(1e-49, True), (1e-120, False), (1e48, True), (1e120, False), (0.0, True)])
def test_numbers_whose_powers_no_computer_holds_are_refused(scale, judged):
    frame = pd.DataFrame({"seed": range(6), "v": scale * np.arange(1.0, 7.0)})
    if judged:
        assert len(tables.gathered(frame, ["seed"], ["v"])) == 6
    else:
        with pytest.raises(Unusable, match=r"v has numbers of the size .*: change its unit"):
            tables.gathered(frame, ["seed"], ["v"])


def test_complex_numbers_are_refused():
    frame = pd.DataFrame({"seed": range(6), "v": np.arange(6) + 1j})
    with pytest.raises(Unusable, match="column v holds something that is no number"):
        tables.gathered(frame, ["seed"], ["v"])


def test_two_columns_of_one_name_are_refused():
    table = pd.DataFrame([[0, "a", 1.0, 2.0]], columns=["seed", "regime", "v", "v"])
    prediction = PairedDifference("v", "regime", "a", "b", "seed", margin=0.3, margin_reason="test")
    with pytest.raises(ClaimError, match="several columns named v"):
        prediction.check_columns(table)


@pytest.mark.parametrize("what", ["pairs", "units (seed) in a", "unit(s) with regime = robust", "levels of width"])
@pytest.mark.parametrize("n", [0, 1, 3])
def test_too_few_are_counted_as_a_reader_would(what: str, n: int) -> None:
    with pytest.raises(Unusable) as told:
        tables.enough(n, what)
    noun = str(told.value).split()[1].rstrip(";")
    assert noun in ({"pair", "unit", "level"} if n == 1 else {"pairs", "units", "levels"})
