"""What of a source counts, and that it is the same on every version of Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.code import canonical, does

CODE = '''"""What it does."""
RATE = 0.1


class Thing:
    """A thing."""

    def value(self):
        """Its value."""
        # the reason
        return RATE * 2


async def nothing():
    """It does nothing."""
'''


@pytest.mark.parametrize(
    "edited",
    [
        CODE.replace("What it does.", "What it does, and why.\n\nAt length."),
        CODE.replace('"""Its value."""', '"""Another sentence."""'),
        CODE.replace('        """Its value."""\n', ""),
        CODE.replace("# the reason", "# no reason"),
        CODE.replace("RATE = 0.1\n", "RATE = (\n    0.1\n)  # so\n"),
        CODE.replace("0.1", "0.10"),
    ],
    ids=["module docstring", "docstring", "no docstring", "comment", "layout", "spelling"],
)
def test_words_do_not_count(edited: str) -> None:
    assert edited != CODE
    assert does(edited) == does(CODE)


@pytest.mark.parametrize(
    "edited",
    [
        CODE.replace("0.1", "0.2"),
        CODE.replace("0.1", "'0.1'"),
        CODE.replace("RATE * 2", "RATE + 2"),
        CODE.replace("RATE * 2", "RATE * 2.0"),
        CODE.replace("RATE * 2", "RATE * True"),
        CODE.replace("RATE * 2", "RATE * -2"),
        CODE.replace("Thing", "Other"),
        CODE.replace("return RATE", 'print("")\n        return RATE'),
        CODE.replace('"""Its value."""', 'f"""Its {RATE}."""'),
        CODE.replace("return RATE * 2", "return"),
        CODE.replace("return RATE * 2", "return None"),
        CODE.replace("value(self)", "value(self, *, more=None)"),
        CODE.replace("value(self)", "value(self, more=None)"),
        CODE.replace("async def", "def"),
        CODE.replace("class Thing:", "@staticmethod\nclass Thing:"),
        CODE.replace("RATE = 0.1", "RATE: float = 0.1"),
    ],
)
def test_an_edit_that_can_change_a_number_counts(edited: str) -> None:
    assert edited != CODE
    assert does(edited) != does(CODE)


def test_all_edits_are_told_apart() -> None:
    bodies = ["f(x)", "f(*x)", "f(**x)", "f[x]", "f[x:]", "f[:x]", "f[::x]", "{x}", "{x: x}", "{**x}", "[x]", "(x,)", "x",
              "not x", "x or f", "x and f", "f'{x}'", "f'{x!r}'", "f'{x:3}'", "f'{x:{f}}'", "lambda x: x", "lambda *x: x",
              "lambda x=f: x", "[x for x in f]", "[x for x in f if x]", "{x for x in f}", "(x for x in f)", "x if f else x",
              "x < f", "x <= f",
              "x < f < x", "await_(x)", "None", "...", "0", "0.0", "-0.0", "0j", "''", "b''", "True", "1"]  # fmt: skip
    assert len({does(body) for body in bodies}) == len(bodies)


VERSIONS = [version for version in ("3.11", "3.12", "3.13", "3.14") if f"3.{sys.version_info.minor}" != version]
SPELLED = """x = f"a{x}" "b" 'c' f'{x!r:>{w}}' f"{x=}" f"{x:}" f'{{}}'
s = "\\u0378\\N{BULLET}é" u"ü" r"\\d"
t = b"\\xff"
def f(a, /, b: int = 1, *c, d=..., **e) -> None:
    with (open(a) as g, open(b) as h): pass
    match a:
        case {"k": [1, *rest], **more} if rest: return -1
        case None | True: return 1_000, 0x10, 1e300, 1j
    try: pass
    except* ValueError as problem: raise
    return (yield), (n := 10), lambda *a, **k: (a, k)
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_of_python_says_the_same(version: str, tmp_path: Path) -> None:
    """On whatever other versions this machine has; which one reads a tree must not train everything again."""
    other = shutil.which(f"python{version}")
    if other is None or subprocess.run([other, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no Python {version} here")
    source = tmp_path / "spelled.py"
    source.write_text(SPELLED, encoding="utf-8")
    tree = Path(canonical.__file__).parents[1]
    code = (
        "import runpy, sys, pathlib; m = runpy.run_path(sys.argv[1]);"
        "print(m['does'](pathlib.Path(sys.argv[2]).read_bytes()), m['folder_digest'](pathlib.Path(sys.argv[3])))"
    )
    asked = [other, "-c", code, canonical.__file__, str(source), str(tree)]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [does(SPELLED), canonical.folder_digest(tree)]


def test_the_digest_of_a_text_is_fixed() -> None:
    """What other versions of Python have to say, too, where this one is alone: worked out once, on 3.11 to 3.13."""
    assert does(SPELLED) == "6b7ff88a8db3c202"
