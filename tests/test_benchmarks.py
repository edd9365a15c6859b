"""Promises of the comparison benchmark: its choice of data, its scores, and its report, on results made up here."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def fit():
    """The program as a module; its folder is on the path only while it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "benchmarks"))
        import fit

        yield fit
        sys.modules.pop("fit", None)
        sys.modules.pop("answering", None)


@pytest.fixture
def catalog(tmp_path):
    """Forty datasets of each kind; every second one is a variant of the one before it, every tenth is simulated."""
    path = tmp_path / "catalog.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        fields = ["name", "task", "n_rows", "minority_fraction", "family", "origin", "in_cc18", "in_amlb"]
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        for kind in ("binary", "multiclass", "regression"):
            for i in range(40):
                rows = (400, 600, 5_000, 30_000)[i % 4]
                origin = "simulated" if i % 10 == 9 else "real"
                row = [f"{kind}{i}", kind, rows, 0.3, f"{kind}{i // 2}", origin, int(i % 5 == 0), 0]
                writer.writerow(dict(zip(fields, row, strict=True)))
    return path


def test_the_chosen_datasets_are_real_of_different_families_and_of_every_size(fit, catalog):
    chosen = fit.choose(catalog)
    assert [d.kind for d in chosen] == ["binary", "multiclass", "regression"] * 8
    assert len({d.family for d in chosen}) == 24
    assert {d.rows for d in chosen} == {600, 5_000, 30_000}
    assert not {d.name for d in chosen} & {f"{kind}{i}" for kind in fit.METRICS for i in range(9, 40, 10)}
    assert fit.choose(catalog) == chosen


def test_a_longer_list_of_datasets_begins_with_the_shorter_one(fit, catalog):
    assert fit.choose(catalog, each=5)[:9] == fit.choose(catalog, each=3)


def test_both_parts_of_a_split_hold_every_class(fit):
    frame = pd.DataFrame({"x": range(200), "target": pd.Categorical(["a"] * 150 + ["b"] * 30 + ["c"] * 20)})
    train, test = fit.split(frame, "multiclass")
    assert len(test) == 50
    assert set(train["x"]) | set(test["x"]) == set(range(200))
    counts = test["target"].value_counts()
    assert all(abs(counts[label] - expected) < 1 for label, expected in {"a": 37.5, "b": 7.5, "c": 5}.items())


def test_scores_are_those_of_scikit_learn(fit):
    rng = np.random.default_rng(0)
    y, p = rng.choice(["no", "yes"], 90), rng.random(90)
    two = np.column_stack([1 - p, p])
    assert fit.score("binary", y, np.array(["no", "yes"]), two) == pytest.approx(roc_auc_score(y == "yes", p))
    assert fit.score("binary", y, np.array(["yes", "no"]), two[:, ::-1]) == pytest.approx(roc_auc_score(y == "yes", p))
    labels, three = rng.choice(["a", "b", "c"], 90), rng.dirichlet([1, 1, 1], 90)
    expected = -log_loss(labels, three, labels=["a", "b", "c"])
    assert fit.score("multiclass", labels, np.array(["a", "b", "c"]), three) == pytest.approx(expected)
    assert fit.score("multiclass", labels, np.array(["c", "b", "a"]), three[:, ::-1]) == pytest.approx(expected)
    z, q = rng.normal(size=90), rng.normal(size=90)
    assert fit.score("regression", z, np.array([]), q) == pytest.approx(-root_mean_squared_error(z, q))


def test_a_class_that_the_method_never_saw_costs_it_dearly_but_not_infinitely(fit):
    y, classes = np.array(["a", "b"]), np.array(["a"])
    assert fit.score("multiclass", y, classes, np.ones((2, 1))) == pytest.approx(np.log(1e-15) / 2)


def test_a_prediction_that_is_not_finite_is_refused(fit):
    with pytest.raises(ValueError, match="not finite"):
        fit.score("binary", np.array(["a", "b"]), np.array(["a", "b"]), np.full((2, 2), np.nan))


def test_failures_rank_last_and_equals_share_their_rank(fit):
    assert fit.ranks(np.array([[0.9, 0.9, np.nan, 0.1], [0.1, 0.2, 0.3, 0.4]])).tolist() == [
        [1.5, 1.5, 4, 3],
        [4, 3, 2, 1],
    ]


def test_holm_is_bonferroni_for_the_smallest_and_never_falls(fit):
    assert fit.holm([0.04, 0.01, 0.03]) == [0.06, 0.03, 0.06]


def record(dataset, method, score, budget=30.0):
    rng = np.random.default_rng(0)
    out = {
        "dataset": dataset,
        "kind": "binary",
        "family": dataset,
        "method": method,
        "budget": budget,
        "cores": 2,
        "seed": 0,
    }
    out |= {
        "metric": "roc_auc",
        "rows": 800,
        "constant": 0.5,
        "score": score,
        "error": None,
        "seconds": 31.0,
        "peak_ram": 10**8,
    }
    out |= {"resampled": [] if score is None else list(score + rng.normal(0, 0.01, 100)), "revision": "0"}
    return out | {"machine": {"processor": "test", "cpus": 2, "python": "3.11"}, "fit_seconds": 30.0}


def test_the_report_counts_wins_ties_losses_and_names_the_worst_loss(fit):
    mine = [0.9, 0.8, 0.7, 0.6, None, 0.9, 0.8]
    other = [0.8, 0.8, 0.8, 0.5, 0.6, 0.8, 0.7]
    records = [record(f"d{i}", "autometa", s) for i, s in enumerate(mine)]
    records += [record(f"d{i}", "lightgbm-default", s, 0.0) for i, s in enumerate(other)]
    text = fit.report(records, 30.0, ["autometa", "lightgbm-default"], 2)
    (line,) = [line for line in text.splitlines() if line.startswith("| lightgbm-default | ") and "/" in line]
    assert [cell.strip() for cell in line.split("|")[2:4]] == ["4 / 1 / 2", "4 / 1 / 2"]
    assert "| -1.0000 | d4 |" in line
    assert "7 datasets" in text


def test_a_dataset_that_a_method_was_not_tried_on_is_left_out(fit):
    records = [record("d0", "autometa", 0.9), record("d0", "flaml", 0.8), record("d1", "autometa", 0.9)]
    assert "1 datasets" in fit.report(records, 30.0, ["autometa", "flaml"], 2)


def test_results_survive_a_line_that_was_cut_off_and_the_last_of_a_repeated_cell_counts(fit, tmp_path):
    path = tmp_path / "fit.jsonl"
    lines = [json.dumps(record("d0", "flaml", s)) for s in (0.1, 0.2)]
    path.write_text("\n".join([*lines, lines[0][:40]]), encoding="utf-8")
    assert [r["score"] for r in fit.read(path).values()] == [0.2]


def test_a_watched_program_that_hangs_is_ended_with_all_its_children(fit, tmp_path, alive):
    _, usual, _ = fit.watched([sys.executable, "-c", "import subprocess"], tmp_path, 600.0)
    limit = 1.0 + 10 * usual  # by then the child has begun, however slow the machine is
    sleep = "import time; time.sleep(600)"
    program = (
        f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {sleep!r}]).pid, flush=True); {sleep}"
    )
    error, seconds, peak = fit.watched([sys.executable, "-c", program], tmp_path, limit)
    assert error is not None
    assert "hard limit" in error
    assert limit <= seconds < 600
    assert peak > 0
    child = int((tmp_path / "output").read_text())
    assert not alive(child)


def test_who_answers_is_compared_on_datasets_of_other_families_and_each_weight_is_a_share(fit, catalog):
    import answering

    chosen = answering.datasets(catalog.parent, 5)
    families = {f"{kind}{int(name[len(kind) :]) // 2}" for name, kind in chosen}
    assert len(families) == len(chosen) == 15
    assert not families & {d.family for d in fit.choose(catalog)}
    rng = np.random.default_rng(0)
    y, answers = rng.integers(2, size=60), rng.integers(2, size=40)

    def said(truth, noise):
        p = np.clip(truth + noise * rng.normal(size=len(truth)), 0.01, 0.99)
        return np.column_stack([1 - p, p])

    tried = [
        answering.Tried({"family": f"f{k}"}, said(y, k), said(answers, k), said(answers, k)) for k in (0.5, 1, 2, 3, 4)
    ]
    judged = answering.Judged("d", "binary", "roc_auc", y, answers, list(np.arange(60).reshape(5, 12)), tried)
    for choose in answering.CHOICES.values():
        weights = choose(judged)
        assert weights.min() >= 0
        assert weights.sum() == pytest.approx(1)
    np.testing.assert_array_equal(answering.best(judged), [1, 0, 0, 0, 0])
    found = answering.scores(judged)
    half = (tried[0].refit + tried[0].folds) / 2
    assert found["best alone", "half each"] == pytest.approx(roc_auc_score(answers, half[:, 1]))
    text = answering.report([judged] * 6)
    assert "| half each | " in text
    assert answering.constant(judged) == 0.5


def test_what_more_time_is_worth_is_told_of_datasets_that_had_both_budgets(fit):
    def of(dataset, kind, budget, score):
        return {
            "dataset": dataset,
            "method": "autometa",
            "cores": 1,
            "kind": kind,
            "rows": 9,
            "budget": budget,
            "score": score,
        }

    scores = [("a", "binary", 60.0, 0.8), ("a", "binary", 300.0, 0.9), ("b", "regression", 60.0, -2.0)]
    scores += [("b", "regression", 300.0, -4.0), ("c", "binary", 60.0, 0.7)]
    text = fit.more_time([of(*one) for one in scores], [300.0, 60.0], 1)
    assert "## From 60 s to 300 s on 1 core: 2 datasets" in text
    assert text.index("| a | 9 | 0.500 |") < text.index("| b | 9 | 2.000 |")
    assert "In the geometric mean 1.000; better on 1, worse on 1" in text
    assert fit.more_time([of(*one) for one in scores], [60.0, 300.0], 2) == ""


def test_who_has_no_model_as_rows_grow_is_named_and_not_drawn(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    import scale

    monkeypatch.setattr(scale, "BESIDE", tmp_path / "scale_beside.jsonl")
    monkeypatch.setattr(scale, "RESULTS", tmp_path / "scale.jsonl")
    shared = {
        "budget": 60.0,
        "cores": 1,
        "seconds": 61.0,
        "peak_mb": 1500,
        "reason": "",
        "versions": {"flaml": "2.7.0"},
    }
    for size, method, score in (
        ("1000x20", "autometa", 0.8), ("1000x20", "flaml", 0.7), ("10000x20", "autometa", 0.9),
        ("10000x20", "flaml", None), ("10000x20:number", "autometa", 0.123),
    ):  # fmt: skip
        line = shared | {"size": size, "method": method, "score": score, "reason": "killed" if score is None else ""}
        scale.keep(line, scale.BESIDE)
    scale.keep({"size": "1000x20", "reference": True, "seconds": 0.4, "score": 0.75}, scale.RESULTS)
    text = scale.report_beside()
    assert "| 1000x20 | 0.8000 in 61 s, 1.5 GB | 0.7000 in 61 s, 1.5 GB | 0.7500 in 0 s |" in text
    assert "no model (killed)" in text
    assert "flaml 2.7.0." in text
    drawn = (tmp_path / "scale_beside.score.svg").read_text(encoding="utf-8")
    assert ">autometa<" in drawn
    assert ">1,000<" in drawn
