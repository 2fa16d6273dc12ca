"""Claims and documents as commands take them: by id, by document, or all; what there is not is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import cli
from harness.cli import CommandError
from harness.cli.words import asks_for, require_known

KNOWN = ["paper/one", "paper/two", "other/one"]
CLAIM = """
from harness.claim import claim
from harness.source import Source
from harness.predict import Theorem

def declare(name):
    paper = Source("paper", "A paper").at("I", "q")
    return claim(f"paper/{name}", statement="It is so.", source=paper, prediction=Theorem(5))

@declare("first")
def test_first():
    raise RuntimeError

@declare("second")
def test_second():
    raise RuntimeError
"""


@given(wanted=st.lists(st.sampled_from([*KNOWN, "paper", "other"])))
def test_a_command_is_about_what_it_names_and_about_all_if_it_names_nothing(wanted: list[str]) -> None:
    chosen = [claim for claim in KNOWN if asks_for(wanted, claim)]
    assert chosen == [claim for claim in KNOWN if not wanted or {claim, claim.split("/")[0]} & set(wanted)]
    assert chosen
    require_known(wanted, KNOWN, Path("claims"))


@pytest.mark.parametrize(
    ("wanted", "known", "said"),
    [
        (["paper/xyz"], KNOWN, "there is no claim paper/xyz; python -m harness list shows all 3"),
        (["paper/tow", "othr"], KNOWN, "there is no claim paper/tow, othr (did you mean paper/two or other?); python"),
        (["paper/one", "slt"], KNOWN, "there is no claim slt; python"),
        ([], [], "claims has no claims; name the folder that has them with --folder DIR"),
    ],
)
def test_what_there_is_not_is_said_with_what_is_near(wanted: list[str], known: list[str], said: str) -> None:
    with pytest.raises(CommandError) as refused:
        require_known(wanted, known, Path("claims"))
    assert said in str(refused.value)


@pytest.mark.parametrize("command", [["plan"], ["plan", "--cost"], ["train"], ["search"], ["preregister", "--out", "new.json"]])
def test_commands_know_documents_and_say_what_they_do_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / f"test_{tmp_path.name}_names.py".replace("[", "").replace("]", "")).write_text(CLAIM)
    assert cli.main([command[0], "paper/frist", *command[1:]]) == 2
    assert (
        "there is no claim paper/frist (did you mean paper/first?); python -m harness list shows all 2"
        in capsys.readouterr().err
    )
    whole = cli.main([command[0], "paper", *command[1:]])
    error = capsys.readouterr().err
    if command == ["search"]:
        assert (whole, error) == (
            2,
            "python -m harness: paper is a document; name one of its claims, which python -m harness list shows\n",
        )
    else:
        assert whole == 0, error


def test_a_folder_without_claims_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claims").mkdir()
    for command in ("plan", "train"):
        assert cli.main([command]) == 2
        assert (
            capsys.readouterr().err
            == "python -m harness: claims has no claims; name the folder that has them with --folder DIR\n"
        )


PLACES = {  # what commands take a file or folder as; X is where it is
    "read": ["report X", "story X", "fresh X --out new.json", "diff X X", "export --format hypotheses --from X --out out.json"],
    "store": ["cache --store X", "cache ls --store X", "cache verify --store X", "cache merge X there"],
    "written": ["preregister --out X", "new X", "plan --folder X"],
}


@pytest.mark.parametrize("command", [command for commands in PLACES.values() for command in commands])
@pytest.mark.parametrize("place", ["a" * 300, "plain/inside", f"{'a' * 300}/inside"])
def test_places_that_no_file_system_has_are_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, place: str
) -> None:
    """Whatever the operating system says of a name is said with the name, and by no traceback."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").write_text("a file")
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / f"test_{tmp_path.name}_places.py").write_text(CLAIM)
    assert cli.main([place if word == "X" else word for word in command.split()]) == 2
    said = capsys.readouterr().err.rstrip("\n")
    assert said.startswith("python -m harness: ")
    assert place.split("/")[0] in said
    assert "\n" not in said
