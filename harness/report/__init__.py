"""The report: rows in, claims.json, claims.csv and one self-contained claims.html out.

A row exists from a claim's collection on (:func:`base_row`), takes the judge's verdict
(:func:`with_verdict`), and is gathered into a run (:func:`assemble`) that is written
(:func:`write_reports`), read (:func:`read_run`), merged (:func:`merge`) and drawn (:func:`render`) from
JSON alone.  Two runs are compared by :func:`compare`.
"""

from __future__ import annotations

from harness.report.diff import compare
from harness.report.figures import figure_from_evidence
from harness.report.merge import merge, read_run
from harness.report.page import render
from harness.report.rows import ReportError, adjust, assemble, base_row, plain, with_verdict
from harness.report.write import write_reports

__all__ = [
    "ReportError",
    "adjust",
    "assemble",
    "base_row",
    "compare",
    "figure_from_evidence",
    "merge",
    "plain",
    "read_run",
    "render",
    "with_verdict",
    "write_reports",
]
