"""Bodies drawn at random: what a search makes of them in a setting is what the whole body makes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import LLC, MLP, Accuracy, Design, Evidence, Harness, LLCSpec, Recipe, Threat, ToyImages
from harness.running.session import open_harness
from harness.running.spared import Narrowed

SPEC = LLCSpec(localization=10.0, chains=2, burn_in=5, draws=10)
SCOPES = ("all", "input", "output")
MEASURE = LLC(SPEC, SCOPES, 48)
SEEDS = range(3)
NOISES = (0.6, 1.4)
COLUMNS = ("llc", "chain_0", "depth", "acceptance", "accuracy", "loss", "trusted", "clearly_negative")
STATISTICS = ("mean", "median", "min", "max", "std", "sum", "first", "count")
ORDERS = {"as ever": [0, 1, 2], "turned": [2, 1, 0], "other": [1, 0, 2], "fewer": [0, 1], "one": [2]}
REGIMES = ("standard", "robust", "finetuned")


class Quick:
    """A store that reads every table once."""

    def __init__(self, store):
        self._store, self._tables = store, {}

    def __getattr__(self, name):
        return getattr(self._store, name)

    def measure(self, populations, measurement, *, on=None, name=None):
        every = list(populations)
        key = repr([(each.recipe.key, each.seeds, each.labels) for each in every]) + repr(measurement)
        if key not in self._tables:
            self._tables[key] = self._store.measure(every, measurement, on=on, name=name)
        return self._tables[key].copy()


def recipes(harness, order):
    base = Recipe(ToyImages(train=48, test=12, noise=harness.setting("noise", 1.0)), MLP((6,)), epochs=1)
    every = [base, base.robust(Threat(steps=1)), base.finetuned(Threat(steps=1), epochs=1)]
    return [every[place] for place in order]


# --- steps from one table to the next, each a function of (table, setting) ---------------------------------------------


def only(column, levels, kept):
    return lambda table, noise: table[table[column].isin(levels) == kept]


def extreme(by, column, statistic, place):
    """The groups of one rank by a measured value."""

    def step(table, noise):
        ranked = getattr(table.groupby(by)[column], statistic)().sort_values(kind="stable").index
        return table[table[by] == ranked[place % len(ranked)]] if len(ranked) else table

    return step


def beyond(by, column, limit, some):
    """Groups of which any or all rows lie beyond a limit, that is a number or a quantile of all rows."""

    def step(table, noise):
        far = table[column].astype(float) > (table[column].astype(float).quantile(limit) if 0 < limit < 1 else limit)
        return table[far.groupby(table[by]).transform("any" if some else "all")]

    return step


def rows_beyond(column, limit):
    return lambda table, noise: table[table[column].astype(float) > limit]


def relative(by, column, statistic):
    def step(table, noise):
        values = table[column].astype(float)
        return table.assign(**{column: values - (values.groupby(table[by]).transform(statistic) if by else values.median())})

    return step


def ranked(by, column):
    return lambda table, noise: table.assign(rank=(table.groupby(by) if by else table)[column].rank())


def counted(by, column, limit):
    def step(table, noise):
        many = (table[column].astype(float) > limit).groupby(table[by]).transform("sum") if by else len(table)
        return table.assign(many=many)

    return step


def where_kept(first, limit, then, otherwise):
    """One step or another, as what is measured of some rows says."""

    def step(table, noise):
        return (then if first(table, noise)["llc"].mean() > limit else otherwise)(table, noise)

    return step


def where_set(limit, then, otherwise):
    return lambda table, noise: (then if noise > limit else otherwise)(table, noise)


def without(columns):
    return lambda table, noise: table.drop(columns=[name for name in columns if name in table])


def complete(by, column):
    return lambda table, noise: table[table[column].notna().groupby(table[by]).transform("all")]


groups = st.sampled_from(("regime", "scope", "seed"))
columns = st.sampled_from(COLUMNS)
limits = st.sampled_from((-20.0, -10.0, -5.0, 0.0, 0.3, 0.5, 0.67, 0.9, 1.0, 8.0, 9.0, 1e4))
statistics = st.sampled_from(STATISTICS)
selections = st.one_of(
    st.builds(only, st.just("regime"), st.sets(st.sampled_from(REGIMES), min_size=1), st.booleans()),
    st.builds(only, st.just("scope"), st.sets(st.sampled_from(SCOPES), min_size=1), st.booleans()),
)
measured = st.one_of(
    st.builds(extreme, groups, columns, statistics, st.integers(-1, 2)),
    st.builds(beyond, groups, columns, limits, st.booleans()), st.builds(rows_beyond, columns, limits),
    st.builds(relative, st.none() | groups, columns, st.sampled_from(("mean", "rank"))),
    st.builds(ranked, st.none() | groups, columns), st.builds(counted, st.none() | groups, columns, limits),
    st.builds(complete, groups, columns), st.builds(without, st.sets(st.sampled_from(("recipe", "scope", "regime")))),
)  # fmt: skip
steps = st.one_of(
    selections, measured, st.builds(where_kept, selections, limits, selections, selections | measured),
    st.builds(where_set, st.sampled_from((0.9, 1.1)), selections | measured, selections),
)  # fmt: skip
orders = st.sampled_from([*ORDERS])


@st.composite
def bodies(draw):
    chosen = [*draw(st.lists(steps, min_size=1, max_size=4)), draw(selections)]
    chosen = draw(st.permutations(chosen))
    usual, there = draw(st.just("as ever") | orders), draw(st.just("as ever") | orders)
    how, design, calls = draw(st.sampled_from(("left", "outer", "inner"))), draw(st.booleans()), draw(st.booleans())

    def body(harness):
        noise = harness.setting("noise", 1.0)
        wanted = recipes(harness, ORDERS[usual if noise == 1.0 else there])
        if design:
            wanted = Design({each.regime.name: each for each in wanted}, "training")
        if calls and not design:
            populations = [harness.store.population(each, SEEDS) for each in wanted]
        else:
            populations = harness.store.populations(wanted, SEEDS, name="mine")
        table = harness.store.measure(populations, MEASURE)
        other = harness.store.measure(populations, Accuracy())[["seed", "recipe", "accuracy", "loss"]]
        table = table.merge(other, on=["seed", "recipe"], how=how)
        for step in chosen:
            table = step(table, noise)
        return Evidence(table.reset_index(drop=True))

    return body


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_harness(tmp_path_factory.mktemp("store"), scale="reduced", heartbeat=lambda beat: None).store
    for noise in (1.0, *NOISES):
        harness = Harness("reduced", "cpu", "stacked", opened, settings={"noise": noise})
        populations = opened.populations(recipes(harness, ORDERS["as ever"]), SEEDS)
        for measurement in (MEASURE, *(LLC(SPEC, some, 48) for some in PARTS), Accuracy()):
            opened.measure(populations, measurement)
    return Quick(opened)


PARTS = (("all",), ("input",), ("output",), ("all", "input"), ("all", "output"), ("input", "output"))


def outcome(body, harness):
    try:
        return body(harness).table
    except Exception as problem:
        return type(problem)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=bodies())
def test_in_settings_it_is_judged_by_the_rows_of_the_whole(body, store):
    harness = Harness("reduced", "cpu", "stacked", store)
    usual = outcome(body, harness)
    if isinstance(usual, type):
        return
    inside = Narrowed(body, harness, Evidence(usual))
    for noise in NOISES:
        there = replace(harness, settings={"noise": noise})
        expected, found = outcome(body, there), outcome(inside, there)
        assert type(expected) is type(found)
        assert expected is found if isinstance(expected, type) else expected.equals(found)
