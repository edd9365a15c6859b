"""Promises of the benchmark of optional families: its choice of tables, what a newcomer changes, and its verdicts."""

from __future__ import annotations

import csv
import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def program():
    """The program as a module; its folder is on the path only while it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "benchmarks"))
        import optional_families

        yield optional_families
        for name in ("optional_families", "optional_newcomers"):
            sys.modules.pop(name, None)


@pytest.fixture
def table(program, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=120), "z": rng.normal(size=120)})
    frame["target"] = frame["x"] + rng.normal(size=120)
    frame.to_parquet(path := tmp_path / "made.parquet")
    return program.Table(path, rows=100)


def test_chosen_tables_are_real_of_the_sizes_named_and_no_two_of_a_family(program, tmp_path):
    fields = "name", "task", "n_rows", "n_features", "n_classes", "minority_fraction", "family", "origin"
    with (path := tmp_path / "catalog.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(fields)
        for kind in program.EACH:
            values = kind == "regression"
            for i in range(60):
                classes = ["", ""] if values else [3, (0.3, 0.001)[i % 5 == 4]]
                origin = "simulated" if i % 10 == 9 else "real"
                writer.writerow([f"{kind}{i}", kind, (400, 600, 5_000, 30_000)[i % 4], 9, *classes, i // 2, origin])
    chosen = program.choose(path)
    assert [row["task"] for row in chosen[:6]] == ["binary", "multiclass", "regression"] * 2
    assert {kind: sum(row["task"] == kind for row in chosen) for kind in program.EACH} == program.EACH
    assert len({row["family"] for row in chosen}) == len(chosen)
    assert {row["n_rows"] for row in chosen} <= {"600", "5000"}
    assert all(row["origin"] == "real" and row["minority_fraction"] != "0.001" for row in chosen)


def test_one_that_knows_the_truth_takes_the_ensemble_and_one_that_knows_nothing_has_no_say(program, table):
    known, unseen = table.y[table.known], table.y[table.unseen]
    rng = np.random.default_rng(1)
    usual = {"held": known + rng.normal(size=len(known)), "later": unseen + rng.normal(size=len(unseen))}
    truth = {"held": known, "later": unseen}
    noise = {"held": 50 * rng.normal(size=len(known)), "later": 50 * rng.normal(size=len(unseen))}
    loss, weights = table.ensemble({"usual": usual, "truth": truth})
    assert loss == pytest.approx(0)
    assert weights == {"truth": 1.0}
    assert table.ensemble({"usual": usual, "noise": noise}) == table.ensemble({"usual": usual})


def test_every_row_that_is_learned_from_is_held_out_once_and_none_that_judges(program, table):
    held = np.concatenate([out for _, out in table.folds])
    assert np.array_equal(np.sort(held), np.arange(len(table.known)))
    assert not set(table.known) & set(table.unseen)
    for learn, out in table.folds:
        assert not set(learn) & set(table.known[out])


def test_a_newcomer_answers_for_each_fold_in_a_process_that_has_nothing_of_ours(program, tmp_path, monkeypatch):
    import optional_newcomers

    def mean(kind, q, X, y):
        return lambda Z: np.full(len(Z), y.mean())

    one = optional_newcomers.Newcomer(mean, "numpy", "2", "BSD", "numpy", "codes")
    monkeypatch.setitem(optional_newcomers.NEWCOMERS, "mean", one)
    monkeypatch.setattr(optional_newcomers.resource, "setrlimit", lambda *limits: None)
    folds = [(np.zeros((4, 1)), np.arange(4.0), np.zeros((2, 1)), np.zeros((3, 1)))] * 3
    (tmp_path / "cell.pkl").write_bytes(pickle.dumps({"kind": "regression", "q": 0, "folds": folds}))
    optional_newcomers.answer(tmp_path, "mean")
    said = pickle.loads((tmp_path / "answer.pkl").read_bytes())
    assert [part.tolist() for part in said["held"]] == [[1.5, 1.5]] * 3
    assert [len(part) for part in said["later"]] == [3, 3, 3]
    assert len(said["seconds"]) == 3


@pytest.mark.parametrize(("ratio", "seconds", "worth"), [(0.98, 1.0, "yes"), (0.999, 1.0, "no"), (0.98, 9.0, "no")])
def test_the_verdict_is_the_rule_s(program, tmp_path, ratio, seconds, worth):
    path = tmp_path / "results.jsonl"
    names = (*program.NEWCOMERS, program.CONTROL)
    for i in range(12):
        candidates = {name: {"out_of_fold": 1.0, "unseen": 1.0, "seconds": 2.0} for name in (*program.OURS, *names)}
        candidates["xrfm"]["seconds"] = seconds
        ensembles = {name: {"loss": 1.0, "weight": 0.0} for name in ("ours", *names)}
        ensembles["xrfm"]["loss"] = ratio - i / 1e6
        line = {"table": f"t{i}", "kind": "binary", "rows": 9, "candidates": candidates, "ensembles": ensembles}
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    verdicts = {row.split("|")[1].strip(): row.split("|")[-2].strip() for row in program.report(path).splitlines()[5:]
                if row.startswith(("| xrfm", "| perpetual"))}  # fmt: skip
    assert verdicts == {"xrfm": worth, "perpetual": "no"}
