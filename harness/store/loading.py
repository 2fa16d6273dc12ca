"""Data are loaded once a process, and a download that drips is given up.

Each read of a download has a limit of its own (:data:`harness.data.sources.PATIENCE`), which a server that sends a byte a
second never reaches. So all of it together has one, too, for the harness's own data sets: they compute nothing that takes
long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.data.base import DataShortfall
from harness.deadline import Limit, TimedOut, doing

if TYPE_CHECKING:
    from harness.data.base import Dataset, DataSpec

LONGEST = 1800.0  # seconds; the largest file, of 170 MB, takes as long at 95 kB/s


def loaded(spec: DataSpec) -> Dataset:
    """The data of a spec.

    Raises:
        DataShortfall: a download has taken too long.
        DataError: see :meth:`DataSpec.load`.
    """
    if not type(spec).__module__.startswith("harness.data."):
        return spec.load()
    try:
        with doing(f"loading {type(spec).__name__}"), Limit(LONGEST).running():
            return spec.load()
    except TimedOut as problem:
        if f"within {LONGEST:g} s" not in str(problem):
            raise  # the claim's own time is over
        raise DataShortfall(
            f"the data of {type(spec).__name__} could not be had within {LONGEST / 60:g} minutes, since the download is too "
            "slow: try again later, or set HARNESS_DATA to a folder that holds the files (python -m harness data names them)"
        ) from None
