import numpy as np
import pandas as pd
import pytest

from harness.errors import ClaimError
from harness.judge import Outcome, judge
from harness.predict import DataFact, Theorem, Unusable


class TestTheorem:
    def test_no_counterexample_supports_with_the_number_of_examples(self):
        verdict = judge(Theorem(100), pd.DataFrame({"examples": [150, 100], "counterexample": [None, None]}))
        assert verdict.outcome is Outcome.SUPPORTED
        assert verdict.told == "No counterexample was found among 250 admissible examples."
        assert (verdict.estimate.p, verdict.estimate.n) == (None, 250)

    @pytest.mark.parametrize("examples", [3, 500])
    def test_a_counterexample_refutes_however_few_were_tried(self, examples):
        verdict = judge(Theorem(100), pd.DataFrame({"examples": [examples], "counterexample": ["x = [0, 1]"]}))
        assert verdict.outcome is Outcome.REFUTED
        assert verdict.told.endswith("Counterexample: x = [0, 1].")

    def test_every_search_needs_its_examples(self):
        verdict = judge(Theorem(100), pd.DataFrame({"examples": [900, 99], "counterexample": [None, np.nan]}))
        assert verdict.outcome is Outcome.INVALID
        assert "tried 99 examples and found nothing; required: 100" in verdict.told

    def test_where_selects_searches(self):
        frame = pd.DataFrame({"norm": ["l2", "linf"], "examples": [100, 100], "counterexample": [None, "x = 0"]})
        assert judge(Theorem(100, where={"norm": "l2"}), frame).outcome is Outcome.SUPPORTED
        assert judge(Theorem(100, where={"norm": "linf"}), frame).outcome is Outcome.REFUTED

    def test_no_search_is_no_support(self):
        assert judge(Theorem(1), pd.DataFrame({"examples": [], "counterexample": []})).outcome is Outcome.INVALID

    def test_a_search_of_nothing_is_refused(self):
        with pytest.raises(ClaimError, match="1 or more"):
            Theorem(0)


def facts(*rows):
    return pd.DataFrame(rows, columns=["case", "value", "reported", "digits"])


class TestDataFact:
    @pytest.mark.parametrize(
        ("value", "reported", "digits", "equal"),
        [
            (0.7372549, 0.737, 3, True),
            (0.7375, 0.737, 3, True),  # a tie: rounded down by some, up by others
            (0.7375, 0.738, 3, True),
            (0.73751, 0.737, 3, False),
            (0.7364, 0.737, 3, False),
            (41.6, 42, 0, True),
            (-0.25, -0.3, 1, True),
            (0.1 + 0.2, 0.3, 15, True),
        ],
    )
    def test_equal_to_the_digits_printed(self, value, reported, digits, equal):
        verdict = judge(DataFact(), facts(("train", value, reported, digits)))
        assert verdict.outcome is (Outcome.SUPPORTED if equal else Outcome.REFUTED)

    def test_one_case_that_differs_refutes_and_is_named_first(self):
        verdict = judge(DataFact(), facts(("a", 0.12, 0.1, 1), ("b", 0.26, 0.2, 1), ("c", 0.3, 0.3, 1)))
        assert verdict.outcome is Outcome.REFUTED
        assert verdict.told.startswith("1 of 3 cases differ from the printed value. b: 0.260, printed 0.2, differs.")
        assert [stratum.effect for stratum in verdict.estimate.strata] == [0.12, 0.26, 0.3]

    def test_columns_may_have_other_names(self):
        frame = facts(("a", 0.12, 0.1, 1)).rename(columns={"value": "distance"})
        assert judge(DataFact(value="distance"), frame).outcome is Outcome.SUPPORTED

    @pytest.mark.parametrize(
        ("row", "why"),
        [
            (("a", 0.12, 0.12, 1), "has more than the 1 decimals"),
            (("a", 0.12, 0.1, 1.5), "1.5 digits"),
            (("a", 0.12, 0.1, -1), "-1 digits"),
            (("a", np.nan, 0.1, 1), "missing or infinite"),
        ],
    )
    def test_unusable(self, row, why):
        with pytest.raises(Unusable, match=why):
            DataFact().estimate(facts(row), rng=np.random.default_rng(0))

    def test_a_case_twice(self):
        with pytest.raises(Unusable, match="share their case"):
            DataFact().estimate(facts(("a", 0.1, 0.1, 1), ("a", 0.2, 0.2, 1)), rng=np.random.default_rng(0))
