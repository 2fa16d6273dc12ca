"""What other tools wrote, and what somebody then changed: read, or refused in one sentence, whatever their parsers raise."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import damaged, nested, with_words

from harness import ClaimError, Runs
from harness.parsing import understood

FILES = Path(__file__).parent / "files"


def of_hydra(job: Path) -> Runs:
    return Runs.from_hydra(job, results="metrics.jsonl")


READERS: dict[str, tuple[Path, Callable[[Path], Runs]]] = {
    "wandb": (Path("wandb/run-odd.wandb"), Runs.from_wandb),
    "csv": (Path("lightning/fits/version_0/metrics.csv"), lambda top: Runs.from_csv(top / "metrics.csv", step="step")),
    "lightning": (Path("lightning/fits/version_0/metrics.csv"), Runs.from_lightning),
    "hparams": (Path("lightning/fits/version_0/hparams.yaml"), Runs.from_lightning),
    "configuration": (Path("hydra/adam/0/.hydra/config.yaml"), lambda inside: of_hydra(inside.parent)),
    "choices": (Path("hydra/adam/0/.hydra/hydra.yaml"), lambda inside: of_hydra(inside.parent)),
    "results": (Path("hydra/adam/0/metrics.jsonl"), lambda top: of_hydra(top)),
    "events": (Path("tensorboard/adam-0/events.out.tfevents.0"), Runs.from_tensorboard),
}  # fmt: skip
NEEDS = {
    "hparams": "yaml",
    "configuration": "omegaconf",
    "choices": "omegaconf",
    "results": "omegaconf",
    "events": "tensorboard",
}


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@settings(deadline=None, max_examples=40)
def test_a_changed_file_is_read_or_refused_in_one_sentence(tmp_path_factory, name, data):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    place, read = READERS[name]
    job = FILES / place.parent if place.parent.name != ".hydra" else FILES / place.parents[1]
    top = tmp_path_factory.mktemp("job") / "0"
    shutil.copytree(job, top)
    whole = (FILES / place).read_bytes()
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    content = data.draw(st.one_of(damaged(whole), st.just(with_words(whole, rng)), st.just(nested(whole, rng))))
    changed = top / (FILES / place).relative_to(job)
    changed.write_bytes(content)
    said = ""
    try:
        assert len(read(changed.parent)) >= 1
    except ClaimError as problem:
        said = str(problem)
    assert "\n" not in said


class OddError(Exception):
    """What only somebody else's package raises."""


@pytest.mark.parametrize(
    "raised",
    [OddError("of a\nparser"), OddError(), RecursionError("too deep"), KeyError("x"), UnicodeDecodeError("u", b"", 0, 1, "y")],
)
def test_whatever_a_parser_raises_is_one_sentence_with_the_remedy(raised):
    with (
        pytest.raises(ClaimError, match=r"^a\.txt cannot be read as a list \(.+\): write it again$") as told,
        understood(ClaimError, "a.txt", "a list", ": write it again"),
    ):
        raise raised
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("raised", [ClaimError("already one sentence"), MemoryError("short"), KeyboardInterrupt()])
def test_what_is_no_fault_of_the_file_stays(raised):
    with pytest.raises(type(raised)) as told, understood(ClaimError, "a.txt", "a list"):
        raise raised
    assert told.value is raised
