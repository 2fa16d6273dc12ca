"""Searches in several sittings: what an earlier one has finished is left alone, what it has not begun comes first.

The report of a folder keeps the last search of every claim (:mod:`harness.report.carried`), and the store notes every setting
that was judged.  So a run with ``--claims-search`` may be ended at any time: the next one into the same folder goes on.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from harness.pytest_plugin.outcome import Row, Settings, read_row

if TYPE_CHECKING:
    from harness.report.carried import Kept


class Sittings:
    """What earlier runs have searched.

    Args:
        settings: of the session.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _kept(self) -> Kept | None:
        """Their searches; None where every claim is to be searched, or where verdicts are by another rule than the report's."""
        settings = self._settings
        if not settings.search or settings.search_again or settings.family_wise or settings.blocks:
            return None
        from harness.report.carried import kept_searches  # after that question: most sessions search nothing
        from harness.report.rows import ReportError

        try:
            return kept_searches(settings.scale, settings.reports, settings.searches)
        except ReportError:  # the end of the session says so
            return None

    def whole(self, row: Row) -> bool:
        """Whether a judged claim has been searched in as many settings as are asked for, so that the report keeps that."""
        return self._kept is not None and self._kept.whole(row, self._settings.search)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Claims of whose scope least has been tried come first; where equally much has, they stay in order."""
        kept = self._kept
        if kept is not None:
            rows = [read_row(item) for item in items]
            tried = [0 if row is None else kept.tried(row["id"], row["digest"]) for row in rows]
            items[:] = [items[at] for at in sorted(range(len(items)), key=tried.__getitem__)]
