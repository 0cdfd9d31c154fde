"""Configuration of the Sphinx site; `make site` builds it, and warnings are errors."""

import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))  # extension.py and gallery.py, beside this file
os.environ["PYTHONPATH"] = str(DOCS)  # the gallery may run scripts in other processes

project = "skconv"
project_copyright = "the authors of skconv, MIT licence"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
    "extension",
]

templates_path = ["_templates"]

html_theme = "furo"  # its fonts, styles and scripts are bundled, so the site loads nothing from other servers
html_title = "skconv"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]

myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings have the types
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
default_role = "py:obj"  # `name` in a docstring is a link if the reference has that name

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/(?!06|07)[^/]*\.py$",  # TensorBoard and Weights & Biases write log folders
    "image_scrapers": ("matplotlib", "gallery.scrape_figures"),
    "capture_repr": ("_repr_html_",),
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,  # its page loads scripts from another server
    "show_signature": False,
    "within_subsection_order": "FileNameSortKey",
}
