"""A search of a claim's scope as a card draws it."""

from __future__ import annotations

import pytest

from harness.report.searches import searched

ROW = {"effect": 1.0, "interval": [0.5, 1.5], "centre": 0.0, "margin": 0.5, "rule": "above", "verdict": "supported"}


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
