"""Files: whole or not at all, strict, and readable by others."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.report import ReportError, read_run, render, write_reports
from harness.report.flat import COLUMNS, to_csv
from harness.report.history import read_history
from harness.report.write import NAMES, to_json


class TestWrite:
    def test_writes_the_reports_and_the_history_and_nothing_else(self, bare: dict[str, Any], tmp_path: Path) -> None:
        files = write_reports(bare, tmp_path / "new" / "reports")
        assert sorted(os.listdir(tmp_path / "new" / "reports")) == sorted([*NAMES, "history.jsonl"]) == sorted(files)
        assert files["claims.html"].read_text(encoding="utf-8") == render(bare)
        assert read_run(files["claims.json"]) == bare
        assert stat.S_IMODE(files["claims.html"].stat().st_mode) & 0o444 == 0o444

    def test_a_folder_that_cannot_be_is_named_with_the_remedy(self, bare: dict[str, Any], tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(ReportError, match="--claims-report DIR") as caught:
            write_reports(bare, tmp_path / "file" / "reports")
        assert str(tmp_path / "file" / "reports") in str(caught.value)

    def test_a_failure_leaves_the_old_reports_and_no_rubbish(
        self, bare: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_reports(bare, tmp_path)
        before = {name: (tmp_path / name).read_bytes() for name in NAMES}

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(ReportError, match="No space left on device"):
            write_reports(bare | {"device": "cuda"}, tmp_path)
        assert {name: (tmp_path / name).read_bytes() for name in NAMES} == before
        assert sorted(os.listdir(tmp_path)) == sorted([*NAMES, "history.jsonl"])
        assert len(read_history(tmp_path).records) == 1

    def test_writes_nothing_of_a_run_that_is_not_strict(self, run: dict[str, Any], tmp_path: Path) -> None:
        run["rows"][1]["effect"] = float("nan")
        with pytest.raises(ReportError):
            write_reports(run, tmp_path / "reports")
        assert not (tmp_path / "reports").exists()

    def test_runs_that_end_at_the_same_time_leave_the_files_of_one(self, bare: dict[str, Any], tmp_path: Path) -> None:
        """Processes, since a folder is locked by process; each writes two runs of its own."""
        code = (
            "import json, pathlib, sys\n"
            "from harness.report import write_reports\n"
            "run = json.loads(pathlib.Path(sys.argv[1]).read_text())\n"
            "for number in range(2):\n"
            "    run['device'] = f'cpu {sys.argv[2]}.{number}'\n"
            "    write_reports(run, pathlib.Path(sys.argv[3]))\n"
        )
        (tmp_path / "run.json").write_text(json.dumps(bare | {"rows": bare["rows"][:3]}), encoding="utf-8")
        folder = tmp_path / "reports"
        writers = [
            subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "run.json"), str(number), str(folder)])
            for number in range(2)
        ]
        assert [writer.wait(timeout=300) for writer in writers] == [0, 0]
        device = read_run(folder / "claims.json")["device"]
        assert device in (folder / "claims.html").read_text(encoding="utf-8")
        assert set(pd.read_csv(folder / "claims.csv")["device"]) == {device}
        assert {past["device"] for past in read_history(folder).records} == {f"cpu {w}.{n}" for w in range(2) for n in range(2)}
        assert sorted(os.listdir(folder)) == sorted([*NAMES, "history.jsonl"])

    def test_what_a_killed_run_left_half_written_goes(self, bare: dict[str, Any], tmp_path: Path) -> None:
        old, new, other = (
            tmp_path / name for name in (".claims.html.abcd1234", ".claims.json.abcd1234", ".claims.notes.abcd1234")
        )
        for path, age in ((old, 7200), (new, 60), (other, 7200)):
            path.write_text("half")
            os.utime(path, (time.time() - age,) * 2)
        write_reports(bare, tmp_path)
        assert not old.exists()
        assert new.exists()
        assert other.exists()


class TestJson:
    @pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32(0.5), object()])
    def test_refuses_what_json_lacks_and_says_where_it_stands(self, run: dict[str, Any], value: Any) -> None:
        run["rows"][1]["standardised"] = {"effect": value, "interval": None}
        with pytest.raises(ReportError, match=r"run\.rows\[slt/finetuning\]\.standardised\.effect is .*unknown is null"):
            to_json(run)

    def test_is_one_line_a_claim(self, run: dict[str, Any]) -> None:
        lines = to_json(run).splitlines()
        assert len(lines) == len(run["rows"]) + 2
        assert json.loads(to_json(run)) == run
        assert json.loads(lines[1].rstrip(",")) == run["rows"][0]

    def test_of_no_claims_is_json_too(self, run: dict[str, Any]) -> None:
        assert json.loads(to_json(run | {"rows": []}))["rows"] == []


class TestCsv:
    def test_comes_back_as_it_was(self, run: dict[str, Any]) -> None:
        run["rows"][0]["statement"] = 'a "quoted", long\nstatement; ρ'
        table = pd.read_csv(io.StringIO(to_csv(run)), keep_default_na=False)
        assert list(table.columns) == list(COLUMNS)
        assert len(table) == len(run["rows"])
        assert table["statement"][0] == 'a "quoted", long\nstatement; ρ'
        for row, effect, low in zip(run["rows"], table["effect"], table["low"], strict=True):
            assert effect == ("" if row["effect"] is None else repr(row["effect"]))
            assert low == ("" if row["interval"] is None else repr(row["interval"][0]))

    def test_names_protocols_failed_gates_and_the_run(self, run: dict[str, Any]) -> None:
        first, *_, invalid = list(csv.DictReader(io.StringIO(to_csv(run))))[:6]
        assert first["protocols"] == "sound supported; document invalid"
        assert invalid["gates_failed"] == "the sampler is trusted"
        assert (first["scale"], first["device"], first["commit"]) == ("reduced", "cpu", "4f0c2d9a77be31")
