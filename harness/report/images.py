"""Example images of a claim: from its ``Images`` to JSON that a page shows as a grid."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import ClaimError
from harness.evidence import Images, TooMuchError
from harness.report import lanes as tidy
from harness.report.rows import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_IMAGES = 60
MAX_SIDE = 128  # pixels; a page holds them in itself


def images_from_evidence(images: Images) -> dict[str, Any]:
    """The grid as JSON: ``title``, heads of ``columns`` and ``rows``, and ``cells`` with a PNG each, as base64.

    Raises:
        ClaimError: a column is missing, two images have the same place, or something is not an image.
        TooMuchError: there are too many.
    """
    named = [name for name in (images.image, images.x, images.y, images.note) if name is not None]
    if missing := sorted(set(named) - set(map(str, images.table.columns))):
        raise ClaimError(
            f"the images name the columns {', '.join(missing)}; their table has {', '.join(map(str, images.table.columns))}"
        )
    if (count := len(images.table)) > MAX_IMAGES:
        raise TooMuchError(f"there are {count} images, and at most {MAX_IMAGES} can be shown: choose some")
    places = list(zip(plain(images.table[images.y].tolist()), plain(images.table[images.x].tolist()), strict=True))
    if len(set(places)) < len(places):
        raise ClaimError(f"two images have the same {images.y} and {images.x}; each place of the grid shows one")
    notes = plain(images.table[images.note].tolist()) if images.note else [None] * count
    cells = [
        {"row": row, "column": column, "note": None if note is None else str(note), "png": png(image)}
        for (row, column), note, image in zip(places, notes, images.table[images.image], strict=True)
    ]
    rows, columns = (tidy.levels([place[side] for place in places]) for side in (0, 1))
    return {"title": images.title, "x": images.x, "y": images.y, "rows": rows, "columns": columns, "cells": cells}


def png(image: NDArray[Any]) -> str:
    """An image as a PNG in base64; equal for equal images.

    Args:
        image: array of shape (height, width) or (height, width, 3), from 0 (black) to 1 (white); values outside are clipped.

    Raises:
        ClaimError: it has another shape, is too large, or holds something that is not a finite number.
    """
    from matplotlib.image import imsave

    values = np.asarray(image, dtype=float)
    right = values.ndim == 2 or (values.ndim == 3 and values.shape[2] == 3)
    if not right or not 0 < max(values.shape[:2]) <= MAX_SIDE or not np.isfinite(values).all():
        raise ClaimError(
            f"an image has shape {values.shape}; it has to be (height, width) or (height, width, 3), of finite numbers from 0 "
            f"to 1, with at most {MAX_SIDE} pixels a side"
        )
    out = io.BytesIO()
    levels = np.round(values.clip(0, 1) * 255).astype(np.uint8)
    imsave(out, np.stack([levels] * 3, axis=2) if levels.ndim == 2 else levels, format="png")
    return base64.b64encode(out.getvalue()).decode()
