"""What every kind of prediction keeps to."""

import dataclasses
import functools
import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness.predict
from harness.errors import ClaimError
from harness.judge import Outcome, decide, judge
from harness.predict import (
    AreaDifference,
    AtLeast,
    Conjunction,
    Correlation,
    CorrelationDifference,
    DataFact,
    IndependentDifference,
    IndependentSuperiority,
    IndependentTrimmedDifference,
    Landmark,
    NoChange,
    NoCorrelation,
    NoTrend,
    Ordering,
    PairedDifference,
    Peak,
    PerSampleCorrelation,
    Prediction,
    Proportion,
    ScalingExponent,
    Superiority,
    Theorem,
    Trajectory,
    TrimmedDifference,
    Unusable,
    words,
)
from harness.stats import Student

TERMS = {"margin": 0.1, "margin_reason": "visible"}


def models():
    """Two architectures of six seeds, in two regimes and with two scopes; the rate belongs to a model."""
    rng = np.random.default_rng(3)
    rows = []
    for architecture in ("8x1", "16x3"):
        for seed in range(6):
            for regime in ("standard", "robust"):
                asr = rng.normal()
                for scope in ("input", "hidden"):
                    llc = asr + rng.normal() + (regime == "standard")
                    rows.append({"architecture": architecture, "seed": seed, "regime": regime, "scope": scope,
                                 "llc": llc, "asr": asr, "fits": bool(rng.random() < 0.8)})  # fmt: skip
    return pd.DataFrame(rows)


def epochs():
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        [{"seed": seed, "sample": sample, "draw": sample, "width": width, "llc": rng.normal(), "radius": np.exp(rng.normal())}
         for seed in range(6) for sample in range(3) for width in (8, 16, 32, 64, 128)]
    )  # fmt: skip


UNIT = ("architecture", "seed", "regime")
INPUT = {"scope": "input"}
PAIRED = PairedDifference("llc", "regime", "standard", "robust", "seed", "architecture", where=INPUT, **TERMS)
KINDS: list[tuple[Prediction, pd.DataFrame, tuple[str, ...]]] = [
    (PAIRED, models(), ("llc",)),
    (Superiority("llc", "regime", "standard", "robust", ("architecture", "seed"), where=INPUT, **TERMS), models(), ("llc",)),
    (Correlation("llc", "asr", UNIT, "regime", sign=1, where=INPUT, **TERMS), models(), ("llc", "asr")),
    (NoCorrelation("llc", "asr", UNIT, "architecture", where=INPUT, **TERMS), models(), ("llc", "asr")),
    (CorrelationDifference("asr", "llc", "scope", "input", "hidden", UNIT, "regime", **TERMS),
     models(), ("llc", "asr")),
    (PerSampleCorrelation("llc", "radius", "seed", "sample", sign=-1, **TERMS), epochs(), ("llc", "radius")),
    (Proportion("fits", UNIT, 0.5, where=INPUT, **TERMS), models(), ("fits",)),
    (ScalingExponent("radius", "width", "seed", -0.5, 0.1, margin_reason="visible", where={"sample": 0}),
     epochs(), ("radius",)),
    (Theorem(5), pd.DataFrame({"examples": [9, 8], "counterexample": [None, None]}), ("examples",)),
    (DataFact(),
     pd.DataFrame({"case": ["a", "b"], "value": [0.1, 0.2], "reported": [0.1, 0.2], "digits": [1, 1]}),
     ("value", "reported")),
    (Conjunction(parts=(PAIRED, Proportion("fits", UNIT, 0.5, where=INPUT, **TERMS))), models(), ("llc",)),
    (AtLeast(parts=(PAIRED, dataclasses.replace(PAIRED, margin=0.5), Proportion("fits", UNIT, 0.5, where=INPUT, **TERMS)),
             count=2), models(), ("llc",)),
    (IndependentDifference("llc", "regime", "standard", "robust", UNIT, "architecture", where=INPUT, **TERMS),
     models(), ("llc",)),
    (IndependentTrimmedDifference("llc", "regime", "standard", "robust", UNIT, where=INPUT, **TERMS), models(), ("llc",)),
    (IndependentSuperiority("llc", "regime", "standard", "robust", UNIT, where=INPUT, **TERMS), models(), ("llc",)),
    (TrimmedDifference("llc", "regime", "standard", "robust", ("architecture", "seed"), where=INPUT, **TERMS),
     models(), ("llc",)),
    (NoChange("llc", "regime", "standard", "robust", "seed", "architecture", where=INPUT, **TERMS), models(), ("llc",)),
    (AreaDifference("llc", "width", "sample", 0, 1, "seed", log_x=True, **TERMS), epochs(), ("llc",)),
    (Ordering("llc", "width", (8, 32, 128), "seed", where={"sample": 0}, **TERMS), epochs(), ("llc",)),
    (NoTrend("llc", "width", ("seed", "draw"), strata="draw", **TERMS), epochs(), ("llc",)),
    (Trajectory("llc", "radius", "width", ("seed", "draw"), sign=1, detrend="linear", **TERMS),
     epochs(), ("llc", "radius")),
    (Peak("llc", "width", ("seed", "draw"), **TERMS), epochs(), ("llc",)),
    (Landmark("llc", "width", ("seed", "draw"), "change", "position", 32, 20, margin_reason="visible"),
     epochs(), ("llc",)),
]  # fmt: skip


def of_kind(wanted: type[Prediction]) -> Prediction:
    """The prediction of that kind."""
    return next(prediction for prediction, _, _ in KINDS if type(prediction) is wanted)


EACH = pytest.mark.parametrize(("prediction", "table", "numeric"), KINDS, ids=[type(kind[0]).__name__ for kind in KINDS])
STATISTICAL = [i for i, (prediction, _, _) in enumerate(KINDS) if prediction.rule in ("above", "below", "within")]
EACH_STATISTICAL = pytest.mark.parametrize("kind", STATISTICAL, ids=[type(KINDS[i][0]).__name__ for i in STATISTICAL])
TABLES = st.integers(0, 7)
"""Seeds of tables; few, so that each is estimated once (:func:`found`) for all properties."""


def redrawn(table, seed):
    """The table with other numbers in the same places."""
    rng = np.random.default_rng([seed, 9])
    new = table.copy()
    new["llc"] = rng.normal(size=len(new)) * rng.choice([0.1, 1.0]) + rng.choice([0.0, 1.0]) * (np.arange(len(new)) % 4 < 2)
    if "fits" in new:
        new["fits"] = rng.random(len(new)) < rng.choice([0.4, 0.9])
        of_model = dict(zip(new.groupby(list(UNIT)).groups, rng.normal(size=len(new)), strict=False))
        new["asr"] = [of_model[tuple(key)] for key in new[list(UNIT)].to_numpy().tolist()]
    if "radius" in new:
        new["radius"] = new.width ** rng.choice([-0.5, 0.0]) * np.exp(0.3 * rng.normal(size=len(new)))
    return new


@functools.cache
def found(kind, seed):
    """The estimate of a kind from the table with this seed."""
    prediction, table, _ = KINDS[kind]
    return estimate(prediction, redrawn(table, seed))


def estimate(prediction, table):
    return prediction.estimate(table, rng=np.random.default_rng(0))


def test_every_kind_is_here():
    exported = {getattr(harness.predict, name) for name in harness.predict.__all__}
    kinds = {each for each in exported if isinstance(each, type) and issubclass(each, Prediction)} - {Prediction}
    assert kinds == {type(prediction) for prediction, _, _ in KINDS}
    for kind in kinds:
        assert getattr(harness, kind.__name__) is kind


@EACH
def test_the_order_of_rows_and_the_index_have_no_influence(prediction, table, numeric):
    reference = estimate(prediction, table)
    for seed in range(5):
        assert estimate(prediction, table.sample(frac=1, random_state=seed)) == reference


@EACH
def test_the_table_is_left_as_it_was(prediction, table, numeric):
    before = table.copy()
    estimate(prediction, table)
    pd.testing.assert_frame_equal(table, before)


@EACH
def test_a_column_more_has_no_influence_and_one_less_is_an_error(prediction, table, numeric):
    assert estimate(prediction, table.assign(unrelated=np.nan)) == estimate(prediction, table)
    for column in prediction.columns():
        with pytest.raises(ClaimError, match=f"lacks {column}"):
            estimate(prediction, table.drop(columns=column))


@EACH
def test_estimates_are_plain_finite_numbers(prediction, table, numeric):
    found = estimate(prediction, table)
    values = [
        found.effect,
        *found.interval,
        *(found.standardised or ()),
        *([] if found.p is None else [found.p]),
    ]
    for stratum in found.strata:
        values += [stratum.effect, *stratum.interval]
    assert all(type(value) is float and np.isfinite(value) for value in values)
    assert type(found.n) is int
    assert found.interval[0] <= found.effect <= found.interval[1]
    assert found.estimand
    assert found.unit


@EACH
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, None])
def test_a_value_that_is_not_finite_is_unusable(prediction, table, numeric, bad):
    for column in numeric:
        broken = table.astype({column: object})
        broken.iloc[0, broken.columns.get_loc(column)] = bad
        with pytest.raises(Unusable, match=f"1 of [0-9]+ values of {column} are missing or infinite"):
            estimate(prediction, broken)


@EACH
def test_text_in_place_of_numbers_is_unusable(prediction, table, numeric):
    with pytest.raises(Unusable, match="no number"):
        estimate(prediction, table.assign(**{numeric[0]: "much"}))


@EACH
def test_an_empty_table_is_unusable(prediction, table, numeric):
    with pytest.raises(Unusable, match="the table has no rows"):
        estimate(prediction, table.iloc[:0])


@pytest.mark.parametrize(("prediction", "table", "key"), [
    (PAIRED, models(), "seed"),
    (PAIRED, models(), "regime"),
    (of_kind(Correlation), models(), "architecture"),
    (of_kind(PerSampleCorrelation), epochs(), "sample"),
])  # fmt: skip
def test_a_row_that_belongs_to_nobody_is_unusable(prediction, table, key):
    broken = table.astype({key: object})
    broken.loc[0, key] = None
    with pytest.raises(Unusable, match=f"1 of [0-9]+ rows have no {key}"):
        estimate(prediction, broken)


def test_rows_are_selected_by_value_or_by_a_list_of_values():
    share = Proportion("fits", (*UNIT, "scope"), 0.5, **TERMS)
    count = {
        name: estimate(dataclasses.replace(share, where=where), models()).n
        for name, where in {
            "all": {}, "one": {"scope": "input"}, "list": {"seed": [0, 1, 2]},
            "both": {"scope": "input", "seed": (1, 4)},
        }.items()
    }  # fmt: skip
    assert count == {"all": 48, "one": 24, "list": 24, "both": 8}
    with pytest.raises(Unusable, match="no row has scope = output; present: input, hidden"):
        estimate(dataclasses.replace(share, where={"scope": "output"}), models())


@EACH
def test_the_description_is_json_and_holds_every_field(prediction, table, numeric):
    described = prediction.describe()
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    fields = {each.name for each in dataclasses.fields(prediction)} - {"population"}  # the claim's, and described with it
    unsaid = {"errors"} - {name for name in ("errors",) if getattr(prediction, name, None)}  # nothing is declared by none
    assert set(described) == {"kind", *(fields - unsaid)}


def test_every_term_changes_the_description():
    base = of_kind(Correlation)
    for change in (
        {"margin": 0.2},
        {"margin_reason": "other"},
        {"alpha": 0.01},
        {"where": {}},
        {"sign": -1},
        {"x": "other"},
    ):
        assert dataclasses.replace(base, **change).describe() != base.describe()
    assert dataclasses.replace(base, where=dict(INPUT)).describe() == base.describe()


def test_the_order_of_a_filter_is_no_term():
    one = dataclasses.replace(PAIRED, where={"scope": "input", "seed": 1})
    other = dataclasses.replace(PAIRED, where={"seed": 1, "scope": "input"})
    assert repr(one.describe()) == repr(other.describe())


@EACH
def test_a_prediction_reads_as_a_sentence(prediction, table, numeric):
    text = str(prediction)
    assert text == repr(prediction)
    assert text[0].isupper()
    assert "_" not in text
    assert "(" not in text or text.count("(") == text.count(")")
    if isinstance(prediction, (PairedDifference, Correlation, NoCorrelation, Proportion, ScalingExponent)):
        assert any(number in text for number in ("0.1", "0.6"))
    if prediction.where:
        assert ", where " in text


@EACH
def test_a_verdict_reads_as_a_sentence(prediction, table, numeric):
    verdict = judge(prediction, table)
    assert verdict.told[0].isupper() or verdict.told[0].isdigit()
    assert verdict.told.endswith(".")
    assert "  " not in verdict.told
    assert ".." not in verdict.told
    if prediction.rule in ("above", "below", "within"):
        assert words.bracket(verdict.estimate.interval) in verdict.reason
    assert len(verdict.reason.split()) <= 60


def test_equal_predictions_have_equal_hashes():
    again = dataclasses.replace(PAIRED, where=dict(INPUT))
    assert again == PAIRED
    assert hash(again) == hash(PAIRED)


def test_a_name_reads_in_place_of_its_column():
    named = dataclasses.replace(PAIRED, value="llc_per_parameter", names={"llc_per_parameter": "LLC per parameter"})
    assert "LLC per parameter is higher in standard" in str(named)
    assert "llc per parameter is higher" in str(dataclasses.replace(named, names={}))


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_units_and_origin_of_ranked_columns_have_no_influence(scale, origin):
    for prediction, table, numeric in KINDS[1:5]:
        moved = table.assign(**{numeric[0]: np.round(table[numeric[0]], 3) * scale + origin})
        ranked = table.assign(**{numeric[0]: np.round(table[numeric[0]], 3)})
        if (moved[numeric[0]].rank() == ranked[numeric[0]].rank()).all():
            assert estimate(prediction, moved) == estimate(prediction, ranked)


@EACH_STATISTICAL
@settings(max_examples=5, deadline=None)
@given(TABLES, st.integers(0, 1_000))
def test_the_order_of_rows_has_no_influence_whatever_was_seen(kind, seed, order):
    prediction, table, _ = KINDS[kind]
    shuffled = redrawn(table, seed).sample(frac=1, random_state=order)
    assert estimate(prediction, shuffled) == found(kind, seed)


SHARES = (Proportion, Superiority, IndependentSuperiority)
NATURAL = (PairedDifference, IndependentDifference, NoChange, AreaDifference, Ordering, NoTrend, Peak)
"""Kinds whose effect is in the units of their first numeric column; the others have none, or those of x."""


@EACH_STATISTICAL
@settings(max_examples=5, deadline=None)
@given(TABLES, st.floats(1e-3, 1e3))
def test_effect_and_interval_have_the_units_of_the_value(kind, seed, scale):
    prediction, table, numeric = KINDS[kind]
    if isinstance(prediction, Proportion):
        return
    before, frame = found(kind, seed), redrawn(table, seed)
    after = estimate(prediction, frame.assign(**{numeric[0]: frame[numeric[0]] * scale}))
    times = scale if isinstance(prediction, NATURAL) else 1.0
    assert after.effect == pytest.approx(before.effect * times, rel=1e-6, abs=1e-7 * times)
    assert after.interval == pytest.approx(tuple(np.multiply(before.interval, times)), rel=1e-6, abs=1e-7 * times)
    if prediction.rule != "within":
        assert after.p == pytest.approx(before.p, rel=1e-6)


def mirrored(prediction, frame):
    """The prediction of the opposite on opposite values, and the sign of its effect."""
    change = dataclasses.replace
    opposite = frame.assign(llc=-frame.llc)
    match prediction:
        case PairedDifference() | Superiority() | IndependentDifference() | IndependentSuperiority() | AreaDifference():
            return change(prediction, higher=prediction.lower, lower=prediction.higher), opposite, 1
        case NoChange():
            return change(prediction, first=prediction.second, second=prediction.first), opposite, 1
        case Ordering():
            return change(prediction, levels=prediction.levels[::-1]), opposite, 1
        case Correlation() | PerSampleCorrelation() | Trajectory():
            return change(prediction, sign=-prediction.sign), opposite, -1
        case CorrelationDifference():
            return change(prediction, here=prediction.there, there=prediction.here), opposite, 1
        case NoCorrelation() | NoTrend():
            return prediction, opposite, -1
        case Peak():
            return change(prediction, valley=not prediction.valley), opposite, 1
        case Landmark():
            return prediction, opposite, 1
        case ScalingExponent():
            return change(prediction, value=-prediction.value), frame.assign(radius=1 / frame.radius), -1
        case Proportion():
            return prediction, frame, 1


@EACH_STATISTICAL
@settings(max_examples=5, deadline=None)
@given(TABLES)
def test_the_opposite_of_opposite_values_is_as_true(kind, seed):
    prediction, table, _ = KINDS[kind]
    frame = redrawn(table, seed)
    other, values, sign = mirrored(prediction, frame)
    here, there = found(kind, seed), estimate(other, values)
    ends = here.interval if sign == 1 else (-here.interval[1], -here.interval[0])
    assert there.effect == pytest.approx(sign * here.effect, rel=1e-9, abs=1e-12)
    assert there.interval == pytest.approx(ends, rel=1e-6, abs=1e-9)
    assert (judge(other, values).outcome, judge(other, values).label) == (
        judge(prediction, frame).outcome, judge(prediction, frame).label
    )  # fmt: skip


@EACH_STATISTICAL
@settings(max_examples=5, deadline=None)
@given(TABLES, st.floats(1e-4, 0.45))
def test_interval_and_p_are_read_off_one_curve(kind, seed, alpha):
    prediction, confidence = KINDS[kind][0], found(kind, seed).confidence
    low, high = confidence.interval(alpha)
    assert low <= confidence.effect <= high
    at_low, at_high = confidence.above(low), confidence.below(high)
    if isinstance(confidence, Student):
        assert (at_low, at_high) == pytest.approx((alpha, alpha))
    else:
        edges = (0.0, 1.0) if isinstance(prediction, SHARES) else ()  # beyond which no share lies
        assert at_low <= alpha * (1 + 1e-6) or low in edges
        assert at_high <= alpha * (1 + 1e-6) or high in edges
    least = 0 if isinstance(prediction, SHARES) else -prediction.largest
    values = np.linspace(low - (high - low), high + (high - low), 9)
    values = values[(least < values) & (values < prediction.largest)]
    rising, falling = [confidence.above(each) for each in values], [confidence.below(each) for each in values]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)


@EACH_STATISTICAL
@settings(max_examples=5, deadline=None)
@given(TABLES)
def test_a_smaller_alpha_widens_the_interval_and_decides_no_more(kind, seed):
    prediction, seen = KINDS[kind][0], found(kind, seed)
    alphas = (0.001, 0.01, 0.05, 0.2, 0.4)
    ends = [seen.confidence.interval(alpha) for alpha in alphas]
    for (low, high), (inner_low, inner_high) in itertools.pairwise(ends):
        assert low <= inner_low <= inner_high <= high
    decided = [
        decide(prediction.rule, prediction.centre, prediction.margin, each)[0] is not Outcome.INCONCLUSIVE for each in ends
    ]
    assert decided == sorted(decided)
    at = dataclasses.replace(prediction, alpha=0.01)
    assert estimate(at, redrawn(KINDS[kind][1], seed)).interval == tuple(map(float, ends[1]))


@EACH_STATISTICAL
@settings(max_examples=8, deadline=None)
@given(TABLES)
def test_a_larger_margin_is_harder_to_reach_and_easier_to_stay_within(kind, seed):
    prediction, seen = KINDS[kind][0], found(kind, seed)
    order = {Outcome.SUPPORTED: 2, Outcome.INCONCLUSIVE: 1, Outcome.REFUTED: 0}
    outcomes = [
        order[decide(prediction.rule, prediction.centre, margin, seen.interval)[0]]
        for margin in (1e-3, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 20, 100)
    ]
    assert outcomes == sorted(outcomes, reverse=prediction.rule != "within")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(-2, 2))
def test_a_wider_margin_never_turns_a_refutation_of_a_direction_into_support(seed, effect):
    rng = np.random.default_rng(seed)
    table = models().assign(llc=lambda each: rng.normal(size=len(each)) + effect * (each.regime == "standard"))
    order = {Outcome.SUPPORTED: 2, Outcome.INCONCLUSIVE: 1, Outcome.REFUTED: 0}
    seen = [order[judge(dataclasses.replace(PAIRED, margin=margin), table).outcome] for margin in (0.1, 0.5, 1.0, 3.0)]
    assert seen == sorted(seen, reverse=True)
