"""Made tables look like the real ones they come from, and are grouped or ordered as they say; what tasks are worth."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autometa.bench.results import read_lines
from autometa.store import PastTasks, TaskRecord
from autometa.task import make_task

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def made(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import made_tables

    yield made_tables
    sys.modules.pop("made_tables", None)


def real(kind: str, n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "visits": rng.poisson(3, n),
            "gap": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
            "town": pd.Categorical(rng.choice(["Bern", "Ulm", "Graz"], n)),
        }
    )
    signal = frame["size"] + (frame["town"] == "Ulm") + rng.normal(size=n)
    return frame.assign(target=signal if kind == "regression" else np.where(signal > 1, "yes", "no"))


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_a_large_table_lies_between_the_rows_of_the_real_one_and_is_about_as_hard(made, kind):
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    frame = real(kind)
    large = made.large(make_task(frame, target="target"), 1200, np.random.default_rng(0))
    assert list(large.columns) == list(frame.columns)
    assert len(large) == 1200
    assert large["gap"].isna().mean() == pytest.approx(frame["gap"].isna().mean(), abs=0.06)
    assert set(large["town"].unique()) == set(frame["town"].unique())
    assert (large["visits"] % 1 == 0).all()
    assert large["size"].between(frame["size"].min(), frame["size"].max()).all()
    assert large["size"].nunique() > 1000  # made, not copied

    def known(table):
        return pd.get_dummies(table.drop(columns="target")).fillna(-9.0)

    learner = ExtraTreesRegressor if kind == "regression" else ExtraTreesClassifier
    model = learner(200, min_samples_leaf=5, random_state=0).fit(known(large), large["target"])
    score = model.score(known(frame), frame["target"])
    half = learner(200, min_samples_leaf=5, random_state=0).fit(known(frame[::2]), frame["target"][::2])
    assert score > half.score(known(frame[1::2]), frame["target"][1::2]) - 0.1
    if kind == "binary":
        shares = [table["target"].eq("yes").mean() for table in (large, frame)]
        assert shares[0] == pytest.approx(shares[1], abs=0.08)
        best = learner(200, min_samples_leaf=5, random_state=0).fit(known(large[::2]), large["target"][::2])
        assert best.score(known(large[1::2]), large["target"][1::2]) < 0.95  # labels are drawn, not decided


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_groups_have_effects_of_their_own_and_columns_that_tell_them_apart(made, kind):
    frame = made.grouped(make_task(real(kind), target="target"), 300, np.random.default_rng(0))
    sizes = frame["site"].value_counts()
    assert len(frame) == 300
    assert sizes.max() <= 60
    within = frame.groupby("site")["site_1"].std().mean()
    assert within < 0.2 * frame["site_1"].std()
    task = make_task(frame, target="target", group="site")
    assert len(np.unique(task.groups)) == len(sizes)
    if kind == "regression":
        share = frame.groupby("site")["target"].transform("mean").var() / frame["target"].var()
        shuffled = frame.assign(site=np.random.default_rng(1).permutation(frame["site"]))
        assert share > 1.3 * shuffled.groupby("site")["target"].transform("mean").var() / frame["target"].var()


def test_rows_come_in_an_order_along_which_the_target_moves(made):
    frame = made.ordered(make_task(real("regression"), target="target"), 400, np.random.default_rng(0))
    assert frame["day"].is_monotonic_increasing
    early, late = frame["target"][:130].mean(), frame["target"][-130:].mean()
    assert late - early > 0.3 * frame["target"].std()
    assert make_task(frame, target="target", time_order="day").time_order is not None


def test_the_catalogue_names_roles_families_and_origin_and_what_is_there_is_left(made, tmp_path, monkeypatch):
    monkeypatch.setattr(made, "KINDS", {kind: made.KINDS[kind] for kind in ("grouped", "ordered")})
    monkeypatch.setattr(made, "suits", lambda task, kind: True)
    folder, out = tmp_path / "tables", tmp_path / "made"
    folder.mkdir()
    out.mkdir()
    real("binary", 1500).to_parquet(folder / "bank.parquet")
    sources = made.find_sources([folder])
    rows = made.make(sources, "grouped", 3, 0, out)
    assert rows == [{"name": "bank-grouped", "family": "bank", "openml_id": "", "origin": "simulated", "group": "site"}]
    before = (out / "bank-grouped.parquet").stat().st_mtime_ns
    assert made.make(sources, "grouped", 3, 0, out) == rows
    assert (out / "bank-grouped.parquet").stat().st_mtime_ns == before
    assert [file.name for file in out.iterdir()] == ["bank-grouped.parquet"]


def test_a_forecast_of_seconds_does_not_see_the_family_of_its_own_table(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import growth

    configs = ({"family": "knn"}, {"family": "linear"})
    records = tuple(
        TaskRecord(f"{t}{n}".zfill(32), f"t{t}", "binary", "roc_auc", n, 5, 2, family=f"f{t}")
        for t in range(3)
        for n in (10_000, 40_000)
    )
    seconds = np.array([[1.0, 1.0], [2.0, 2.0], [1.0, 1.0], [2.0, 2.0], [1.0, 1.0], [4.0, 64.0]])
    past = PastTasks(records, configs, np.ones((6, 2)), seconds, np.zeros((6, 0)), ())
    lines = {(line["table"], line["family"]): line for line in growth.forecasts(past)}
    assert len(lines) == 6
    odd = lines["t2", "linear"]  # it grew as the cube of the rows, which only its own table says
    assert odd["power"] == 3.0
    # Two others said .5: with four that say 1, .833.
    assert odd["powers"] == pytest.approx((0.833 - 3.0) * np.log(4), abs=1e-3)
    assert odd["proportional"] == pytest.approx(-2 * np.log(4), abs=1e-3)
    sys.modules.pop("growth", None)


def test_what_few_rows_are_worth_is_asked_without_the_tables_own_family(monkeypatch, tmp_path):
    from autometa.evaluation import Evaluation, State
    from autometa.families import cash_space
    from autometa.metafeatures import describe
    from autometa.store import MetaStore, sample_fingerprint

    monkeypatch.syspath_prepend(BENCHMARKS)
    import few_rows

    configs = cash_space("regression", ["linear", "knn", "lightgbm"]).defaults()
    store = MetaStore(tmp_path / "store.db")
    for k in range(4):
        task = make_task(real("regression", 300 + k), target="target", name=f"t{k}", family=f"f{k}")
        for rows in (250, 300 + k):
            part = task.sample(rows, seed=0)
            record = TaskRecord.of(part, describe(part, groups=["simple"]), source="collect")
            record = replace(record, fingerprint=sample_fingerprint(task.fingerprint, rows))
            other = 0.1 * ((rows == 250) ^ (k == 3))  # with few rows another is best; on one table the other way round
            scores = [-1.0 - other, -1.05, -2.0]
            store.add(
                record,
                [
                    Evaluation(c, State.COMPLETE, None, {task.metric: s}, {}, 1.0, 0.1, 0, 0, rows, {})
                    for c, s in zip(configs, scores, strict=True)
                ],
            )
    monkeypatch.setattr(few_rows, "RESULTS", tmp_path / "few_rows.jsonl")
    few_rows.judge(store, every=1)
    lines = read_lines(few_rows.RESULTS)
    assert sorted((line["table"], line["rows"]) for line in lines) == sorted(
        (f"t{k}", rows) for k in range(4) for rows in (250, 300 + k)
    )
    [other] = [line for line in lines if (line["table"], line["rows"]) == ("t3", 250)]
    assert other["all"][0] == 1.0  # what its own family knows is not heard, what few rows of others say is
    assert other["more"][0] == 0.0
    few_rows.judge(store, every=1)
    assert read_lines(few_rows.RESULTS) == lines  # nothing is measured twice
    assert "| 250 | 4 |" in few_rows.report()
    sys.modules.pop("few_rows", None)
