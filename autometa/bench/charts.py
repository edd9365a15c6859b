"""The two drawings of a comparison: who differs from whom, and what a second buys.

Drawn with the shapes of `report.charts`, so that pages look alike; `standing_alone` makes a drawing that needs no page,
for a README.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from autometa.bench.ranking import cliques
from autometa.report.charts import SERIES, Frame, Scale, drawing, spread
from autometa.report.html import Markup, tag

ROW, BAR = 22, 9  # pixels between names, and between the bars of cliques
SHAPES = ("circle", "square", "diamond", "triangle")
# A file of its own has no page around it to say what colours mean; an <img> follows the reader's dark or light scheme.
STYLE = """
svg { font: 12px system-ui, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif; --ink: #16191d;
  --quiet: #5c6670;
  --accent: #2f62d9; --paper: #ffffff; background: #ffffff; }
@media (prefers-color-scheme: dark) { svg { --ink: #e8ebee; --quiet: #a3adb8; --accent: #82a8ff; --paper: #111418;
  background: #111418; } }
text { fill: var(--quiet); } text.label { fill: var(--ink); } .axis { stroke: var(--quiet); }
"""


def rank_diagram(names: Sequence[str], ranks: Sequence[float], critical: float | None, *, width: int = 800) -> Markup:
    """Average ranks on a line, the best at the left; a bar joins methods that do not differ significantly.

    Args:
        names: (k,) of the methods.
        ranks: (k,) average ranks.
        critical: Nemenyi's critical difference; None where it says nothing.
        width: Pixels.

    Source:
        The critical difference diagram of Demsar (2006).
    """
    k, order = len(names), sorted(range(len(names)), key=lambda j: ranks[j])
    longest = max(len(name) for name in names)
    side = 56 + round(6.7 * longest)
    across = Scale(1.0, float(max(k, 2)), side, width - side)
    runs = cliques(list(ranks), critical) if critical is not None else []
    line = 58  # where the axis is
    first = line + 18 + BAR * len(runs)
    half = math.ceil(k / 2)
    height = first + ROW * half + 14
    parts: list[Markup] = [tag("line", x1=across(1), x2=across(k), y1=line, y2=line, cls="axis")]
    for value in range(1, k + 1):
        parts.append(tag("line", x1=across(value), x2=across(value), y1=line - 6, y2=line, cls="axis"))
        parts.append(tag("text", str(value), x=across(value), y=line - 11, text_anchor="middle", cls="tick"))
    if critical is not None:
        start, end = across.start, across.start + critical * (across.end - across.start) / max(k - 1, 1)
        words = f"critical difference {critical:.2f}"
        middle = {"x": end + 8, "text_anchor": "start"} if end < width - 170 else {"x": start, "text_anchor": "start"}
        parts.append(tag("path", d=f"M{start} 12V20M{start} 16H{end:.1f}M{end:.1f} 12V20", style=_stroke("ink", 1.5)))
        parts.append(tag("text", words, y=20 if "x" in middle and middle["x"] != start else 34, cls="tick", **middle))
    for place, j in enumerate(order):
        left = place < half
        row = place if left else k - 1 - place
        x, y = across(ranks[j]), first + ROW * row + 8
        end = side - 8 if left else width - side + 8
        parts.append(tag("path", d=f"M{x} {line}V{y}H{end}", style=_stroke("quiet", 1)))
        parts.append(tag("circle", cx=x, cy=line, r=3.2, style="fill:var(--ink)"))
        words = f"{names[j]}  {ranks[j]:.2f}" if left else f"{ranks[j]:.2f}  {names[j]}"
        anchor = {"x": end - 6, "text_anchor": "end"} if left else {"x": end + 6, "text_anchor": "start"}
        parts.append(tag("text", words, y=y + 4, cls="label", **anchor))
    low = sorted(ranks)
    for number, (i, j) in enumerate(runs):
        y = line + 10 + BAR * number
        parts.append(
            tag("path", d=f"M{across(low[i]) - 5:.1f} {y}H{across(low[j]) + 5:.1f}", style=_stroke("accent", 4))
        )
    best = ", ".join(f"{names[j]} {ranks[j]:.2f}" for j in order)
    return drawing(width, height, f"Average ranks: {best}", parts)


def time_chart(lines: Mapping[str, Sequence[tuple[float, float]]], *, width: int = 760, height: int = 340) -> Markup:
    """Score against time: for each method its points (seconds, mean score on the scale 0 = constant, 1 = best).

    Args:
        lines: A method's title -> its points, one for each budget.
        width: Pixels.
        height: Pixels.
    """
    points = [(math.log10(max(x, 0.01)), y) for line in lines.values() for x, y in line if math.isfinite(x)]
    low, high = (min(x for x, _ in points), max(x for x, _ in points)) if points else (0.0, 1.0)
    frame = Frame(
        (math.floor(low * 2 - 0.2) / 2, max(math.ceil(high * 2 + 0.2) / 2, low + 0.5)),
        spread([y for _, y in points], 0.12),
        "seconds to fit, median over datasets (logarithmic)",
        "mean score, 0 = constant, 1 = best",
        width=width,
        height=height,
        right=190,
        x_text=lambda value, _: f"{10**value:.2g}" if value < 1.9 else f"{10**value:,.0f}",
    )
    labels: list[tuple[float, float, str, int]] = []
    for number, (name, line) in enumerate(lines.items()):
        cls, shape = f"series-{number % SERIES}", SHAPES[number // SERIES % len(SHAPES)]
        own = sorted((math.log10(max(x, 0.01)), y) for x, y in line if math.isfinite(x))
        if len(own) > 1:
            frame.path(own, cls)
        for x, y in own:
            frame.marker(x, y, shape, cls, f"{name}: {y:.3f} in {10**x:.3g} s", 5.0)
        if own:
            labels.append((frame.across(own[-1][0]) + 9, frame.up(own[-1][1]) + 4, name, number))
    for x, y, name in _apart([(x, y, name) for x, y, name, _ in labels]):
        frame.shapes.append(tag("text", name, x=x, y=y, cls="label"))
    return frame.svg("Score against time")


def standing_alone(chart: Markup) -> str:
    """An SVG file of a drawing, with its own style sheet, light or dark as the reader has it."""
    opened = chart.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    head, rest = opened.split(">", 1)
    bounds = head.split('viewBox="')[1].split('"')[0].split()
    head = head.replace("<svg ", f'<svg width="{bounds[2]}" height="{bounds[3]}" ', 1)
    return f"{head}><style>{STYLE}</style>{rest}\n"


def _apart(labels: Sequence[tuple[float, float, str]], gap: float = 15.0) -> list[tuple[float, float, str]]:
    """Labels that would cover each other are moved down."""
    placed: list[tuple[float, float, str]] = []
    for x, y, name in sorted(labels, key=lambda label: label[1]):
        width = 6.7 * len(name)
        for px, py, before in placed:
            if x < px + 6.7 * len(before) and px < x + width and y < py + gap:
                y = py + gap
        placed.append((x, y, name))
    return placed


def _stroke(colour: str, width: float) -> str:
    return f"fill:none;stroke:var(--{colour});stroke-width:{width:g}"
