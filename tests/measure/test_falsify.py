from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import hypothesis
import pytest
from hypothesis import assume
from hypothesis import strategies as st

from claims import test_dynamics_theorems as claims
from fixtures.dynamics import distance as dynamics
from harness.measure.falsify import falsify


def test_a_theorem_stands():
    table = falsify(lambda v: None, st.integers(), examples=200, key="any")
    assert table.to_dict("records") == [{"examples": 200, "counterexample": None}]


def test_counterexample_is_the_simplest():
    def below_a_thousand(value):
        assert value < 1000, f"{value} is large\nand more"

    (row,) = falsify(below_a_thousand, st.integers(), examples=1000, key="any").to_dict("records")
    assert row["counterexample"] == "1000: 1000 is large"
    assert 1 <= row["examples"] <= 1000


def test_counterexample_without_a_text():
    def never(value):
        raise AssertionError

    assert falsify(never, st.booleans(), examples=5, key="any").loc[0, "counterexample"] == "False"


def test_counterexample_is_written_down_before_the_check_changes_it():
    def clears(value):
        value.clear()
        raise AssertionError

    assert falsify(clears, st.just(0).map(lambda _: [1]), examples=5, key="any").loc[0, "counterexample"] == "[1]"


def test_rejected_inputs_are_not_counted():
    tried = []

    def even(value):
        assume(value % 2 == 0)
        tried.append(value)

    table = falsify(even, st.integers(), examples=100, key="any")
    assert table.loc[0, "examples"] == len(tried) == 100


def test_a_small_space_is_not_counted_twice():
    assert falsify(lambda v: None, st.booleans(), examples=100, key="any").loc[0, "examples"] == 2


def test_inputs_are_named_by_the_key():
    def inputs(key):
        seen = []
        falsify(seen.append, st.integers(), examples=50, key=key)
        return seen

    assert inputs("one") == inputs("one") != inputs("two")


def test_other_exceptions_are_passed_on():
    with pytest.raises(KeyError):
        falsify(lambda v: {}[v], st.integers(), examples=10, key="any")


def test_too_many_rejections_are_an_error():
    with pytest.raises(hypothesis.errors.FailedHealthCheck):
        falsify(lambda v: assume(False), st.integers(), examples=100, key="any")


def test_a_check_that_changes_its_mind_is_an_error():
    answers = iter([True])

    def once(value):
        assert not next(answers, False)

    with pytest.raises(hypothesis.errors.Flaky):
        falsify(once, st.integers(), examples=10, key="any")


def test_nothing_to_try_is_refused():
    with pytest.raises(ValueError, match="examples=0"):
        falsify(lambda v: None, st.integers(), examples=0, key="any")


# --- the theorem of the claims about training dynamics ----------------------------------------------------


def test_situations_are_admissible_and_reach_the_edges():
    reached = set()

    def look(case):
        gap = min(dynamics.distance(case.norm, x, case.b) for x in case.a)
        strength = dynamics.size(case.norm, case.perturbation) / case.epsilon
        assert gap >= 2 * case.epsilon > 0
        assert strength < 1
        edges = {
            "exactly 2ε apart": gap == 2 * case.epsilon, "wider apart": gap > 2 * case.epsilon,
            "just short of ε": strength > Fraction(999, 1000),
            "single points": len(case.a) == len(case.b) == 1,
            "attack on A": case.base < len(case.a), "attack on B": case.base >= len(case.a),
            "tiny": gap < Fraction(1, 10**6), "huge": gap > 10**6,
            "on a line": len(case.perturbation) == 1, "in space": len(case.perturbation) == 4,
        }  # fmt: skip
        reached.update((case.norm, edge) for edge, met in edges.items() if met)

    assert falsify(look, dynamics.situations(), examples=500, key="any").loc[0, "counterexample"] is None
    assert len(reached) == 2 * 10


def test_theorem_of_the_distance_classifier_stands():
    evidence = claims.test_distance_classifier(SimpleNamespace(scale="smoke", store=None))
    assert evidence.table.to_dict("records") == [{"examples": 50, "counterexample": None}]
    assert {evidence.figure.x, evidence.figure.y, evidence.figure.hue} == set(evidence.figure.table)
    assert claims.test_distance_classifier.__claim__.kind == "theorem"


def test_no_smaller_lipschitz_constant_will_do():
    def steeper(case):
        dynamics.check_distance_classifier(replace(case, epsilon=case.epsilon * Fraction(101, 100)))

    assert ": f* changes by" in counterexample(steeper)


def test_no_larger_perturbation_will_do():
    def closed(case):
        full = tuple(step / dynamics.JUST_BELOW_1 for step in case.perturbation)  # ε itself where it was just below
        dynamics.check_distance_classifier(replace(case, perturbation=full))

    assert ": f* is 0 at the attacked point" in counterexample(closed)


def nearest_mean(norm, x, a, b):
    means = [tuple(sum(values, Fraction(0)) / len(points) for values in zip(*points, strict=True)) for points in (a, b)]
    to_a, to_b = (dynamics.size(norm, dynamics.minus(x, mean)) for mean in means)
    return (to_b - to_a) / (to_a + to_b) if to_a + to_b else Fraction(0)


def squared(norm, x, a, b):
    to_a, to_b = dynamics.distance(norm, x, a) ** 2, dynamics.distance(norm, x, b) ** 2
    return (to_b - to_a) / (to_b + to_a)


def unnormalised(norm, x, a, b):
    return dynamics.distance(norm, x, b) - dynamics.distance(norm, x, a)


@pytest.mark.parametrize("wrong", [nearest_mean, squared, unnormalised])
def test_wrong_classifiers_are_found_out(monkeypatch, wrong):
    monkeypatch.setattr(dynamics, "distance_classifier", wrong)
    assert counterexample(dynamics.check_distance_classifier) is not None


def counterexample(check):
    return falsify(check, dynamics.situations(), examples=500, key="any").loc[0, "counterexample"]
