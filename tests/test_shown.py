"""Every object shows itself in a line, and in a notebook as well-formed, escaped HTML without script."""

from __future__ import annotations

import inspect
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import harness
from harness.data.base import Dataset
from harness.judge.power import plan_for
from harness.measure.llc.profile import LLCProfile
from harness.measure.llc.table import LLCTable
from harness.showing import LONGEST, Shown, card, line
from harness.stats import Share

NASTY = "<b>&\"' </table><script>alert(1)</script>\nof two lines"
VOID = {"br", "hr", "img"}


class Checked(HTMLParser):
    """Tags open and close in order; text is kept."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def checked(html: str) -> Checked:
    found = Checked()
    found.feed(html)
    found.close()
    assert found.open == []
    assert set(found.tags) <= {"div", "strong", "table", "thead", "tbody", "tr", "th", "td", "p"}
    assert {name for name, _ in found.attributes} <= {"class", "style", "scope"}
    styles = " ".join(str(value) for name, value in found.attributes if name == "style")
    assert not any(colour in styles for colour in ("#", "rgb", "black", "white", "url")) or "white-space" in styles
    assert not any(colour in styles.replace("white-space", "") for colour in ("#", "rgb", "black", "white", "url"))
    return found


def objects(name: str, folder: Path) -> dict[str, Any]:
    """One of each kind of object, with a name in it that is not a nice one."""
    recipe = harness.Recipe(harness.ToyImages(train=24, test=6), harness.MLP((8, 8)), epochs=1, checkpoints=(0,))
    named = replace(recipe, architecture=harness.Module("builtins:print", name))
    store = harness.Store(folder)
    table = pd.DataFrame({"seed": range(12), "y": np.linspace(1, 2, 12), name: 1.0})
    terms = harness.Proportion("y", "seed", 0.5, at_least=0.5, margin=0.1, margin_reason=name, names={"y": name})
    gate = harness.Gate(name, "y", at_least=0.0, reason=name)
    source = harness.Source("a", name).at(name, name)
    claim = harness.Claim("a/b", name, source, terms, gates=(gate,))
    both = harness.Conjunction(parts=(terms, replace(terms, exceeds=0.2)))
    figure = harness.Figure("scatter", table, "seed", "y", name, name, name)
    verdict = harness.judge(claim, table)
    rows = pd.DataFrame({"model": range(30), "localization": 1.0, "llc": np.linspace(1, 2, 30), "llc_se": 0.1, "trusted": True,
                         "distrust": name, "group": name})  # fmt: skip
    arrays = (np.zeros((5, 2), np.float32), np.arange(5) % 2)
    return {
        "Recipe": recipe, "robust": recipe.robust(harness.Threat()), "finetuned": recipe.finetuned(harness.Threat(), epochs=1),
        "named recipe": named, "Store": store, "Population": store.population(recipe, (0, 1, 2, 7)),
        "by hand": harness.Population(recipe, tuple(range(200)), {1: torch.zeros(200, 3)}),
        "Dataset": Dataset.of(name, arrays, arrays, classes=2, bounds=(0.0, 1.0), provenance=name),
        "real": Dataset.of(name, (arrays[0], np.zeros((5, 1))), (arrays[0], np.zeros((5, 1))), classes=1, bounds=None,
                           provenance=name),
        "Gate": gate, "Claim": claim, "Evidence": harness.Evidence(table, figure, shortfall=name),
        "protocols": harness.Evidence({name: table, "other": table}, settings={name: 1}),
        "Figure": figure, "Images": harness.Images(table, "y", "seed", "y", name), "Verdict": verdict,
        "joint": harness.judge(both, table), "invalid": harness.judge(terms, table[:2]),
        "many": harness.judge(harness.Conjunction(parts=tuple(replace(terms, exceeds=i / 100) for i in range(12))), table),
        "Estimate": verdict.estimate, "Plan": plan_for(terms, Share(12, 12), 12, name),
        "LLCTable": LLCTable(rows), "no estimate": LLCTable(rows.assign(llc=np.nan)), "empty": LLCTable(rows[:0]),
        "LLCProfile": LLCProfile(rows), "part of one": LLCProfile(rows)[lambda own: own["model"] < 3],
    }  # fmt: skip


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return objects(NASTY, tmp_path_factory.mktemp("kept"))


def test_every_object_is_short_and_its_card_is_sound(nasty: dict[str, Any]) -> None:
    for kind, value in nasty.items():
        said = repr(value)
        assert 10 < len(said) < 300, (kind, said)
        assert "\n" not in said, kind
        assert "array(" not in said, kind
        assert "tensor(" not in said, kind
        found = checked(value._repr_html_())
        assert "script" not in found.tags
        assert len(value._repr_html_()) < 40_000, kind


def test_predictions_keep_their_sentence_and_have_a_card(nasty: dict[str, Any]) -> None:
    for kind in ("Claim", "joint"):
        prediction = nasty[kind].prediction
        assert repr(prediction) == str(prediction)
        assert prediction.sentence()[:20] in checked(prediction._repr_html_()).text


def test_names_reach_the_reader_as_they_are(nasty: dict[str, Any]) -> None:
    for kind in ("Gate", "Dataset", "named recipe", "LLCTable", "LLCProfile", "Claim"):
        assert "<b>&\"'" in checked(nasty[kind]._repr_html_()).text, kind


def test_what_a_reader_asks_for_is_said(nasty: dict[str, Any]) -> None:
    assert "seeds 0, 1, 2, 7" in repr(nasty["Population"])
    assert "epochs kept 0, 1" in repr(nasty["Population"])
    assert f"parameters {nasty['Population'].program.layout.total}" in repr(nasty["Population"])
    assert "seeds 0 to 199" in repr(nasty["by hand"])
    assert "members 4" in repr(nasty["Store"])
    assert "5 × 2" in repr(nasty["Dataset"])
    assert "0 to 1" in repr(nasty["Dataset"])
    assert repr(nasty["Verdict"]).startswith("Verdict SUPPORTED")
    assert repr(nasty["invalid"]).startswith("Verdict INVALID")
    assert "trusted 30 of 30" in repr(nasty["LLCTable"])
    assert "and 10 more rows" in nasty["LLCTable"]._repr_html_()


def test_a_population_is_not_read_to_be_shown(tmp_path: Path) -> None:
    recipe = harness.Recipe(harness.ToyImages(train=24), harness.MLP((4,)), epochs=0)
    population = harness.Store(tmp_path).population(recipe, range(3))
    assert "members 3" in repr(population) + population._repr_html_()
    assert population.parameters._found is None  # type: ignore[attr-defined]


def test_tables_print_and_are_cut_as_ever(nasty: dict[str, Any]) -> None:
    for kind in ("LLCTable", "LLCProfile"):
        assert str(nasty[kind]) == str(pd.DataFrame(nasty[kind]))
        cut = nasty[kind][["model", "distrust"]]
        assert repr(cut) == repr(pd.DataFrame(cut))
        assert cut._repr_html_() == pd.DataFrame(cut)._repr_html_()


@given(st.text(), st.dictionaries(st.text(max_size=20), st.one_of(
    st.none(), st.text(), st.integers(), st.floats(), st.lists(st.integers()).map(tuple), st.lists(st.text()).map(tuple),
)), st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=30))  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_any_facts_make_a_short_line_and_sound_html(heading: str, facts: dict[str, Any], rows: list[list[str]]) -> None:
    said = line(heading, facts)
    assert len(said) <= LONGEST
    assert len(said.splitlines()) <= 1
    checked(card(heading, facts, ("one", "two"), rows))


def test_no_exported_class_shows_arrays_by_itself(nasty: dict[str, Any]) -> None:
    """A dataclass with tables, arrays or many fields is one that says for itself how it is shown."""
    for name in harness.__all__:
        kind = getattr(harness, name)
        if not inspect.isclass(kind) or not is_dataclass(kind):
            continue
        held = " ".join(str(each.type) for each in fields(kind))
        if any(word in held for word in ("DataFrame", "NDArray", "Tensor", "Estimate")):
            assert issubclass(kind, Shown), name


def test_digests_do_not_hear_of_it(nasty: dict[str, Any]) -> None:
    claim, twin = nasty["Claim"], objects(NASTY, nasty["Store"].folder)["Claim"]
    assert claim.digest() == twin.digest()
    assert replace(claim, statement="Other.").digest() != claim.digest()
