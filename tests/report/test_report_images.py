"""Example images: from a claim to the grid of a page."""

from __future__ import annotations

import base64
import io

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from harness.errors import ClaimError
from harness.evidence import Images
from harness.report.images import images_from_evidence, png


def grid(**changed) -> Images:
    table = pd.DataFrame([
        {"size": size, "network": network, "image": np.full((4, 4), size), "answer": f"seen as {place}"}
        for network in ("small", "large") for place, size in enumerate((0.0, 0.5, 1.0))
    ])  # fmt: skip
    terms = {"table": table, "image": "image", "x": "size", "y": "network", "title": "Two networks", "note": "answer"}
    return Images(**(terms | changed))


def decoded(text: str) -> np.ndarray:
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(text)))[..., :3]


def test_the_grid_has_a_cell_for_every_image_in_the_order_of_the_table():
    found = images_from_evidence(grid())
    assert found["rows"] == ["small", "large"]
    assert found["columns"] == [0.0, 0.5, 1.0]
    assert [(cell["row"], cell["column"], cell["note"]) for cell in found["cells"]][1] == ("small", 0.5, "seen as 1")
    assert len(found["cells"]) == 6


def test_an_image_comes_back_from_its_png_and_equal_images_are_equal_text():
    image = np.linspace(0, 1, 12).reshape(3, 4)
    assert np.allclose(decoded(png(image))[..., 0], image, atol=0.5 / 255 + 1e-6)
    assert png(image) == png(image.copy())
    coloured = np.random.default_rng(0).uniform(size=(5, 5, 3))
    assert np.allclose(decoded(png(coloured)), coloured, atol=0.5 / 255 + 1e-6)


def test_what_lies_outside_of_black_and_white_is_cut():
    assert np.array_equal(decoded(png(np.array([[-3.0, 9.0]])))[..., 0], [[0.0, 1.0]])


@pytest.mark.parametrize("image", [np.zeros(4), np.zeros((2, 2, 4)), np.zeros((300, 2)), np.full((2, 2), np.nan)])
def test_what_is_no_image_is_refused(image):
    with pytest.raises(ClaimError, match="an image has shape"):
        png(image)


def test_a_missing_column_two_images_at_one_place_and_too_many_are_refused():
    with pytest.raises(ClaimError, match="name the columns nothing"):
        images_from_evidence(grid(note="nothing"))
    double = grid().table.assign(size=1.0)
    with pytest.raises(ClaimError, match="two images have the same network and size"):
        images_from_evidence(grid(table=double))
    many = pd.concat([grid().table.assign(network=str(index)) for index in range(30)], ignore_index=True)
    with pytest.raises(ClaimError, match="at most 60"):
        images_from_evidence(grid(table=many))


def test_images_without_notes_have_none():
    assert {cell["note"] for cell in images_from_evidence(grid(note=None))["cells"]} == {None}
