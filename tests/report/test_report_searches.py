"""A search of a claim's scope as a card draws it."""

from __future__ import annotations

import itertools
import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import PROVENANCE, rows

from harness.report import assemble, render
from harness.report.rows import adjust, complete, plain
from harness.report.searches import agreement, line, searched
from harness.report.setting_values import held, number_of, said
from harness.running.values import identity

ROW = {
    "effect": 1.0,
    "estimand": "mean difference",
    "interval": [0.5, 1.5],
    "centre": 0.0,
    "margin": 0.5,
    "rule": "above",
    "verdict": "supported",
}


def trial(effect, why="even", **settings):
    ends = None if effect is None else [effect - 0.5, effect + 0.5]
    return {"settings": settings, "verdict": "supported", "reason": "", "effect": effect, "interval": ends, "n": 8,
            "seconds": 0.1, "why": why}  # fmt: skip


def found(*trials, **more):
    return {"looked_for": "refuted", "trials": list(trials), "found": None, "confirmed": None, "confirmation": None,
            "reason": "", "default": {"noise": 1.0, "regime": "a"}, **more}  # fmt: skip


FOUR = (trial(2.0, noise=2.0), trial(0.5, noise=0.5), trial(1.5, regime="b"), trial(9.0, why="edge", noise=3.0))


def test_the_curve_has_the_even_effects_and_the_claims_own_in_order():
    curve = searched(found(*FOUR), ROW)["curve"]
    assert [point["own"] for point in curve["points"]] == [False, True, False, False]
    heights = [point["y"] for point in curve["points"]]
    assert heights == sorted(heights, reverse=True), "the largest effect is highest"
    assert all(point["high"] < point["y"] < point["low"] for point in curve["points"])
    assert [line["name"] for line in curve["rows"]] == ["noise", "regime"]
    assert [guide["said"] for guide in curve["guides"]] == ["0", "0.5"]


@pytest.mark.parametrize("place", range(4))
def test_the_setting_in_which_the_verdict_turns_is_ringed_even_if_it_was_not_drawn_evenly(place):
    curve = searched(found(*FOUR) | {"found": FOUR[place]["settings"]}, ROW)["curve"]
    assert curve["ringed"]
    ringed = [point for point in curve["points"] if point["ringed"]]
    assert len(ringed) == 1
    lowest_first = sorted([*(each["effect"] for each in FOUR if each["why"] == "even"), ROW["effect"],
                           *([FOUR[place]["effect"]] if FOUR[place]["why"] != "even" else [])])  # fmt: skip
    assert curve["points"].index(ringed[0]) == lowest_first.index(FOUR[place]["effect"])
    without = searched(found(*FOUR), ROW)["curve"]
    assert not without["ringed"]
    assert not any(point["ringed"] for point in without["points"])


@pytest.mark.parametrize("margin", [0.001, 0.05, 0.5, 1.0])
def test_names_of_guides_do_not_lie_over_each_other(margin):
    guides = searched(found(*FOUR), ROW | {"rule": "within", "margin": margin})["curve"]["guides"]
    named = sorted(guide["y"] for guide in guides if guide["said"])
    assert len(guides) == 3
    assert guides[0]["said"] == "0"
    assert all(below - above >= 11 for above, below in itertools.pairwise(named))


@pytest.mark.parametrize("trials", [(), FOUR[:2], (trial(None, noise=2.0),) * 5])
def test_too_few_effects_make_no_curve(trials):
    assert searched(found(*trials), ROW)["curve"] is None


def test_a_search_of_an_older_run_is_shown_without_what_it_lacks():
    old = {key: value for key, value in found(trial(2.0, noise=2.0)).items() if key != "default"}
    del old["trials"][0]["why"]
    shown = searched(old, ROW)
    assert shown["curve"] is None
    assert shown["names"] == ["noise"]
    assert shown["heading"] == "No turn of the verdict was found."


def test_shares_importance_and_the_best_condition_are_said():
    shown = searched(found(
        *FOUR, shares=[{"verdict": "supported", "count": 3, "of": 4, "interval": [0.19, 0.99]},
                       {"verdict": "refuted", "count": 0, "of": 4, "interval": [0.0, 0.6]}],
        importance=[{"name": "noise", "alone": 0.8, "total": 0.9, "interval": [0.7, 1.0]}],
        split={"name": "noise", "below": 1.25, "above": 1.5, "holds_below": True, "right": 4, "of": 4}, joint=0.01,
    ), ROW)  # fmt: skip
    assert [(share["verdict"], share["said"]) for share in shown["shares"]] == [
        ("supported", "3 of 4, 19 to 99 % of the scope")
    ]
    assert shown["importance"][0]["said"] == "90 % (70 to 100)"
    assert "it holds where noise is at most 1.25, right for 4 of 4 settings" in shown["split"]


def test_a_search_that_broke_says_so():
    assert searched(found(broke="ValueError: no"), ROW)["heading"].startswith("The search broke")


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.sampled_from(["invalid", "inconclusive"]))
def test_what_failed_a_check_does_not_squash_the_curve(effect, half, verdict):
    """Its numbers are not to be relied on; an arrow says that they go on, and the others keep the height of the drawing."""
    odd = trial(effect, noise=2.0) | {"verdict": verdict, "interval": [effect - half, effect + half]}
    curve = searched(found(*FOUR, odd), ROW)["curve"]
    alone = searched(found(*FOUR), ROW)["curve"]
    kept = [point for point in curve["points"] if point["verdict"] != verdict]
    if verdict == "invalid":
        assert [point["y"] for point in kept] == [point["y"] for point in alone["points"]]
        assert not any(point["beyond"] or point["outside"] for point in kept)
    assert all(0 <= point[end] <= 150 for point in curve["points"] for end in ("y", "low", "high"))
    out = next(point for point in curve["points"] if point["verdict"] == verdict)
    assert bool(out["beyond"]) is (", an arrow where one goes on" in curve["title"])
    assert verdict == "invalid" or not out["beyond"]


MAP = {
    "across": "noise", "up": "attack_steps", "across_values": [0.5, 1.0, 1.5], "up_values": [3, 20],
    "holds": [[0.99, 0.9, 0.2], [0.97, 0.4, 0.01]], "default": [0.5, 0.25],
    "trials": [[0.1, 0.9, "supported"], [0.9, 0.9, "refuted"]],
}  # fmt: skip


def test_a_map_has_a_field_for_each_pair_and_says_in_words_where_it_holds():
    drawn = searched(found(*FOUR, maps=[MAP]), ROW)["maps"][0]
    assert len(drawn["fields"]) == 6
    assert [field["verdict"] for field in drawn["fields"]] == ["supported"] * 2 + ["refuted", "supported"] + ["refuted"] * 2
    lowest = [field["y"] for field in drawn["fields"][:3]]
    assert min(lowest) > max(field["y"] for field in drawn["fields"][3:]), "the first line is the lowest"
    faint = {field["opacity"] for field in drawn["fields"] if field["verdict"] == "supported"}
    assert max(faint) == drawn["fields"][0]["opacity"], "what is surest is darkest"
    assert "holds in 3 of 6 fields" in drawn["told"]
    assert "3: at 0.5, 1; 20: at 0.5." in drawn["told"]
    assert drawn["default"] == {"x": drawn["left"] + drawn["side"] / 2, "y": drawn["side"] * 0.75}


def test_a_default_beside_the_scope_is_not_in_the_map():
    assert searched(found(*FOUR, maps=[{**MAP, "default": [None, 0.5]}]), ROW)["maps"][0]["default"] is None


def test_confirmed_turns_are_adjusted_over_the_whole_report():
    """Four of 0.013 each: alone each is below 0.05, and the first of four is not below 0.05 / 4."""
    rows = adjust(
        {"id": f"{name}/a", "document": name, "alpha": 0.05, "verdict": "supported",
         "search": found(confirmed=p < 0.05, p=p, found={"noise": 2.0})}
        for name, p in (("a", 0.013), ("b", 0.013), ("c", 0.02), ("d", 0.4))
    )  # fmt: skip
    assert [row["search"]["p_adjusted"] for row in rows] == pytest.approx([0.052, 0.052, 0.052, 0.4])
    assert [row["search"]["survives"] for row in rows] == [False, False, False, None]
    shown = searched(rows[0]["search"], {**ROW, "search": rows[0]["search"]})
    assert shown["heading"].endswith("does not stand among all searches of this report.")
    assert "it does not stand" in shown["holm"]


def test_a_single_search_needs_no_adjustment():
    row = adjust([{"id": "a/a", "document": "a", "alpha": 0.05, "search": found(confirmed=True, p=0.013)}])[0]
    assert row["search"]["p_adjusted"] == 0.013
    assert row["search"]["survives"] is True
    assert searched(row["search"], ROW)["heading"] == "No turn of the verdict was found."


def test_a_search_of_an_older_run_has_nothing_to_adjust():
    assert adjust([{"id": "a/a", "document": "a", "alpha": 0.05, "search": found()}])[0]["search"]["p_adjusted"] is None


def shares(count, of, interval):
    return [{"verdict": "supported", "count": count, "of": of, "interval": interval}]


@pytest.mark.parametrize(("more", "grade"), [
    ({"shares": shares(20, 20, [0.83, 1.0])}, "robust"),
    ({"shares": shares(12, 20, [0.36, 0.81])}, "reproducible"),
    ({"shares": shares(12, 20, [0.36, 0.81]), "inside": {"verdict": "supported"}}, "replicable"),
    ({"shares": shares(20, 20, [0.83, 1.0]), "inside": {"verdict": "supported"}}, "robust and replicable"),
    ({"shares": shares(20, 20, [0.83, 1.0]), "inside": {"verdict": "inconclusive"}}, "robust"),
    ({}, "reproducible"),
])  # fmt: skip
def test_a_grade_says_how_far_a_verdict_carries(more, grade):
    said = agreement({**ROW, "search": found(*FOUR, **more)})
    assert said["grade"] == grade
    assert said["share"] == (f"{more['shares'][0]['count']} of 20 settings" if "shares" in more else None)


@pytest.mark.parametrize("row", [{**ROW, "search": None}, {**ROW, "verdict": "inconclusive", "search": found(*FOUR)}])
def test_what_was_not_searched_or_not_decided_has_no_grade(row):
    assert agreement(row) is None


def test_a_line_says_where_a_claim_holds():
    said = line({**ROW, "id": "a/b", "search": found(
        *FOUR * 7, shares=shares(15, 20, [0.51, 0.91]), found={"noise": 2.0}, confirmed=True, survives=True,
        edges=[{"name": "noise", "threshold": 1.28, "outside": 1.3}, {"name": "regime", "threshold": None, "outside": "b"}],
    )})  # fmt: skip
    assert said == (
        "- `a/b`: supported at its defaults; of 20 even settings 15 supported; turns at noise 1.28; turns where regime is b; "
        "refuted with noise 2 (on fresh seeds, too). Grade: robust."
    )
    assert line({**ROW, "id": "a/b", "search": None}) is None
    assert "its search broke: ValueError: no" in line({**ROW, "id": "a/b", "search": found(broke="ValueError: no")})


def test_what_need_not_be_even_is_nowhere_called_even_nor_a_share_of_the_scope():
    """By the sentence, the table and the card; of a scope that was tried completely the shares are what they are."""
    made = found(*FOUR * 7, shares=shares(15, 20, [0.51, 0.91]), pools=["noise"])
    assert "; of 20 settings, which need not be even, 15 supported" in line({**ROW, "id": "a/b", "search": made})
    assert searched(made, ROW)["shares"][0]["said"] == "15 of 20, need not be even"
    exact = found(*FOUR * 7, shares=shares(15, 20, [0.75, 0.75]), pools=["noise"])
    assert "; of all 20 settings of its scope 15 supported" in line({**ROW, "id": "a/b", "search": exact})
    assert searched(exact, ROW)["shares"][0]["said"] == "15 of 20, the whole scope"


def test_draws_from_a_scope_of_few_settings_are_not_called_settings():
    few = [{"settings": {"rate": rate}, "verdict": "refuted", "reason": "So.", "why": "even"} for rate in (0.1, 0.2)]
    drawn = [{"verdict": "refuted", "count": 12, "of": 12, "interval": [0.74, 1.0]}]
    row = {**ROW, "id": "a/b", "verdict": "refuted"}
    assert "; of 12 even draws of 3 settings 12 refuted." in line({**row, "search": found(*few, shares=drawn)})
    many = [{**few[0], "settings": {"rate": n / 10}} for n in range(11)]  # and the defaults
    assert "; of 12 even settings 12 refuted." in line({**row, "search": found(*many, shares=drawn)})


def test_why_settings_could_not_be_judged_is_said_once():
    failed = [
        {"settings": {"noise": float(at)}, "verdict": "invalid", "reason": f"Gate {at % 2} failed.", "why": "even"}
        for at in range(6)
    ]
    row = {"effect": None, "interval": None, "verdict": "supported", "centre": None, "margin": None, "rule": "above"}
    shown = searched({"looked_for": "refuted", "trials": failed, "reason": "So."}, row)
    assert [trial["reason"] for trial in shown["trials"]] == ["Gate 0 failed.", "Gate 1 failed.", None, None, None, None]
    assert [each["reason"] for each in failed] == [f"Gate {at % 2} failed." for at in range(6)], "the row's own trials stay"
    shown = searched({"trials": failed, "reason": "So."}, {**row, "verdict": "invalid", "reason": "Gate 1 failed."})
    assert [trial["reason"] for trial in shown["trials"]] == ["Gate 0 failed.", *[None] * 5], "the card says the other above"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-999, 999) | st.floats(allow_nan=False) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xy", max_size=2), inner, max_size=2), max_leaves=5,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["hidden", "noise"]), VALUES, min_size=1), VALUES)
def test_where_a_claim_holds_is_a_line_whatever_values_its_settings_have(settings, outside):
    """Widths of layers are a list, digits a pair, a schedule a mapping."""
    edges = [{"name": "hidden", "inside": outside, "outside": outside, "threshold": None}]
    said = line(
        complete({"id": "a/b", "verdict": "supported"}) | {"search": found(*FOUR) | {"found": settings, "edges": edges}}
    )
    assert said.startswith("- `a/b`: ")
    assert "\n" not in said


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-99, 99), st.sampled_from([math.inf, -math.inf, math.nan, 0.25, -1.5, 1e7, 1e-9]),
    st.sampled_from(["1", "-1", "−1", "1.5", "1e7", "True", "yes", "no", "None", "nan", "inf", "−inf", "", " ", "a", " a"]),
    st.sampled_from(["(1, 2)", "default", "—", "“a”", "1,000"]),
)  # fmt: skip
ODDER = st.one_of(ODD, st.tuples(ODD, ODD), st.lists(ODD, max_size=2).map(tuple))


def written(search):
    """As a row holds it and a file gives it back."""
    return json.loads(json.dumps(plain(held(search)), allow_nan=False))


@given(st.lists(ODDER, min_size=1, max_size=12))
def test_different_values_never_look_alike_on_a_card(values):
    """Text from numbers, True, None, infinity and NaN, all the way through the report's file."""
    different = {identity(value): value for value in values}
    shown = searched(written(found(*(trial(1.0, it=value) for value in different.values()))), ROW)
    assert len({each["said"]["it"] for each in shown["trials"]}) == len(different)


@given(ODDER)
def test_a_value_reads_the_same_wherever_a_search_names_it(value):
    search = found(
        *(trial(float(at), it=value) for at in range(3)), confirmation=trial(1.0, it=value), inside=trial(1.0, it=value),
        split={"name": "it", "below": value, "above": [value], "holds_below": True, "right": 3, "of": 3},
        edges=[dict.fromkeys(("inside", "outside", "threshold", "supported", "refuted"), value) | {"name": "it"}],
        maps=[{**MAP, "across_values": [value, 1, 2], "up_values": [value, 0]}],
    ) | {"found": {"it": value}, "default": {"it": value}}  # fmt: skip
    back, words = written(search), said(written({"default": {"it": value}})["default"]["it"])
    shown = searched(back, ROW)
    assert [each["said"]["it"] for each in shown["trials"]] == [words] * 5
    assert [each["found"] for each in shown["trials"]] == [True] * 3 + [False] * 2
    assert shown["default"] == {"it": words}
    assert f"where it is {words}," in shown["split"]
    assert f"{words}: " in shown["maps"][0]["told"]
    assert f"refuted with it {words} (" in line({**ROW, "id": "a/b", "search": back})
    assert all(0 <= place["y"] <= 200 for line in shown["curve"]["rows"] for place in line["places"])


def test_settings_that_python_calls_equal_are_not_both_the_simplest():
    shown = searched(written(found(trial(1.0, it=True), trial(1.0, it=1)) | {"found": {"it": 1}}), ROW)
    assert [each["found"] for each in shown["trials"]] == [False, True]


def test_numbers_of_a_search_that_are_not_finite_stay_unknown():
    back = written(found(trial(math.inf, it=1.0)) | {"p": math.nan})
    assert back["trials"][0]["effect"] is None
    assert back["p"] is None


@given(st.lists(st.floats(allow_nan=True), min_size=2, max_size=8))
def test_numbers_stand_in_the_curve_in_their_order(numbers):
    trials = [trial(float(at), it=number) for at, number in enumerate(numbers)]
    back = written(found(*trials, trial(9.0, it=0.0)) | {"default": {"it": 0.0}})
    curve = searched(back, ROW | {"effect": None})["curve"]
    heights = [place["y"] for place in curve["rows"][0]["places"]]
    given_numbers = [number_of(each["settings"]["it"]) for each in back["trials"]]
    for one, above in itertools.product(zip(given_numbers, heights, strict=True), repeat=2):
        if one[0] < above[0]:
            assert one[1] >= above[1], "a larger number is not lower"


def test_the_table_begins_with_the_defaults():
    """Else a reader cannot know what a setting is that a line does not name."""
    search = found(trial(1.0, noise=2.0), trial(0.2, regime="b"), confirmation=trial(0.3, regime="b"))
    page, old = (
        render(assemble([{**rows()[0], "search": each}], scale="full", device="cpu", provenance=PROVENANCE))
        for each in (search, search | {"default": {}})
    )
    table = re.search(r'<table class="trials">.*?</table>', page, re.DOTALL)[0]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", line, re.DOTALL) for line in table.partition("<tbody>")[2].split("</tr>")]
    quiet = '<span class="quiet">default</span>'
    assert [line[:2] for line in cells if line] == [["1", "a"], ["2", quiet], [quiet, "b"], [quiet, "b"]]
    assert re.findall(r"<th [^>]*>(.*?)</th>", table)[:2] == ["noise", "regime"]
    assert "(defaults)" in table
    assert "(defaults)" not in old
