"""What every kind of prediction keeps to."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness.predict
from harness.claim import ClaimError
from harness.judge import Outcome, judge
from harness.predict import (
    Conjunction,
    Correlation,
    CorrelationDifference,
    DataFact,
    NoCorrelation,
    PairedDifference,
    PerSampleCorrelation,
    Prediction,
    Proportion,
    ScalingExponent,
    Theorem,
    Unusable,
)

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
        [{"seed": seed, "sample": sample, "width": width, "llc": rng.normal(), "radius": np.exp(rng.normal())}
         for seed in range(6) for sample in range(3) for width in (8, 16, 32, 64, 128)]
    )  # fmt: skip


UNIT = ("architecture", "seed", "regime")
INPUT = {"scope": "input"}
PAIRED = PairedDifference("llc", "regime", "standard", "robust", "seed", "architecture", where=INPUT, **TERMS)
KINDS: list[tuple[Prediction, pd.DataFrame, tuple[str, ...]]] = [
    (PAIRED, models(), ("llc",)),
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
]  # fmt: skip
EACH = pytest.mark.parametrize(
    ("prediction", "table", "numeric"), KINDS, ids=[type(kind[0]).__name__ for kind in KINDS]
)


def estimate(prediction, table):
    return prediction.estimate(table, rng=np.random.default_rng(0))


def test_every_kind_is_here():
    exported = {getattr(harness.predict, name) for name in harness.predict.__all__}
    kinds = {each for each in exported if isinstance(each, type) and issubclass(each, Prediction)} - {
        Prediction
    }
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
    (KINDS[1][0], models(), "architecture"),
    (KINDS[4][0], epochs(), "sample"),
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
    assert set(described) == {"kind", *(each.name for each in dataclasses.fields(prediction))}


def test_every_term_changes_the_description():
    base = KINDS[1][0]
    for change in (
        {"margin": 0.2},
        {"margin_reason": "other"},
        {"alpha": 0.01},
        {"where": {}},
        {"sign": -1},
        {"x": "asr"},
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
    assert verdict.reason[0].isupper() or verdict.reason[0].isdigit()
    assert verdict.reason.endswith(".")
    assert "  " not in verdict.reason
    assert ".." not in verdict.reason
    if prediction.rule in ("above", "below", "within"):
        assert "90 % interval" in verdict.reason


def test_equal_predictions_have_equal_hashes():
    again = dataclasses.replace(PAIRED, where=dict(INPUT))
    assert again == PAIRED
    assert hash(again) == hash(PAIRED)


def test_a_name_reads_in_place_of_its_column():
    named = dataclasses.replace(
        PAIRED, value="llc_per_parameter", names={"llc_per_parameter": "LLC per parameter"}
    )
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


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(-2, 2))
def test_a_wider_margin_never_turns_a_refutation_of_a_direction_into_support(seed, effect):
    rng = np.random.default_rng(seed)
    table = models().assign(
        llc=lambda each: rng.normal(size=len(each)) + effect * (each.regime == "standard")
    )
    order = {Outcome.SUPPORTED: 2, Outcome.INCONCLUSIVE: 1, Outcome.REFUTED: 0}
    seen = [
        order[judge(dataclasses.replace(PAIRED, margin=margin), table).outcome]
        for margin in (0.1, 0.5, 1.0, 3.0)
    ]
    assert seen == sorted(seen, reverse=True)
