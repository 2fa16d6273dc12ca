"""Each example runs as a stranger runs it: from the built wheel, in an environment of its own, in a copy of its folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/pyproject.toml"))


@pytest.fixture(scope="session")
def python(tmp_path_factory):
    """Python of an environment that has the wheel, and otherwise the packages of this one."""
    there = tmp_path_factory.mktemp("wheel")
    source = there / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "harness", source / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", there, source], check=True)
    (wheel,) = there.glob("*.whl")
    venv.create(there / "env", with_pip=False)
    made = there / "env" / "bin" / "python"
    subprocess.run([*pip, "--python", made, "install", "--no-deps", wheel], check=True)
    (own,) = (there / "env").glob("lib/*/site-packages")
    (own / "others.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")  # after its own, so that the wheel comes first
    return made


def clean() -> dict[str, str]:
    """The surroundings without what would lead back to the source."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "HARNESS_STORE")}


def run(python: Path, example: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    shutil.copytree(example, folder, ignore=shutil.ignore_patterns("__pycache__", "reports", ".harness"), dirs_exist_ok=True)
    return subprocess.run(
        [python, "-m", "pytest", "claims", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder, env=clean(), capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs_from_the_wheel(example, python, tmp_path):
    done = run(python, example, tmp_path, "--claims-scale", "smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 inconclusive" in done.stdout
    assert (tmp_path / "reports" / "claims.html").exists()


def test_the_wheel_is_what_runs(python, tmp_path):
    said = subprocess.run(
        [python, "-c", "import harness; print(harness.__file__)"],
        cwd=tmp_path, env=clean(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(said.stdout.strip()).is_relative_to(python.parents[1])


def test_results_in_a_file_are_judged_without_torch(python, tmp_path):
    (tmp_path / "conftest.py").write_text("def pytest_unconfigure():\n    import sys\n    print('torch' in sys.modules)\n")
    done = run(python, ROOT / "examples" / "tables", tmp_path, "-s")
    assert "SUPPORTED" in done.stdout, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("False")


def test_the_list_has_every_example():
    listed = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert all(f"]({example.name}/)" in listed for example in EXAMPLES)
    assert len(EXAMPLES) >= 4
