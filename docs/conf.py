"""The site: ``python -m sphinx -W --keep-going -b html docs docs/_build`` (``make docs``)."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from site_pages import setup  # noqa: E402, F401

import harness  # noqa: E402

project = "claims-harness"
author = "the authors of claims-harness"
version = release = harness.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
suppress_warnings = ["ref.python"]  # several data sets have a shape; a docstring that names shapes means none of them

add_module_names = False  # names are imported from harness itself
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
default_role = "literal"

html_theme = "furo"
html_title = "claims-harness"
html_static_path: list[str] = []
html_extra_path = ["../reports/reference/claims.html"]
copybutton_exclude = ".linenos, .gp, .go"
