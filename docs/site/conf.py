"""The settings of Sphinx; `build.py` beside this file calls it on a folder that holds all pages."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import flowchart  # noqa: E402  (from the folder of this file)

from bench_lib import __version__  # noqa: E402  (after the folder of this file, which is no package)

project = "stabbench"
author = copyright = "The stabbench maintainers"  # noqa: A001 (the name that Sphinx reads)
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton", "sphinx_design"]
exclude_patterns = ["**/.ipynb_checkpoints"]

# Pages: Markdown as on a code host, whose links to headings hold here as well.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
myst_fence_as_directive = ["mermaid"]

# Notebooks have no outputs in the repository: they are run when the site is built.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

# Docstrings write code between single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True

copybutton_exclude = ".linenos, .gp, .go, .c1"  # comments behind a command are not copied with it

html_theme = "furo"
html_title = f"stabbench {__version__}"
html_static_path = [str(HERE / "static")]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True, "top_of_page_buttons": []}


def setup(app: object) -> None:
    """Add the directive for flow charts."""
    flowchart.add_to(app)
