"""``import harness``: every name is there, none costs anything before it is used, and modules keep their names."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.registry import kinds

ROOT = Path(__file__).parents[1]
CALLED = ("claim", "judge", "study")  # modules that are called as the function of their own name


def typed_names():
    """The names that a type checker sees, with the modules that they come from."""
    tree = ast.parse(Path(harness.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING")
    return {alias.name: node.module for node in block.body for alias in node.names}


def test_type_checkers_readers_and_python_see_the_same_names():
    assert typed_names() | dict.fromkeys(kinds(), "harness.predict") == harness._WHERE
    assert sum(map(len, harness._HOME.values())) == len(harness._WHERE)
    assert sorted(harness._WHERE) == sorted(harness.__all__)
    assert set(harness.__all__) <= set(dir(harness))


def test_every_kind_of_prediction_is_there():
    import harness.predict

    made = {name for name in harness.predict.__all__ if inspect.isclass(getattr(harness.predict, name))}
    assert made - {"Estimate", "Prediction", "Rule", "Stratum", "Unusable"} == set(kinds()) <= set(harness.__all__)


@pytest.mark.parametrize("name", sorted(harness.__all__))
def test_each_name_is_what_its_module_has(name):
    own = getattr(importlib.import_module(harness._WHERE[name]), name)
    given = getattr(harness, name)
    assert given is own or given.__wrapped__ is own
    assert inspect.getdoc(own)


@pytest.mark.parametrize("name", CALLED)
def test_a_module_that_has_the_name_of_its_function_is_both(name):
    module = importlib.import_module(f"harness.{name}")
    assert inspect.ismodule(module)
    assert getattr(harness, name) is module
    assert inspect.signature(module) == inspect.signature(getattr(module, name))


def test_a_claim_is_declared_and_judged_through_the_front_door():
    import pandas as pd

    from harness import Evidence, PairedDifference, Source, claim, judge

    terms = PairedDifference("asr", "regime", "standard", "robust", "seed", margin=0.05, margin_reason="one in twenty")

    @claim("mine/hardens", statement="It hardens.", source=Source("mine", "Mine").at("1", "it hardens"), prediction=terms)
    def test_hardens():
        return Evidence(pd.DataFrame())

    table = pd.DataFrame({"regime": ["standard", "robust"] * 6, "seed": [n // 2 for n in range(12)],
                          "asr": [0.22, 0.04, 0.21, 0.06, 0.16, 0.05, 0.20, 0.03, 0.17, 0.07, 0.20, 0.02]})  # fmt: skip
    assert judge(test_hardens.__claim__, table).outcome == "supported"


def test_nothing_is_imported_before_it_is_used():
    asked = (
        "import sys, harness; dir(harness); harness.claim; harness.Recipe; "
        "print([name for name in ('torch', 'numpy', 'pandas', 'scipy', 'pytest') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_what_is_not_there_is_said():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        harness.nothing  # noqa: B018


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md", "docs/writing-claims.md"])
def test_files_to_copy_and_pages_to_read_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert named
    assert not [link for link in named if not (ROOT / page).parent.joinpath(link).exists()]


@pytest.mark.parametrize("page", ["README.md", "docs/data.md", "docs/writing-claims.md"])
def test_the_pages_for_users_need_no_other_door(page):
    """Blocks that define a measurement of one's own may need more."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)
    imported = set(re.findall(r"^ *from (harness[\w.]*) import", "\n".join(blocks), flags=re.MULTILINE))
    assert imported <= {"harness"}, imported
    assert imported
