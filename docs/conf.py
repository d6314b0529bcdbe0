"""Sphinx configuration; ``make docs`` builds with warnings as errors."""

import skprivacy

project = "skprivacy"
author = "skprivacy developers"
project_copyright = "skprivacy developers"
version = release = skprivacy.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 3

# References to other projects' documentation would need the network: none are made, and
# an unresolved name in a parameter's type is no error.
nitpicky = False
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "pydata_sphinx_theme"
html_title = "skprivacy"
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}
html_show_sourcelink = False
