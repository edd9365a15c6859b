"""How the site is built: `make docs`, or `sphinx-build -n -W docs docs/_build/html`.

Nothing is fetched: what the pages cite of other projects stands in `docs/inventories.txt`.
"""

from __future__ import annotations

import os
import pydoc
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["XDG_DATA_HOME"] = str(HERE / "_build" / "data")  # the gallery leaves nothing in anybody's memory

import inventories  # noqa: E402

import autometa  # noqa: E402

project = "AutoMeta"
author = "The AutoMeta developers"
copyright = author  # noqa: A001
version = release = autometa.__version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "figures",
    "generated",
]
exclude_patterns = ["_build", "gallery/*.rst", "gallery/*.py", "README.md"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # what is included begins where its page is, not at a first heading
nitpicky = True
smartquotes = False  # which would make one dash of the two of an option

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
default_role = "py:obj"  # `Model` in a docstring is a link where Model is documented, and code where it is not

intersphinx_mapping = inventories.mapping(HERE / "_build" / "inventories")
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "gallery/built",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_signature": False,
    "write_computation_times": False,  # they are the building machine's
    "min_reported_time": 3600,
    "junit": "../gallery.xml",  # each example's seconds, beside the site: docs/_build/gallery.xml
    "abort_on_example_error": True,
}

html_theme = "furo"
html_title = f"AutoMeta {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"


def as_code(app: Any, env: Any, node: Any, shown: Any) -> Any:
    """What a docstring or an annotation names and no page describes is code without a link, not a broken reference.

    A name that begins with ``autometa.`` has to exist, and is found under its shorter address, too.
    """
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py":
        return None
    if target.startswith("autometa.") or "." not in target:
        front = f"autometa.{target.rpartition('.')[2]}"
        domain = env.domains["py"]
        if front != target and front in domain.objects:
            return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", front, node, shown)
    if target.startswith("autometa.") and pydoc.locate(target) is None:
        return None
    return shown.deepcopy()


def accessible(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """What axe finds in the theme's pages (`docs/axe.py`).

    Headings say their level, an empty one of a column is none, what scrolls can be reached by keys, the lines of a long
    signature are no list of definitions, and links behind the gallery's pictures have names.
    """
    for part, found, instead in (
        ("furo_navigation_tree", r'role="heading"', r'role="heading" aria-level="2"'),
        ("body", r"<pre>", r'<pre tabindex="0">'),
        ("body", r'<th class="head[^>]*>\s*</th>', "<td></td>"),
        ("body", r'<div class="table-wrapper', r'<div tabindex="0" class="table-wrapper'),
        ("body", r'<dl>\n((?:<dd><em class="sig-param">.*</dd>\n)+)</dl>', r'<div class="sig-lines">\n\1</div>'),
        ("body", r'<dd>(<em class="sig-param">.*)</dd>', r"<div>\1</div>"),
        (
            "body",
            r'(<p><a class="reference internal" href="plot_[^"]+")(><span class="doc">)([^<"]+)',
            r'\1 aria-label="\3"\2\3',
        ),
    ):
        if part in context:
            context[part] = re.sub(found, instead, context[part])


def setup(app: Any) -> None:
    """What intersphinx does not know either is code; pages are made accessible once the theme has added its parts."""
    app.connect("missing-reference", as_code, priority=900)
    app.connect("html-page-context", accessible, priority=900)
