"""What a claim reads of where it stands counts as its code, and a design is that of the fixtures which pytest takes."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from papers import Project

from harness.code import ReachedCode
from harness.code.requested import Requested, requested
from harness.running.asking import UNKNOWN, Designer, Standing

MARKS = """
def pytest_configure(config):
    for each in ("size", "other"):
        config.addinivalue_line("markers", each)
"""
READING = """
pytestmark = pytest.mark.size(2 + 0)

SIZE = 4
APART = 9

class Common:
    LIMIT = 16
"""
IN_A_FIXTURE = """
class Test{number}(Common):
    @pytest.fixture
    def read_{number}(self, request):
        return {value}

    @declare("fixture-{number}")
    def test_fixture_{number}(self, read_{number}):
        return evidence(1.0, settings={{"read": read_{number}}})
"""
IN_THE_BODY = """
class Test{number}(Common):
    @declare("body-{number}")
    def test_body_{number}(self, request):
        return evidence(1.0, settings={{"read": {value}}})
"""
WAYS = {
    "SIZE = 4": (
        "request.module.SIZE", "getattr(request.module, 'SIZE')", "getattr(request.module, 'SIZE', 3)",
        "getattr(request, 'module').SIZE", "request.node.module.SIZE", "request.node.getparent(pytest.Module).obj.SIZE",
    ),
    "LIMIT = 16": ("request.cls.LIMIT", "request.instance.LIMIT", "request.node.cls.LIMIT"),
    "size(2 + 0)": (
        "request.node.get_closest_marker('size').args[0]", "request.node.get_closest_marker(name='size').args[0]",
        "next(request.node.iter_markers()).args[0]", "next(request.node.iter_markers(name='si' + 'ze')).args[0]",
        "request.node.getparent(pytest.Module).own_markers[0].args[0]",
    ),
}  # fmt: skip
COMPUTED = {
    "SIZE = 4": (
        "getattr(request.module, 'SI' + 'ZE')", "vars(request.module)['SIZE']", "getattr(request, 'mod' + 'ule').SIZE",
    ),
    "LIMIT = 16": ("getattr(request, 'c' + 'ls').LIMIT",),
}  # fmt: skip


def rows_of(project: Project, source: str) -> dict[str, dict]:
    project.claims(source)
    project.run("claims", "--claims-store", str(project.path / "kept"))
    rows = project.rows()
    assert {row["verdict"] for row in rows.values()} == {"supported"}, [row["reason"] for row in rows.values()]
    return rows


@pytest.mark.parametrize("template", [IN_A_FIXTURE, IN_THE_BODY], ids=["in a fixture", "in the body"])
@pytest.mark.parametrize("ways", [WAYS, COMPUTED], ids=["by name", "by a name that is computed"])
def test_what_a_claim_reads_of_where_it_stands_counts(project: Project, monkeypatch, template: str, ways: dict) -> None:
    """Exactly that where it is read by name; all that it may be where the name is computed.  A class counts whole, as ever."""
    monkeypatch.chdir(project.path)
    project.file("conftest.py", MARKS)
    values = {
        f"{number}": (old, value) for number, (old, value) in enumerate((old, each) for old in ways for each in ways[old])
    }
    source = READING + "".join(template.format(number=number, value=value) for number, (_, value) in values.items())
    before = rows_of(project, source)
    for edited in ("SIZE = 4", "LIMIT = 16", "size(2 + 0)", "APART = 9"):
        after = rows_of(project, source.replace(edited, edited.replace("0", "1") if "+" in edited else f"{edited} + 1"))
        for name, row in before.items():
            own, value = values[name.split("-")[1]]
            assert after[name]["settings"]["read"] - row["settings"]["read"] == (own == edited), value
            if own == edited or (ways is WAYS and edited != "LIMIT = 16"):
                assert (after[name]["design"]["code"] != row["design"]["code"]) == (own == edited), (edited, value)


def reads_one(request):
    return request.node.get_closest_marker("size").args


def reads_any(request, name):
    return request.node.get_closest_marker(name)


def reads_none(request):
    return request.param


MARKERS = st.lists(st.tuples(st.sampled_from(["size", "other"]), st.integers(0, 2), st.none() | st.floats(0, 1)), max_size=3)


@settings(deadline=None, max_examples=40)
@given(markers=MARKERS, others=MARKERS)
def test_values_of_markers_count_wherever_they_come_from(markers, others) -> None:
    """Of a function, a class, a module or a hook: pytest has them all, and the code of a hook shows no value."""
    designer = Designer("smoke", ReachedCode())

    def code(body, some) -> str:
        standing = Standing(markers=[(name, (value,), {} if rest is None else {"rest": rest}) for name, value, rest in some])
        found = designer.design_of(body, standing).code
        assert found != UNKNOWN
        return found

    def named(some) -> list:
        return [each for each in some if each[0] == "size"]

    assert (code(reads_one, markers) == code(reads_one, others)) == (named(markers) == named(others))
    assert (code(reads_any, markers) == code(reads_any, others)) == (markers == others)
    assert code(reads_none, markers) == code(reads_none, others)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("request.getfixturevalue('net')", Requested(fixtures=frozenset({"net"}))),
        ("request.getfixturevalue(argname='net')", Requested(fixtures=frozenset({"net"}))),
        ("request.getfixturevalue(name)", Requested(fixtures=frozenset({None}))),
        ("get = request.getfixturevalue", Requested(fixtures=frozenset({None}))),
        ("getattr(request, 'getfixturevalue')('net')", Requested(fixtures=frozenset({"net"}))),
        ("request.node.own_markers", Requested(markers=frozenset({None}))),
        ("request.node.keywords['size']", Requested(markers=frozenset({None}))),
        ("f(request.module)", Requested(module=frozenset({None}))),
        ("request.param, request.config, request.addfinalizer(f)", Requested()),
        ("getattr(settings, name)", Requested()),
    ],
)
def test_what_is_asked_of_pytest_is_read_off_the_source(text: str, expected: Requested) -> None:
    assert requested(ast.walk(ast.parse(text))) == expected


STUDIES = """
from harness.data import ToyImages
from harness.recipe import MLP, Recipe

BASE = Recipe(ToyImages(train=24), MLP((2,)), epochs=0)
ENDED = []

@study
def members(harness, count=2):
    return harness.store.population(BASE, range(count))

@study
def more(harness):
    return harness.store.population(BASE, range(5))
"""
YIELDING = {
    "yields": """
@pytest.fixture
def networks(harness):
    yield members(harness)
""",
    "yields and cleans up": """
@pytest.fixture
def networks(harness):
    try:
        yield members(harness)
    finally:
        ENDED.append(1)
""",
    "returns what another one yields": """
@pytest.fixture
def below(harness):
    with contextlib.nullcontext(members(harness)) as found:
        yield found
    ENDED.append(1)

@pytest.fixture
def networks(below):
    return below
""",
    "named by its decorator": """
@pytest.fixture(name="networks")
def another_name(harness):
    yield members(harness)
""",
    "overrides one of a base class": """
class Base:
    @pytest.fixture
    def networks(self, harness):
        return more(harness)
""",
    "overrides that of the module": """
@pytest.fixture
def networks(harness):
    return more(harness)
""",
    "hands on what it overrides": """
@pytest.fixture
def networks(harness):
    yield members(harness)
""",
}
CLAIM = """
@declare("one")
def test_one(networks):
    return evidence(1.0, settings={"members": len(networks), "ended": len(ENDED)})
"""
IN_CLASS = """
class TestIt{base}:
    @pytest.fixture
    def networks(self, {needs}):
        return {value}

    @declare("one")
    def test_one(self, networks):
        return evidence(1.0, settings={{"members": len(networks)}})
"""
CLAIMS = {
    "overrides one of a base class": IN_CLASS.format(base="(Base)", needs="harness", value="members(harness)"),
    "overrides that of the module": IN_CLASS.format(base="", needs="harness", value="members(harness)"),
    "hands on what it overrides": IN_CLASS.format(base="", needs="networks", value="networks"),
}


@pytest.mark.parametrize("way", YIELDING)
def test_a_design_has_what_a_fixture_yields_or_overrides(project: Project, monkeypatch, way: str) -> None:
    monkeypatch.chdir(project.path)
    row = rows_of(project, "import contextlib\n" + STUDIES + YIELDING[way] + CLAIMS.get(way, CLAIM))["one"]
    assert row["settings"]["members"] == 2
    assert [group["seeds"] for group in row["design"]["populations"]] == [[0, 1]]
    if "ENDED" in YIELDING[way]:
        assert row["settings"]["ended"] == 1, "what comes after a yield comes after the drawing"


CONFTEST = """
import pytest

@pytest.fixture
def count():
    return {count}

@pytest.fixture
def networks(harness, count):
    from test_paper import members
    return members(harness, count)
"""
NEARER = """
@pytest.fixture
def count(count):
    yield count + 1
"""


@pytest.mark.parametrize("near", [None, 3])
@pytest.mark.parametrize("overridden", [False, True])
def test_the_nearest_conftest_is_taken_and_what_it_asks_for_may_be_overridden(
    project: Project, monkeypatch, near: int | None, overridden: bool
) -> None:
    monkeypatch.chdir(project.path)
    project.claims(STUDIES, NEARER if overridden else "", CLAIM)
    project.file("conftest.py", CONFTEST.format(count=2))
    if near is not None:
        project.file("claims/conftest.py", CONFTEST.format(count=near))
    project.run_apart("claims", "--claims-store", str(project.path / "kept"))
    row = project.rows()["one"]
    assert row["verdict"] == "supported", row["reason"]
    assert row["settings"]["members"] == (near or 2) + overridden
    assert [group["seeds"] for group in row["design"]["populations"]] == [list(range(row["settings"]["members"]))]
