"""`autometa predict` on other data, and the options that say how a table is read."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autometa.cli import main
from autometa.cli.reading import reading_of
from autometa.values import Gathered

N = 120


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=N)
    frame = pd.DataFrame({"key": [f"K{i:04d}" for i in range(N)], "x": x, "town": rng.choice(list("abc"), N)})
    return frame.assign(code=[f"0{i % 4 + 1}" for i in range(N)], grade=np.where(x > 0, "01", "1"))


@pytest.fixture(scope="module")
def run(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    table.to_csv(folder / "table.csv", index=False)
    arguments = ["fit", str(folder / "table.csv"), "--trials", "1", "--families", "naive_bayes", "--cold"]
    arguments += ["--no-remember", "--run", str(folder / "run"), "--json", "--types", "code=category", "--drop", "key"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert main(arguments) == 0
    return folder / "run"


def predicted(
    run: Path, frame: pd.DataFrame, tmp_path: Path, capsys, *options: str
) -> tuple[list[dict[str, str]], str]:
    frame.to_csv(tmp_path / "new.csv", index=False)
    assert main(["predict", str(run), str(tmp_path / "new.csv"), *options]) == 0
    shown = capsys.readouterr()
    return list(csv.DictReader(io.StringIO(shown.out))), shown.err


def test_labels_are_written_as_they_were(run, table, tmp_path, capsys):
    rows, said = predicted(run, table, tmp_path, capsys)
    assert {row["prediction"] for row in rows} == {"01", "1"}
    assert np.mean([row["prediction"] for row in rows] == table["grade"]) > 0.9
    assert "Column" not in said


def test_columns_are_carried_beside_the_answers(run, table, tmp_path, capsys):
    rows, _ = predicted(run, table, tmp_path, capsys, "--id", "key")
    assert list(rows[0]) == ["key", "prediction"]
    assert [row["key"] for row in rows] == table["key"].tolist()
    rows, _ = predicted(run, table[table.columns[::-1]], tmp_path, capsys, "--keep-columns")
    assert list(rows[0]) == [*table.columns[::-1], "prediction"]
    assert main(["predict", str(run), str(tmp_path / "new.csv"), "--id", "kye"]) == 2
    assert "Did you mean 'key'?" in capsys.readouterr().err


def test_no_rows_have_no_answers(run, table, tmp_path, capsys):
    (tmp_path / "new.csv").write_text("x,town,code\n")
    code = main(["predict", str(run), str(tmp_path / "new.csv")])
    shown = capsys.readouterr()
    assert (code, shown.out.strip()) == (0, "prediction")


def test_what_cannot_be_read_is_said_on_standard_error_and_in_json_or_refused(run, table, tmp_path, capsys):
    part = table.assign(x=["0.5 kg" if i < 30 else x for i, x in enumerate(table["x"])])
    _, said = predicted(run, part, tmp_path, capsys)
    assert "Column 'x': 30 of 120 cells (25%)" in said
    assert main(["predict", str(run), str(tmp_path / "new.csv"), "--json"]) == 0
    (column,) = json.loads(capsys.readouterr().out)["columns"]
    assert (column["column"], column["share"]) == ("x", 0.25)
    table.assign(x="much").to_csv(tmp_path / "new.csv", index=False)
    assert main(["predict", str(run), str(tmp_path / "new.csv")]) == 2
    assert "--allow-missing" in capsys.readouterr().err
    assert main(["predict", str(run), str(tmp_path / "new.csv"), "--allow-missing"]) == 0


def test_drift_prints_how_the_table_differs(run, table, tmp_path, capsys):
    table.assign(x=table["x"] + 5).to_csv(tmp_path / "new.csv", index=False)
    assert main(["predict", str(run), str(tmp_path / "new.csv"), "--drift"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[0] == "x"
    assert main(["predict", str(run), str(tmp_path / "new.csv"), "--drift", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["columns"][0]["column"] == "x"


def test_the_options_say_how_a_table_is_read():
    gathered = Gathered()
    nothing = dict.fromkeys(("kind", "keep", "drop", "types", "na", "encoding", "header"))
    assert reading_of(gathered, **nothing) == {}
    said = {"kind": "regression", "keep": 'a,"b,c"', "types": "zip=category, when=date", "na": "", "header": False}
    assert reading_of(gathered, **{**nothing, **said}) == {
        "kind": "regression",
        "keep": ("a", "b,c"),
        "types": {"zip": "category", "when": "date"},
        "na": (),
        "header": False,
    }
    assert not gathered.problems
    reading_of(gathered, **{**nothing, "kind": "clustering", "types": "zip"})
    assert len(gathered.problems) == 2


def test_fit_refuses_what_cannot_be_with_everything_else(tmp_path, table, capsys):
    table.to_csv(tmp_path / "t.csv", index=False)
    options = ["--types", "code=word", "--keep", "kee", "--encoding", "utf-9", "--trials", "x"]
    assert main(["fit", str(tmp_path / "t.csv"), *options]) == 2
    said = capsys.readouterr().err
    assert "unknown encoding 'utf-9'" in said
    assert "--trials x" in said
    assert main(["fit", str(tmp_path / "t.csv"), "--types", "code=word", "--keep", "kee", "--trials", "x"]) == 2
    said = capsys.readouterr().err
    assert "unknown type 'word'" in said
    assert "no column 'kee'" in said


FORMULAS = ["=1+1", "@SUM(1)", "+1+cmd|' /C calc'!A0", "-2+3", "\t=1", "\r=1", " =1", "＝1", '=HYPERLINK("x")']


@pytest.fixture(scope="module")
def spread(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose labels are formulas."""
    folder = tmp_path_factory.mktemp("spread")
    labels = np.where(table["x"] > 0, '=HYPERLINK("http://evil")', "@no")
    table[["x"]].assign(town=table["town"], grade=labels).to_csv(folder / "table.csv", index=False)
    arguments = ["fit", str(folder / "table.csv"), "--trials", "1", "--families", "naive_bayes", "--cold"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert main([*arguments, "--no-remember", "--run", str(folder / "run"), "--json"]) == 0
    return folder / "run"


def test_no_cell_is_a_formula_where_that_is_asked_and_else_it_is_said(spread, table, tmp_path, capsys):
    new = table[["x", "town"]].assign(**{"=name": [FORMULAS[i % len(FORMULAS)] for i in range(N)], "-3": ["-1.5"] * N})
    new.to_csv(tmp_path / "new.csv", index=False, quoting=csv.QUOTE_NONNUMERIC)
    words = ["predict", str(spread), str(tmp_path / "new.csv"), "--keep-columns", "--proba", "--out"]
    assert main([*words, str(tmp_path / "bare.csv")]) == 0
    assert f"{2 * N + 1} cells begin as a formula does" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "safe.csv"), "--escape-formulas"]) == 0
    assert f"before {2 * N + 1} cells" in capsys.readouterr().err
    with (tmp_path / "bare.csv").open(newline="") as one, (tmp_path / "safe.csv").open(newline="") as other:
        bare, safe = list(csv.reader(one)), list(csv.reader(other))
    assert [[cell.removeprefix("'") for cell in row] for row in safe] == bare
    for cell in (cell for row in safe for cell in row if cell.lstrip()[:1] in tuple("=+-@＝")):
        float(cell)  # a number, which no spreadsheet runs
    assert main(["predict", str(spread), str(tmp_path / "new.csv"), "--escape-formulas"]) == 0
    assert "'@no" in capsys.readouterr().out


def test_nothing_is_said_of_formulas_where_there_are_none(run, table, tmp_path, capsys):
    _, said = predicted(run, table.assign(key=["-1", "+2.5"] * (N // 2)), tmp_path, capsys, "--id", "key")
    assert "formula" not in said
