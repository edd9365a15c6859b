"""Figures exist once: in `benchmarks/results`, where the programs that measure them write.

Pages include whole tables, and name single figures by the role `result`: its file, the first cell of its row, the title
of its column, and, where a file has several such tables, the heading that stands above it.

    {result}`suite/report.md; AutoMeta; average rank`
    {result}`own_studies.md; warm; 10; plain`

What is not there fails the build. The README cannot have roles, so its table is drawn by

    python docs/figures.py    # between its marks, anew

and a test says when that is due.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
README = ROOT / "README.md"


class MissingFigureError(ValueError):
    """A figure that no results file has."""


def cells(line: str) -> list[str]:
    """The cells of one line of a Markdown table, without their marks."""
    return [cell.strip().strip("*") for cell in line.strip().strip("|").split("|")]


def tables(text: str) -> list[tuple[str, list[str], list[list[str]]]]:
    """Every table of a Markdown text: the headings above it, the titles of its columns, its rows."""
    found, above, lines = [], {}, text.splitlines()
    for number, line in enumerate(lines):
        if heading := re.match(r"(#+) (.+)", line):
            above = {level: words for level, words in above.items() if level < len(heading[1])}
            above[len(heading[1])] = heading[2]
        elif re.fullmatch(r"\|[\s|:-]+\|", line.strip()):
            rows = []
            for row in lines[number + 1 :]:
                if not row.startswith("|"):
                    break
                rows.append(cells(row))
            found.append((" / ".join(above.values()), cells(lines[number - 1]), rows))
    return found


def figure(file: str, row: str, column: str, heading: str = "") -> str:
    """One cell of a table in the results.

    Raises:
        MissingFigureError: There is no such file, row or column.
    """
    path = RESULTS / file
    if not path.is_file():
        raise MissingFigureError(f"there is no benchmarks/results/{file}")
    for above, titles, rows in tables(path.read_text(encoding="utf-8")):
        if heading in above and column in titles:
            for line in rows:
                if line and line[0] == row:
                    return line[titles.index(column)]
    where = f" under a heading with {heading!r}" if heading else ""
    raise MissingFigureError(
        f"benchmarks/results/{file} has no table with a row {row!r} and a column {column!r}{where}"
    )


def suite_table() -> str:
    """The README's table: the methods of the suite, and AutoMeta against each."""
    report = "suite/report.md"
    text = (RESULTS / report).read_text(encoding="utf-8")
    methods = next(rows for _, titles, rows in tables(text) if titles[:2] == ["method", "average rank"])
    versions = dict(re.findall(r"(autogluon\.tabular|flaml|optuna|lightgbm|scikit-learn) ([\d.]+\d)", text))
    described = {
        "AutoMeta": "**AutoMeta**",
        "AutoGluon": f"AutoGluon {versions['autogluon.tabular']}, default preset (`medium_quality`)",
        "cold TPE": f"cold TPE: AutoMeta without memory, Optuna {versions['optuna']}",
        "best default": "best default of all families, no time limit",
        "FLAML": f"FLAML {versions['flaml']}",
        "LightGBM default": f"LightGBM {versions['lightgbm']}, default",
        "random forest": f"random forest of scikit-learn {versions['scikit-learn']}",
    }
    lines = ["| | average rank (95 %) | AutoMeta wins / ties / losses | p |", "|---|---|---|---|"]
    for name, *_ in methods:
        rank, between = (figure(report, name, column) for column in ("average rank", "95 % interval"))
        against = ["", ""]
        if name != "AutoMeta":
            against = [figure(report, name, column) for column in ("wins / ties / losses", "Wilcoxon p (Holm)")]
        lines.append(f"| {described[name]} | {rank} ({between}) | {against[0]} | {against[1]} |")
    machine = re.search(r"^- (.*?, Python [\d.]+); (AutoMeta \S+ \w+);", text, re.MULTILINE)
    assert machine is not None
    command = "`autometa bench --suite benchmarks/suite.csv --folds 0-2 --time 60`"
    lines += ["", f"({machine[2]}, {machine[1]}; {command}. p is Wilcoxon's over datasets, after Holm's correction.)"]
    return "\n".join(lines)


DRAWN = {"suite": suite_table}


def drawn(text: str) -> str:
    """A text whose marked parts are drawn anew."""

    def draw(match: re.Match[str]) -> str:
        return f"<!-- figures: {match[1]} -->\n{DRAWN[match[1]]()}\n<!-- /figures -->"

    return re.sub(r"<!-- figures: (\w+) -->\n.*?<!-- /figures -->", draw, text, flags=re.DOTALL)


def setup(app: Sphinx) -> dict[str, Any]:
    """Makes the role `result` known to Sphinx."""
    from docutils import nodes
    from docutils.parsers.rst.states import Inliner

    def role(
        name: str, raw: str, text: str, line: int, inliner: Inliner, options: Any = None, content: Any = None
    ) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            return [nodes.inline(raw, figure(*(part.strip() for part in text.split(";"))))], []
        except (MissingFigureError, TypeError) as error:
            message = inliner.reporter.error(f"{raw}: {error}", line=line)
            return [inliner.problematic(raw, raw, message)], [message]

    app.add_role("result", role)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    README.write_text(drawn(README.read_text(encoding="utf-8")), encoding="utf-8")
