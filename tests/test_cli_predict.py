"""`autometa predict` on other data, and the options that say how a table is read."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

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


# --- part by part -----------------------------------------------------------------------------------------------------

PARTS = 40  # rows that a model answers at once


@pytest.fixture
def parted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Everything is answered part by part; the rows of each part that a model was asked."""
    from autometa.search import Model, model, options
    from autometa.task.read import batches, survey

    answer, seen = Model.answer, []
    small = replace(options.OPTIONS, answered_rows=PARTS)
    monkeypatch.setattr(options, "OPTIONS", small)
    monkeypatch.setattr(model, "OPTIONS", small)
    for one in (batches, survey):
        monkeypatch.setattr(one, "OPTIONS", replace(batches.OPTIONS, batched_from_bytes=1, batch_bytes=900))
    monkeypatch.setattr(Model, "answer", lambda self, X: (seen.append(len(X)), answer(self, X))[1])
    return seen


def in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    from autometa.task.read import batches

    monkeypatch.setattr(batches, "OPTIONS", replace(batches.OPTIONS, batched_from_bytes=1 << 40))


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet", "-"])
@pytest.mark.parametrize("options", [("--proba", "--keep-columns", "--escape-formulas"), ("--id", "key")])
def test_answers_part_by_part_are_those_of_one_piece_byte_for_byte(
    run, table, tmp_path, capsys, monkeypatch, parted, form, options
):
    new = pd.concat([table] * 3, ignore_index=True)
    new["town"] = ["Oslo" if i % 3 else town for i, town in enumerate(new["town"])]
    new["size"] = [None if i == 300 else i for i in range(3 * N)]
    odd = [text for text in FORMULAS if form == "parquet" or "\r" not in text]  # a text with one is read in one piece
    new["note"] = [odd[i % len(odd)] if i > 200 else "fine" for i in range(3 * N)]
    path = tmp_path / f"new.{'csv' if form == '-' else form}"
    new.to_parquet(path) if form == "parquet" else new.to_csv(path, index=False)
    said = []
    for out in ("parts.csv", "whole.csv"):
        if form == "-":
            monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(path.read_bytes()), closed=False))
        source = "-" if form == "-" else str(path)
        parted.clear()
        assert main(["predict", str(run), source, "--out", str(tmp_path / out), *options]) == 0
        said.append(capsys.readouterr().err.replace(out, ""))
        if out == "parts.csv":
            assert set(parted) == {PARTS}
            in_one_piece(monkeypatch)
    assert parted[:10] == [3 * N, *[PARTS] * 9]
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert said[0] == said[1]
    assert "Column 'town': 240 of 360 cells" in said[0]


def test_answers_are_the_same_on_standard_output_and_as_parquet(run, table, tmp_path, capsys, parted):
    new = tmp_path / "new.csv"
    pd.concat([table] * 2, ignore_index=True).to_csv(new, index=False)
    words = ["predict", str(run), str(new), "--proba", "--id", "key"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert parted == [PARTS] * 6
    for out in ("out.csv", "out.parquet"):
        assert main([*words, "--out", str(tmp_path / out)]) == 0
    assert (tmp_path / "out.csv").read_text() == printed
    read = pd.read_parquet(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(read, pd.read_csv(tmp_path / "out.csv", dtype={"prediction": str}), check_exact=True)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_nothing_is_written_where_the_input_turns_out_bad_further_down(run, table, tmp_path, capsys, parted, form):
    new = pd.concat([table] * 20, ignore_index=True)
    if form == "csv":
        (tmp_path / "new.csv").write_text(new.to_csv(index=False) + "K,1.5,a,01,1,more\n")
    else:
        new.to_parquet(tmp_path / "new.parquet", row_group_size=200)
        content = bytearray((tmp_path / "new.parquet").read_bytes())
        content[len(content) // 2 : len(content) // 2 + 2000] = b"\x07" * 2000
        (tmp_path / "new.parquet").write_bytes(content)
    (tmp_path / "out.csv").write_text("as it was")
    before = sorted(path.name for path in tmp_path.iterdir())
    for out in (("--out", str(tmp_path / "out.csv")), ()):
        assert main(["predict", str(run), str(tmp_path / f"new.{form}"), *out]) == 2
        shown = capsys.readouterr()
        assert ("line 2402 has 6" if form == "csv" else "damaged parquet data") in shown.err
        assert shown.out == ""
    assert (tmp_path / "out.csv").read_text() == "as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_column_is_lost_where_no_part_of_it_can_be_read(run, table, tmp_path, capsys, parted):
    new = pd.concat([table] * 2, ignore_index=True)
    new.assign(x=["much" if i < 150 else 0.5 for i in range(2 * N)]).to_csv(tmp_path / "new.csv", index=False)
    assert main(["predict", str(run), str(tmp_path / "new.csv"), "--out", str(tmp_path / "out.csv")]) == 0
    assert "Column 'x': 150 of 240 cells" in capsys.readouterr().err
    assert parted == [PARTS] * 6
    new.assign(x="much").to_csv(tmp_path / "new.csv", index=False)
    assert main(["predict", str(run), str(tmp_path / "new.csv")]) == 2
    assert "Column 'x': 240 of 240 cells" in capsys.readouterr().err
    new.drop(columns="x").to_csv(tmp_path / "new.csv", index=False)
    assert main(["predict", str(run), str(tmp_path / "new.csv")]) == 2
    assert "no column 'x'" in capsys.readouterr().err
    assert main(["predict", str(run), str(tmp_path / "new.csv"), "--allow-missing"]) == 0
