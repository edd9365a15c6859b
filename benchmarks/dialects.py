"""Is a table the same however it was written? The shared tables as CSV in five dialects, beside their parquet.

    python benchmarks/dialects.py                      367 tables in five dialects: an hour of one core
    python benchmarks/dialects.py --tables adult avila --dialects german
    python benchmarks/dialects.py --quick              ten small tables
    python benchmarks/dialects.py --report             the counts of what was read, by dialect

Each table is written by this program (not by what reads it), read by `read_task`, and compared with the task that its
parquet makes: names and types of the columns, every number to its last bit, every category, text and missing cell, the
kind and the label of every row. A CSV has no types: of columns of categories that spell numbers it is said (`types`)
that they hold categories, and the kind of task is the catalogue's; that is all that is said. Appends a JSON line a
table to `results/dialects.jsonl`; may be stopped and started again, what is there is not repeated.
"""

from __future__ import annotations

import argparse
import csv
import importlib.metadata
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autometa.errors import InputError
from autometa.task import Task, read_task

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared" / "data"
RESULTS = HERE / "results" / "dialects.jsonl"
SMALL = ("Australian", "MiceProtein", "Moneyball", "ESL", "GlaucomaM", "credit-g", "kin8nm", "cmc", "car", "spambase")
WEST = ("cp1252", "utf-8-sig")  # the second where the first lacks a letter


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a program of some country writes a table."""

    delimiter: str
    encodings: tuple[str, ...] = ("utf-8",)  # the first that has every letter
    end: str = "\n"
    quote: str = '"'
    escape: str = ""  # before a quote within a cell; "" doubles it
    every: bool = False  # whether every text is quoted
    missing: str = ""
    number: Callable[[str], str] = lambda text: text  # how 1234.5 is written


def german(text: str) -> str:
    """A comma for the decimal point, and points between thousands.

    Example:
        >>> german("-1234567.25"), german("-0.5"), german("999"), german("1e-07")
        ('-1.234.567,25', '-0,5', '999', '1e-07')
    """
    whole, point, fraction = text.partition(".")
    if not whole.lstrip("-").isdigit():
        return text
    sign = "-" if whole.startswith("-") else ""
    return sign + f"{abs(int(whole)):,}".replace(",", ".") + ("," + fraction if point else "")


DIALECTS = {
    "plain": Dialect(","),
    "german": Dialect(";", WEST, "\r\n", number=german),
    "wide": Dialect("\t", ("utf-16",), "\r\n", missing="NA"),
    "bars": Dialect("|", ("latin-1", "utf-8"), every=True),
    "single": Dialect(",", quote="'", escape="\\", every=True, missing="?"),
}


def written(frame: pd.DataFrame, dialect: Dialect) -> bytes:  # (n, p)
    """A table in a dialect."""
    columns = [_cells(frame.iloc[:, i], dialect) for i in range(frame.shape[1])]
    head = dialect.delimiter.join(_text(str(name), dialect) for name in frame.columns)
    rows = map(dialect.delimiter.join, zip(*columns, strict=True))
    text = dialect.end.join([head, *rows, ""])
    for encoding in dialect.encodings:
        try:
            return text.encode(encoding)
        except UnicodeEncodeError:
            continue
    raise AssertionError(f"{dialect.encodings} have not every letter")


def _cells(column: pd.Series, dialect: Dialect) -> list[str]:  # (n,) -> (n,)
    if isinstance(column.dtype, pd.CategoricalDtype):
        texts = [_text(str(one), dialect) for one in column.cat.categories] + [dialect.missing]
        return [texts[code] for code in column.cat.codes.tolist()]
    if pd.api.types.is_float_dtype(column.dtype):
        return [dialect.missing if np.isnan(v) else dialect.number(_decimal(v)) for v in column.tolist()]
    if pd.api.types.is_numeric_dtype(column.dtype):
        return [dialect.number(str(v)) for v in column.tolist()]
    return [dialect.missing if pd.isna(v) else _text(str(v), dialect) for v in column.tolist()]


def _decimal(value: float) -> str:
    return str(int(value)) + ".0" if value.is_integer() and abs(value) < 1e15 else repr(value)


def _text(text: str, dialect: Dialect) -> str:
    special = (dialect.delimiter, dialect.quote, "\n", "\r", *dialect.escape)
    if not dialect.every and text and not any(sign in text for sign in special):
        return text
    if dialect.escape:
        text = text.replace(dialect.escape, 2 * dialect.escape)
    return (
        dialect.quote + text.replace(dialect.quote, (dialect.escape or dialect.quote) + dialect.quote) + dialect.quote
    )


def differences(expected: Task, found: Task) -> list[str]:
    """What is not the same in two tasks of one table; nothing where they are equal."""
    if list(expected.X) != list(found.X):
        pairs = {*_typed(expected)} ^ {*_typed(found)}
        return [f"columns: {', '.join(f'{name} {kind}' for name, kind in sorted(pairs)) or 'another order'}"[:300]]
    out = [f"{one}: {getattr(expected, one)} became {getattr(found, one)}" for one in ("n", "kind", "target")
           if getattr(expected, one) != getattr(found, one)]  # fmt: skip
    if out:
        return out
    for (name, before), (_, after) in zip(expected.X.items(), found.X.items(), strict=True):
        if isinstance(before.dtype, pd.CategoricalDtype):
            same = before.astype(object).where(before.notna(), None).tolist() == (
                after.astype(object).where(after.notna(), None).tolist()
            )
        elif pd.api.types.is_numeric_dtype(before.dtype):
            same = pd.api.types.is_numeric_dtype(after.dtype) and np.array_equal(before, after, equal_nan=True)
        else:
            same = before.tolist() == after.tolist()
        if not same:
            rows = np.flatnonzero((before.astype(str) != after.astype(str)).to_numpy())
            at = int(rows[0]) if len(rows) else 0
            out.append(f"{name}: {len(rows)} cells, such as {before.iloc[at]!r} that became {after.iloc[at]!r}"[:200])
    labels = [[str(one.classes[code]) for code in one.y] if one.c else one.y.tolist() for one in (expected, found)]
    if labels[0] != labels[1]:
        out.append(f"labels: {str(expected.classes)[:80]} became {str(found.classes)[:80]}")
    return out


def _typed(task: Task) -> Iterator[tuple[str, str]]:
    for kind in ("numeric", "categorical", "text"):
        yield from ((name, kind) for name in getattr(task.columns, kind))


def codes(frame: pd.DataFrame) -> dict[str, str]:
    """What is said of columns of categories that spell numbers."""
    return {
        name: "category"
        for name, column in frame.items()
        if isinstance(column.dtype, pd.CategoricalDtype) and name != "target" and _spell_numbers(column.cat.categories)
    }


def _spell_numbers(texts: pd.Index) -> bool:
    try:
        return len(texts) > 0 and len([float(str(text).replace(",", "")) for text in texts]) > 0
    except ValueError:
        return False


def compare(data: Path, name: str, kind: str, dialects: list[str]) -> dict[str, Any]:
    """One table in these dialects: what differs from its parquet in each."""
    path = data / "tabular" / f"{name}.parquet"
    frame = pd.read_parquet(path)
    types, said = codes(frame), {"target": "target", "kind": kind}
    expected = read_task(path, types=types, **said)
    line: dict[str, Any] = {"table": name, "rows": len(frame), "columns": frame.shape[1] - 1, "said": len(types)}
    line["differences"] = {}
    for one in dialects:
        try:
            found = read_task(written(frame, DIALECTS[one]), types=types, **said)
            line["differences"][one] = differences(expected, found)[:5]
        except InputError as error:
            line["differences"][one] = [f"refused: {error}"[:300]]
    return line


def finished() -> dict[str, dict[str, Any]]:
    """The lines so far by table, what is newer over what is older."""
    lines = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
    out: dict[str, dict[str, Any]] = {}
    for line in map(json.loads, lines):
        before = out.get(line["table"], {"differences": {}})["differences"]
        out[line["table"]] = {**line, "differences": before | line["differences"]}
    return out


def report() -> None:
    """Prints how many tables are the same in each dialect, and what differs in the others."""
    lines = finished()
    print(f"{'dialect':<10}{'tables':>8}{'equal':>8}{'cells':>15}")
    for dialect in DIALECTS:
        own = [line for line in lines.values() if dialect in line["differences"]]
        equal = [line for line in own if not line["differences"][dialect]]
        cells = sum(line["rows"] * (line["columns"] + 1) for line in equal)
        print(f"{dialect:<10}{len(own):>8}{len(equal):>8}{cells:>15,}")
    for name, line in sorted(lines.items()):
        for dialect, found in line["differences"].items():
            for one in found:
                print(f"{name}, {dialect}: {one}")


def main() -> None:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with catalog.csv and tabular/")
    parser.add_argument("--tables", nargs="+", metavar="NAME")
    parser.add_argument("--dialects", nargs="+", choices=DIALECTS, default=list(DIALECTS))
    parser.add_argument("--again", action="store_true", help="also what was read before")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    if arguments.report:
        report()
        return
    with (arguments.data / "catalog.csv").open(encoding="utf-8") as file:
        kinds = {row["name"]: row["task"] for row in csv.DictReader(file)}
    names = arguments.tables or (SMALL if arguments.quick else list(kinds))
    done = {} if arguments.again else finished()
    for name in names:
        left = [one for one in arguments.dialects if one not in done.get(name, {"differences": {}})["differences"]]
        if not left:
            continue
        began = time.monotonic()
        line = compare(arguments.data, name, kinds[name], left)
        line["seconds"] = round(time.monotonic() - began, 1)
        line["versions"] = {one: importlib.metadata.version(one) for one in ("autometa-ml", "pandas", "pyarrow")}
        line["machine"] = {"processor": platform.processor() or platform.machine(), "cores": 1}
        with RESULTS.open("a", encoding="utf-8") as results:
            results.write(json.dumps(line) + "\n")
        different = {one: found for one, found in line["differences"].items() if found}
        print(f"{name}: {different or 'equal'} ({line['seconds']} s)", flush=True)
    report()


if __name__ == "__main__":
    main()
