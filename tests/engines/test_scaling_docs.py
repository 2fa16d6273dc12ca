"""Every command and option of docs/scaling.md is there, and means something."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from harness import cli
from harness.engines import engine_of, read_options
from harness.engines.chosen import OPTIONS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]


def given(kind: str) -> list[list[str]]:
    return [shlex.split(command)[len(kind.split()) :] for command in COMMANDS if command.startswith(kind)]


@pytest.mark.parametrize("arguments", given("python -m harness"), ids=" ".join)
def test_commands_of_the_harness_are_understood(arguments):
    chosen = cli._parser().parse_args(arguments)
    assert callable(chosen.command)
    if arguments[0] == "train":
        pytest.importorskip({"ray": "ray", "slurm": "submitit"}.get(chosen.engine, "harness"))
        engine_of(chosen.engine, read_options(chosen.engine_option))


@pytest.mark.parametrize("arguments", given("pytest"), ids=" ".join)
def test_options_of_pytest_are_understood(arguments, pytester):
    config = pytester.parseconfig(*(each for each in arguments if each != "claims/"))
    name = config.getoption("claims_engine")
    pytest.importorskip({"ray": "ray", "slurm": "submitit"}.get(name, "harness"))
    options = read_options(config.getoption("claims_engine_options") or ())
    if name != "local":
        engine_of(name, options, choice=config.getoption("claims_device"))


def test_commands_of_ray_are_understood():
    pytest.importorskip("ray")
    for arguments in given("ray"):
        said = subprocess.run(
            [sys.executable, "-m", "ray.scripts.scripts", arguments[0], "--help"], capture_output=True, text=True, check=True
        ).stdout
        assert all(each.split("=")[0] in said for each in arguments[1:])


def test_every_command_is_of_a_kind_that_is_tested_and_every_option_is_told():
    kinds = ("python -m harness", "pytest", "ray")
    assert [command for command in COMMANDS if not command.startswith(kinds)] == []
    assert len(COMMANDS) > 10
    told = set(re.findall(r"`(\w+)=`", TEXT))
    assert told == {name for engine in ("ray", "slurm") for name in OPTIONS[engine]}


def test_every_fault_names_tests_that_there_are():
    """A link of the table is a test's name in words, and leads to its file."""
    table = TEXT.split("## What happens when something breaks", 1)[1]
    rows = [line for line in table.splitlines() if line.startswith("| ") and "](../tests/" in line]
    assert len(rows) > 20
    for row in rows:
        named = re.findall(r"\[([^]]+)\]\(\.\./tests/([^)]+)\)", row)
        for words, file in named:
            assert f"def test_{words.replace(' ', '_')}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), (words, file)
    assert table.count("\n| ") == len(rows) + 1
