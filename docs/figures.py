"""Figures exist once: in `benchmarks/results`, where the programs that measure them write.

Pages include whole tables, and name single figures by the role `result`: its file, the first cell of its row, the title
of its column, and, where a file has several such tables, the heading that stands above it. Of JSON lines, which
lines are meant, what of them (that of the last; `max`, `min`, `mean`, `median`, `sum`, `count` of all), and its format.

    {result}`suite/report.md; AutoMeta; average rank`
    {result}`own_studies.md; warm; 10; plain`
    {result}`speed.jsonl; measure=budget, budget>=10; max peak_ram / 1e9; .1f`
    {result}`suite/results.jsonl; fold=0; rank of autometa; .2f`

What is not there fails the build, and each figure is a link to what it comes from: command, version, machine and day,
on a page that is made of the same files. The README cannot have roles, so its table is drawn by

    python docs/figures.py    # between its marks, anew

and a test says when that is due.
"""

from __future__ import annotations

import json
import operator
import re
import statistics
from collections.abc import Callable, Mapping
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


def results(file: str) -> str:
    """What a file of the results holds.

    Raises:
        MissingFigureError: There is no such file.
    """
    path = RESULTS / file
    if not path.is_file():
        raise MissingFigureError(f"there is no benchmarks/results/{file}")
    return path.read_text(encoding="utf-8")


def figure(file: str, row: str, column: str, heading: str = "") -> str:
    """One cell of a table in the results.

    Raises:
        MissingFigureError: There is no such file, row or column.
    """
    for above, titles, rows in tables(results(file)):
        if heading in above and column in titles:
            for line in rows:
                if line and line[0] == row:
                    return line[titles.index(column)]
    where = f" under a heading with {heading!r}" if heading else ""
    raise MissingFigureError(
        f"benchmarks/results/{file} has no table with a row {row!r} and a column {column!r}{where}"
    )


COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
OF_ALL: Mapping[str, Callable[[list[float]], float]] = {
    "max": max,
    "min": min,
    "mean": statistics.fmean,
    "median": statistics.median,
    "sum": sum,
    "count": len,
}


def part(record: Mapping[str, Any], name: str) -> Any:
    """What a record has under a name, or under names within one another, with points between them."""
    value: Any = record
    for key in name.split("."):
        value = value[key]
    return value


def meant(record: Mapping[str, Any], conditions: str) -> bool:
    """Whether a record fulfils conditions such as `measure=budget, budget>=10`; of a list its length counts."""
    for condition in filter(None, re.split(r",\s*(?=[\w.]+[!<>=])", conditions.strip())):
        match = re.fullmatch(r"([\w.]+)(!=|>=|<=|=|>|<)(.*)", condition)
        if match is None:
            raise MissingFigureError(f"{condition!r} is no condition: write field=value")
        try:
            value = part(record, match[1])
        except (KeyError, TypeError):
            return False
        value = len(value) if isinstance(value, list) else value
        wanted: Any = float(match[3]) if isinstance(value, (int, float)) and not isinstance(value, bool) else match[3]
        if not COMPARED[match[2]](str(value).lower() if isinstance(value, bool) else value, wanted):
            return False
    return True


def counted(file: str, conditions: str, value: str, written: str = "") -> str:
    """A figure made of the JSON lines of a file.

    Raises:
        MissingFigureError: There is no such file, line or field.
    """
    lines = map(json.loads, results(file).splitlines())
    records = [record for record in lines if meant(record, conditions)]
    if not records:
        raise MissingFigureError(f"no line of benchmarks/results/{file} has {conditions!r}")
    if value.startswith("rank of "):
        return format(suite_rank(file, conditions, value.removeprefix("rank of ")), written)
    match = re.fullmatch(rf"(?:({'|'.join(OF_ALL)})\b ?)?([\w.]*)(?: / ([\d.e]+))?", value)
    if match is None:
        raise MissingFigureError(f"{value!r} is no figure: write max field / 1e9")
    of_all, field, unit = match.groups()
    try:
        values = [part(record, field) for record in records] if field else [1.0] * len(records)
    except (KeyError, TypeError):
        raise MissingFigureError(f"not every such line of benchmarks/results/{file} has {field!r}") from None
    number = OF_ALL[of_all](values) if of_all else values[-1]
    return format(number / float(unit) if unit else number, written)


def suite_rank(file: str, conditions: str, method: str) -> float:
    """The average rank of a method's cells in a file, among those of all other methods of the suite."""

    def cells_of(name: str) -> list[dict[str, Any]]:
        lines = map(json.loads, (RESULTS / name).read_text(encoding="utf-8").splitlines())
        return [record for record in lines if meant(record, conditions)]

    scores: dict[tuple[str, int], list[float]] = {}
    for cell in cells_of("suite/results.jsonl"):
        if cell["method"] != method:
            scores.setdefault((cell["task"], cell["fold"]), []).append(cell["score"])
    ranks = []
    for cell in cells_of(file):
        if cell["method"] == method:
            others = scores[cell["task"], cell["fold"]]
            ahead = sum(other > cell["score"] for other in others)
            ranks.append(1 + ahead + sum(other == cell["score"] for other in others) / 2)
    if not ranks:
        raise MissingFigureError(f"no cell of benchmarks/results/{file} is of {method!r} and has {conditions!r}")
    return statistics.fmean(ranks)


def looked_up(text: str) -> str:
    """What the role `result` shows for its text."""
    file, *rest = (part.strip() for part in " ".join(text.split()).split(";"))
    try:
        return counted(file, *rest) if file.endswith(".jsonl") else figure(file, *rest)
    except TypeError:
        raise MissingFigureError(f"{text!r} has too few or too many parts") from None


# ------------------------------------------------------------------------------------------- where figures come from

SUITE = "autometa bench --suite benchmarks/suite.csv --folds 0-2 --time 60"
PROGRAMS = {  # whose results are not called as they are
    "bench": "suite.py --overhead",
    "faults": "make faults",
    "fewshot_curves": "fewshot.py",
    "made_tables": "made_tables.py --judge",
    "own_studies-validation": "own_studies.py --half validation",
    "scale_beside": "scale.py --beside",
    "small_tables_memory": "small_tables.py --memory",
    "suite/costs": "autometa bench --suite benchmarks/suite.csv",
    "suite/gaussian_process": "autometa bench --suite benchmarks/suite.csv",
    "suite/later": SUITE,
    "suite/report": SUITE,
    "suite/results": SUITE,
}
RECORDS = {"suite/report": "suite/results"}  # a table -> the lines that it is made of, where these are called otherwise


def label(file: str) -> str:
    """The anchor of a file of results on the page of their origins."""
    return "results-" + re.sub(r"\W+", "-", file.rpartition(".")[0])


def command(stem: str) -> str:
    """What measures a file of results."""
    words = PROGRAMS.get(stem, f"{stem}.py")
    return f"python benchmarks/{words}" if re.match(r"\w+\.py", words) else words


def told(values: list[str], most: int = 3) -> str:
    """Different values in a line, the last few of many."""
    different = list(dict.fromkeys(filter(None, values)))
    more = f"{len(different) - most} others, " if len(different) > most else ""
    return more + "; ".join(different[-most:])


def origin(stem: str) -> tuple[str, str, str]:
    """Versions, machines and days of a file of results, as far as it has them."""
    path = RESULTS / f"{RECORDS.get(stem, stem)}.jsonl"
    versions, machines, days = [], [], []
    for record in map(json.loads, path.read_text(encoding="utf-8").splitlines()) if path.is_file() else ():
        found = record.get("versions") or {}
        version = str(
            record.get("revision") or record.get("version") or found.get("autometa-ml") or found.get("autometa", "")
        )
        versions.append(version.removeprefix("0.1.0 ") or ", ".join(f"{name} {one}" for name, one in found.items()))
        machine = record.get("machine") or ""
        if isinstance(machine, dict):
            cores = machine.get("cpus") or machine.get("cores")
            machine = f"{machine.get('processor', '')}, {cores} CPUs" if cores else str(machine.get("processor", ""))
        python = record.get("python") or ""
        machines.append(", ".join(filter(None, [str(machine), f"Python {python}" if python else ""])))
        days.append(str(record.get("when") or record.get("date") or "")[:10])
    days = sorted(filter(None, days))
    return told(versions), told(machines), " to ".join(dict.fromkeys((days[0], days[-1]))) if days else ""


def origins() -> str:
    """The page that says of every file of results what measured it, with which version, where and when."""
    files: dict[str, list[str]] = {}
    for path in sorted([*RESULTS.rglob("*.md"), *RESULTS.rglob("*.jsonl")]):
        stem, _, kind = path.relative_to(RESULTS).as_posix().rpartition(".")
        files.setdefault(stem, []).append(kind)
    parts = [
        "---\norphan: true\n---\n",
        "# Where figures come from\n",
        "Every figure that these pages name is looked up, when they are built, in a file of `benchmarks/results`, and "
        "leads here. A program appends a line of JSON for each thing it measures; what the lines say of themselves is "
        "below. [benchmarks/README.md](benchmarks_README.md) says what each program asks.\n",
    ]
    for stem, kinds in files.items():
        version, machine, days = origin(stem)
        said = [f"`{command(stem)}`", version and f"version {version}", machine and f"on {machine}", days]
        where = " and ".join(f"`{stem}.{kind}`" for kind in kinds)
        parts.append(f"({label(f'{stem}.md')})=\n\n## {stem}\n")
        parts.append(f"{', '.join(filter(None, said))}; in {where}.\n")
    return "\n".join(parts)


# ------------------------------------------------------------------------------------------- the README


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
    lines += ["", f"({machine[2]}, {machine[1]}; `{SUITE}`. p is Wilcoxon's over datasets, after Holm's correction.)"]
    return "\n".join(lines)


def presets() -> str:
    """The README's sentence on AutoGluon's presets that bag: each budget and number of cores that was measured."""
    report, said = "fit-presets.md", []
    text = (RESULTS / report).read_text(encoding="utf-8")
    for seconds, cores, datasets in re.findall(r"^## (\d+) s, (\d+) cores, (\d+) datasets", text, re.MULTILINE):
        heading = f"{seconds} s, {cores} cores"
        against = []
        for preset in ("best_quality", "best_quality_v150"):
            won, _, lost = figure(report, f"autogluon-{preset}", "wins / ties / losses", heading).split(" / ")
            against.append(f"{won} : {lost} against `{preset}`")
        rank = figure(report, "autometa", "average rank", heading)
        budget = f"{int(seconds) // 60} min" if int(seconds) % 60 == 0 else f"{seconds} s"
        on = "one core" if cores == "1" else f"{cores} cores"
        said.append(f"{budget}, {on}, {datasets} tables: {', '.join(against)}, average rank {rank} of three")
    version = re.search(r"autogluon\.tabular ([\d.]+\d)", text)
    assert version is not None
    return f"AutoGluon {version[1]} with its presets that bag, wins and losses. {'; '.join(said)}."


DRAWN = {"suite": suite_table, "presets": presets}


def drawn(text: str) -> str:
    """A text whose marked parts are drawn anew."""

    def draw(match: re.Match[str]) -> str:
        return f"<!-- figures: {match[1]} -->\n{DRAWN[match[1]]()}\n<!-- /figures -->"

    return re.sub(r"<!-- figures: (\w+) -->\n.*?<!-- /figures -->", draw, text, flags=re.DOTALL)


def setup(app: Sphinx) -> dict[str, Any]:
    """Makes the role `result` known to Sphinx."""
    from docutils import nodes
    from docutils.parsers.rst.states import Inliner
    from sphinx.addnodes import pending_xref

    def role(
        name: str, raw: str, text: str, line: int, inliner: Inliner, options: Any = None, content: Any = None
    ) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            shown = nodes.inline(raw, looked_up(text))
            file = text.partition(";")[0].strip()
            to = {"reftype": "ref", "refdomain": "std", "reftarget": label(file), "refexplicit": True, "refwarn": True}
            return [pending_xref(raw, shown, refdoc=app.env.docname, **to)], []
        except MissingFigureError as error:
            message = inliner.reporter.error(f"{raw}: {error}", line=line)
            return [inliner.problematic(raw, raw, message)], [message]

    app.add_role("result", role)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    README.write_text(drawn(README.read_text(encoding="utf-8")), encoding="utf-8")
