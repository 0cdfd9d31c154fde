"""How Sphinx builds the site: `make site`; warnings are errors."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # extension.py, beside this file

project = "skconv"
project_copyright = "the authors of skconv, MIT licence"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "extension"]

html_theme = "furo"  # its fonts, styles and scripts are its own: the site asks nobody else for anything
html_title = "skconv"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]

myst_heading_anchors = 3

# Docstrings tell the types; a signature shows names and defaults only.
autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
default_role = "py:obj"  # `name` in a docstring is a link where the reference has that name
