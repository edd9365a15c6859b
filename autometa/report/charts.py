"""Charts as inline SVG: small, sharp at every size, printable, and coloured by the page (dark or light).

Drawn here rather than by plotly, whose script alone is 4.8 MB in a file that otherwise weighs some 150 kB, and slow to
open on a phone. A shape that has something to say carries it in ``data-tip``; the page's script shows it under the
pointer.

    Scale     data -> pixels, with ticks at round numbers
    Frame     axes, ticks, grid; shapes are added to it
    bars · columns · matrix
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from autometa.report.html import Markup, tag
from autometa.report.words import number

Point = tuple[float, float]
SERIES = 6  # colours that the page has for series
LETTER = 6.8  # pixels of a letter of a label, about


@dataclass(frozen=True, slots=True)
class Scale:
    """An interval of values onto an interval of pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value lies, in pixels; one outside the interval lies on its edge."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def holds(self, value: float) -> bool:
        """Whether a value lies within."""
        return self.low <= value <= self.high

    def ticks(self, about: int = 5) -> list[float]:
        """Round numbers within the interval, about so many."""
        step = nice_step((self.high - self.low) / about)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]


def nice_step(rough: float) -> float:
    """The next 1, 2, 2.5 or 5 times a power of ten.

    Example:
        >>> [nice_step(v) for v in (0.013, 0.3, 7.0)]
        [0.02, 0.5, 10.0]
    """
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= rough * (1 - 1e-9))


def spread(values: Sequence[float], margin: float = 0.05) -> tuple[float, float]:
    """An interval that holds all finite values with some margin; never empty."""
    finite = [v for v in values if math.isfinite(v)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if low == high:
        pad = abs(low) * 0.1 or 1.0
        return low - pad, high + pad
    return low - margin * (high - low), high + margin * (high - low)


def tick_text(value: float, step: float) -> str:
    """A tick's label with as many decimals as its step needs."""
    if value == 0:
        return "0"
    if abs(value) >= 1e12 or step < 1e-5:
        return f"{value:.3g}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    decimals = next((d for d in range(6) if abs(step - round(step, d)) < step * 1e-6), 6)
    return f"{value:,.{decimals}f}" if abs(value) >= 1e4 else f"{value:.{decimals}f}"


@dataclass(slots=True)
class Frame:
    """Axes with a grid; shapes are drawn in data coordinates."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_title: str = ""
    y_title: str = ""
    width: int = 720
    height: int = 320
    left: int = 58
    right: int = 14
    top: int = 12
    bottom: int = 44
    x_text: Callable[[float, float], str] = tick_text
    y_text: Callable[[float, float], str] = tick_text
    shapes: list[Markup] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Makes room for the longest label of the vertical axis: `1,250,000` is written in full."""
        ticks = self.up.ticks(6)
        step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
        longest = max((len(self.y_text(value, step)) for value in ticks), default=0)
        self.left = max(self.left, round(LETTER * longest) + (34 if self.y_title else 16))

    @property
    def x_ticks(self) -> list[float]:
        """As many as can be labelled without one label over another."""
        across = self.across
        for about in range(max(3, self.width // 110), 0, -1):
            ticks = across.ticks(about)
            step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
            widest = LETTER * max((len(self.x_text(value, step)) for value in ticks), default=0) + 10
            if len(ticks) < 2 or widest <= across(ticks[1]) - across(ticks[0]):
                return ticks
        return across.ticks(1)[:1]

    @property
    def across(self) -> Scale:
        """Values to pixels from the left."""
        return Scale(*self.x, self.left, self.width - self.right)

    @property
    def up(self) -> Scale:
        """Values to pixels from the top."""
        return Scale(*self.y, self.height - self.bottom, self.top)

    def path(self, points: Sequence[Point], cls: str, *, steps: bool = False) -> None:
        """A line through points; as steps, each value holds until the next."""
        across, up = self.across, self.up
        parts: list[str] = []
        for k, (x, y) in enumerate(points):
            if k and steps:
                parts.append(f"H{across(x)}V{up(y)}")
            else:
                parts.append(f"{'L' if k else 'M'}{across(x)} {up(y)}")
        self.shapes.append(tag("path", d="".join(parts), cls=cls))

    def marker(self, x: float, y: float, shape: str, cls: str, tip: str = "", size: float = 4.5) -> None:
        """A mark; one outside the frame sits hollow on its edge."""
        px, py = self.across(x), self.up(y)
        cls = cls if self.up.holds(y) and self.across.holds(x) else f"{cls} outside"
        self.shapes.append(mark(px, py, shape, cls, tip, size))

    def text(self, x: float, y: float, words: str, cls: str = "label", anchor: str = "start", dy: float = 0) -> None:
        """Draws words at a point in data coordinates."""
        self.shapes.append(tag("text", words, x=self.across(x), y=self.up(y) + dy, cls=cls, text_anchor=anchor))

    def svg(self, label: str) -> Markup:
        """The drawing; `label` is what a screen reader says."""
        across, up = self.across, self.up
        parts: list[Any] = []
        x_ticks, y_ticks = self.x_ticks, up.ticks(6)
        for value in y_ticks:
            parts.append(tag("line", x1=self.left, x2=self.width - self.right, y1=up(value), y2=up(value), cls="grid"))
            words = self.y_text(value, y_ticks[1] - y_ticks[0] if len(y_ticks) > 1 else 1.0)
            parts.append(tag("text", words, x=self.left - 8, y=up(value) + 4, text_anchor="end", cls="tick"))
        base = self.height - self.bottom
        for value in x_ticks:
            parts.append(tag("line", x1=across(value), x2=across(value), y1=base, y2=base + 4, cls="axis"))
            words = self.x_text(value, x_ticks[1] - x_ticks[0] if len(x_ticks) > 1 else 1.0)
            parts.append(tag("text", words, x=across(value), y=base + 18, text_anchor="middle", cls="tick"))
        parts.append(tag("line", x1=self.left, x2=self.width - self.right, y1=base, y2=base, cls="axis"))
        if self.x_title:
            middle = (self.left + self.width - self.right) / 2
            parts.append(tag("text", self.x_title, x=middle, y=self.height - 6, text_anchor="middle", cls="title"))
        if self.y_title:
            middle = (self.top + base) / 2
            turned = f"rotate(-90 14 {middle})"
            parts.append(tag("text", self.y_title, x=14, y=middle, transform=turned, text_anchor="middle", cls="title"))
        return drawing(self.width, self.height, label, parts, self.shapes)


def drawing(width: float, height: float, label: str, *children: Any) -> Markup:
    """An SVG that scales with the page."""
    bounds = f"max-width:{width:g}px;--least:{0.8 * width:g}px"  # text neither huge on a desk nor tiny on a phone
    return tag(
        "svg", *children, viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=label, cls="chart", style=bounds
    )


def mark(x: float, y: float, shape: str, cls: str, tip: str = "", size: float = 4.5) -> Markup:
    """A circle, square, diamond, triangle, wedge (a triangle on its head) or cross around a pixel."""
    shown: dict[str, Any] = {"cls": f"mark {cls}", "data_tip": tip or None}
    s = size
    if shape == "square":
        return tag("rect", x=x - s * 0.9, y=y - s * 0.9, width=1.8 * s, height=1.8 * s, **shown)
    outlines = {
        "diamond": f"M{x} {y - 1.3 * s}L{x + 1.3 * s} {y}L{x} {y + 1.3 * s}L{x - 1.3 * s} {y}Z",
        "triangle": f"M{x} {y - 1.2 * s}L{x + 1.15 * s} {y + 0.85 * s}L{x - 1.15 * s} {y + 0.85 * s}Z",
        "wedge": f"M{x} {y + 1.2 * s}L{x + 1.15 * s} {y - 0.85 * s}L{x - 1.15 * s} {y - 0.85 * s}Z",
        "cross": f"M{x - s} {y - s}L{x + s} {y + s}M{x + s} {y - s}L{x - s} {y + s}",
    }
    if shape in outlines:
        return tag("path", d=outlines[shape], **shown)
    return tag("circle", cx=x, cy=y, r=s, **shown)


def legend(entries: Sequence[tuple[str, str, str]]) -> Markup:
    """What the marks mean: (shape, class, words); the shape "line" is a stroke."""
    items = []
    for shape, cls, words in entries:
        key = tag("path", d="M1 7H15", cls=cls) if shape == "line" else mark(8, 7, shape, cls)
        items.append(tag("span", tag("svg", key, viewBox="0 0 16 14", width=16, height=14, aria_hidden="true"), words))
    return tag("div", items, cls="legend")


def bars(
    rows: Sequence[tuple[str, float, str]],
    label: str,
    *,
    errors: Sequence[float] | None = None,
    width: int = 720,
    cls: str = "series-0",
    name_share: float = 0.3,
) -> Markup:
    """Horizontal bars: (name, value, words at its end); values below zero go left. `errors` are drawn as whiskers.

    Names have `name_share` of the width, or half of it where they are long.
    """
    height_of_row, longest_name = 24, max((len(name) for name, _, _ in rows), default=0)
    left = round(min(max(width * name_share, LETTER * longest_name + 14), width * max(name_share, 0.5)))
    longest = max((len(words) for _, _, words in rows), default=0)
    right = 16 + 7 * longest
    whiskers = errors if errors is not None else [0.0] * len(rows)
    low = min(0.0, *(v - e for (_, v, _), e in zip(rows, whiskers, strict=True))) if rows else 0.0
    high = max(0.0, *(v + e for (_, v, _), e in zip(rows, whiskers, strict=True))) if rows else 1.0
    across = Scale(low, high if high > low else low + 1.0, left, width - right)
    parts = []
    letters = max(6, int((left - 12) / 6.6))
    for k, ((name, value, words), error) in enumerate(zip(rows, whiskers, strict=True)):
        y = k * height_of_row
        start, end = sorted((across(0.0), across(value)))
        shown = name if len(name) <= letters else f"{name[: letters - 1]}…"
        parts += [
            tag("rect", x=0, y=y, width=width, height=height_of_row, cls="row", data_tip=f"{name}: {words}"),
            tag("text", shown, x=left - 10, y=y + 16, text_anchor="end", cls="label"),
            tag("rect", x=start, y=y + 5, width=max(end - start, 1.0), height=14, rx=2, cls=f"bar {cls}"),
        ]
        if error:
            parts.append(
                tag("line", x1=across(value - error), x2=across(value + error), y1=y + 12, y2=y + 12, cls="whisker")
            )
        parts.append(tag("text", words, x=max(end, across(value + error)) + 7, y=y + 16, cls="value"))
    if low < 0:
        parts.append(tag("line", x1=across(0.0), x2=across(0.0), y1=0, y2=len(rows) * height_of_row, cls="axis"))
    return drawing(width, max(len(rows) * height_of_row, 1), label, parts)


def columns(
    edges: Sequence[float], counts: Sequence[int], label: str, *, x_title: str, width: int = 440, height: int = 240
) -> Markup:
    """A histogram: len(edges) == len(counts) + 1."""
    frame = Frame((edges[0], edges[-1]), (0.0, max(max(counts), 1) * 1.05), x_title, "rows", width=width, height=height)
    across, up = frame.across, frame.up
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        x, y = across(low), up(count)
        tip = f"{number(float(low))} to {number(float(high))}: {count:,} rows"
        wide = max(across(high) - x - 1.0, 0.6)
        frame.shapes.append(
            tag("rect", x=x + 0.5, y=y, width=wide, height=round(up(0.0) - y, 1), cls="bar series-0", data_tip=tip)
        )
    return frame.svg(label)


def matrix(counts: Sequence[Sequence[int]], names: Sequence[str], label: str, *, width: int = 440) -> Markup:
    """A confusion matrix: true classes down, predicted across; the shade is the share of the true class."""
    c = len(names)
    letters = 14 if c <= 8 else 24
    shown = [name if len(name) <= letters else f"{name[: letters - 1]}…" for name in names]
    widest = LETTER * max(len(name) for name in shown)
    left = 30 + round(widest)
    cell = (width - left - 8) / c
    slanted = widest > cell
    if slanted:  # the last name leans out to the right
        cell = (width - left - max(8.0, 0.77 * LETTER * len(shown[-1]) - cell / 2)) / c
    top = 24 + (round(0.68 * widest) if slanted else 14)
    high = min(cell, 64.0)
    height = top + c * high + 6
    parts = [
        tag("text", "predicted", x=left + c * cell / 2, y=12, text_anchor="middle", cls="title"),
        tag(
            "text",
            "true",
            x=12,
            y=top + c * high / 2,
            text_anchor="middle",
            cls="title",
            transform=f"rotate(-90 12 {top + c * high / 2:g})",
        ),
    ]
    for j, name in enumerate(shown):
        x = left + (j + 0.5) * cell
        if slanted:
            turned = f"rotate(-40 {x:g} {top - 6})"
            parts.append(tag("text", name, x=x, y=top - 6, cls="tick", transform=turned))
        else:
            parts.append(tag("text", name, x=x, y=top - 8, text_anchor="middle", cls="tick"))
    for i, row in enumerate(counts):
        total = max(sum(row), 1)
        y = top + i * high
        parts.append(tag("text", shown[i], x=left - 8, y=y + high / 2 + 4, text_anchor="end", cls="tick"))
        for j, count in enumerate(row):
            share = count / total
            tip = f"{count:,} of {total:,} rows of {names[i]} taken for {names[j]} ({share:.1%})"
            cls = "cell right" if i == j else "cell wrong"
            x = left + j * cell
            parts.append(
                tag(
                    "rect",
                    x=x + 1,
                    y=y + 1,
                    width=cell - 2,
                    height=high - 2,
                    rx=3,
                    cls=cls,
                    style=f"--share:{share:.3f}",
                    data_tip=tip,
                )
            )
            if cell >= 24 and (count or c <= 12):
                faint = " zero" if not count else " strong" if share > 0.55 else ""
                size = 13 if cell >= 40 else 10
                words = f"{count:,}" if count < 10_000 or cell > 50 else f"{count / 1000:.3g}k"
                parts.append(
                    tag(
                        "text",
                        words,
                        x=x + cell / 2,
                        y=y + high / 2 + size * 0.36,
                        text_anchor="middle",
                        cls=f"count{faint}",
                        font_size=size,
                    )
                )
    return drawing(width, height, label, parts)
