"""HTML and SVG that cannot be broken out of: every text is escaped unless this module made it.

>>> str(tag("p", "a < b", cls="note"))
'<p class="note">a &lt; b</p>'
"""

from __future__ import annotations

from html import escape
from typing import Any


class Markup(str):
    """Text that is markup already; everything else is escaped on its way in."""

    __slots__ = ()


VOID = frozenset({"br", "hr", "meta", "circle", "line", "path", "rect", "polyline", "polygon", "col"})


def tag(element: str, /, *children: Any, **attributes: Any) -> Markup:
    """An element; ``cls`` is its class, underscores in attributes are hyphens, None and False leave one out."""
    written = "".join(
        f" {_attribute(key)}" if value is True else f' {_attribute(key)}="{escape(_text(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    inner = join(children)
    if element in VOID and not inner:
        return Markup(f"<{element}{written}/>")
    return Markup(f"<{element}{written}>{inner}</{element}>")


def join(children: Any) -> Markup:
    """Children one after the other; lists are flattened, None is left out."""
    out: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, (list, tuple)):
            out.append(join(child))
        else:
            out.append(child if isinstance(child, Markup) else escape(_text(child), quote=False))
    return Markup("".join(out))


def _attribute(key: str) -> str:
    return "class" if key == "cls" else key.rstrip("_").replace("_", "-")


def _text(value: Any) -> str:
    """Floats short; control characters, which no browser shows, as a mark."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return "".join(c if c.isprintable() or c in "\n\t " else "\ufffd" for c in str(value))
