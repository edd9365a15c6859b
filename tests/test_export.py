"""A model elsewhere answers as it does here (ONNX, a script, skops, an image), or is refused with the reason."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autometa import AutoMetaClassifier, InputError, RunError, load_model
from autometa.cli import main
from autometa.evaluation import Calibration, fit_model
from autometa.export import export, load_skops
from autometa.export.to_docker import locked
from autometa.export.to_onnx import ask, feed_of, onnx_bytes
from autometa.export.to_skops import skops_bytes
from autometa.families import FAMILIES, available, cash_space
from autometa.fitting import fit_table
from autometa.search import Model, Settings, open_run
from autometa.search.members import Member
from autometa.task import Task, make_task

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
KINDS = ("binary", "multiclass", "regression")


def raw_table(n: int = 240) -> pd.DataFrame:
    """Numbers with gaps and ties, categories with gaps, a rare one, truth values and moments."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3))
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    frame.loc[::9, "b"] = np.nan
    frame["step"] = np.round(x[:, 1])
    frame["colour"] = np.where(x[:, 0] > 0, "red", np.where(x[:, 1] > 0, "blue", "green"))
    frame.loc[::13, "colour"] = None
    frame["town"] = rng.choice([f"town {k}" for k in range(25)], n)
    frame["yes"] = rng.random(n) < 0.4
    frame["when"] = pd.Timestamp("2015-03-01") + pd.to_timedelta(rng.integers(0, 3000 * 86400, n), unit="s")
    return frame


def a_task(kind: str, *, columns: list[str] | None = None) -> Task:
    frame = raw_table()
    score = frame["a"] + 0.5 * frame["c"] + (frame["colour"] == "red")
    score += 0.3 * np.random.default_rng(1).normal(size=len(frame))
    y = {"regression": 1000 * score, "binary": score > 0.5, "multiclass": np.digitize(score, [-0.5, 0.5])}[kind]
    frame = frame if columns is None else frame[columns]
    return make_task(frame, y=np.asarray(y), kind="regression" if kind == "regression" else "classification")


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return {kind: a_task(kind) for kind in KINDS}


def a_model(task: Task, *configs: dict, calibration: Calibration | None = None) -> Model:
    """A model of several configurations, each fitted on all rows and on two halves, as after a search."""
    halves = np.arange(0, task.n, 2), np.arange(1, task.n, 2)
    members = []
    for number, config in enumerate(configs):
        lists = [
            [fit_model(task, config, np.arange(task.n), seed=0)],
            [fit_model(task, config, h, seed=0) for h in halves],
        ]
        content = b"".join(pickle.dumps(models) for models in lists)
        own = {} if calibration is None else {"calibration": calibration}
        members.append(Member(number, 1 / len(configs), content, **own))
    return Model("t", task.target, task.kind, task.metric, task.classes, task.schema, tuple(members))


def alone(task: Task, config: dict) -> Model:
    """A model of one pipeline, fitted on every second row."""
    content = pickle.dumps([fit_model(task, config, np.arange(0, task.n, 2), seed=0)])
    return Model("t", "y", task.kind, task.metric, task.classes, task.schema, (Member(0, 1.0, content),))


def configs_of(kind: str) -> list[dict]:
    """The default of every family that becomes ONNX, and of some what is not the default."""
    names = [name for name in available(kind) if FAMILIES[name].onnx(a_task(kind).columns) is None]
    found = [cash_space(kind, [name]).default for name in names]
    linear = cash_space(kind, ["linear"]).default | {"linear.min_frequency": 3}
    for scale in ("standard", "quantile", "robust"):
        found += [linear | {"linear.scale": scale, "linear.categories": way} for way in ("onehot", "target")]
    early = {name: f"{name}.early_stop" for name in ("lightgbm", "xgboost", "hist_gradient_boosting") if name in names}
    found += [cash_space(kind, [name]).default | {flag: True} for name, flag in early.items()]
    curves = cash_space(kind, ["additive"]).default
    return [*found, curves | {"additive.products": True, "additive.scale": "robust"}]


class TestOnnx:
    @pytest.mark.parametrize("kind", KINDS)
    def test_a_pipeline_answers_there_as_here(self, kind, tasks):
        task = tasks[kind]
        name = "prediction" if kind == "regression" else "probabilities"
        for config in configs_of(kind):
            one = alone(task, config)
            expected = one.answer(task.X)
            found = ask(onnx_bytes(one), feed_of(one, task.X))[name]
            limit = 1e-5 * (np.std(expected) if kind == "regression" else 1.0)
            np.testing.assert_allclose(found, expected, rtol=0, atol=limit, err_msg=str(config))

    @pytest.mark.parametrize("classes", [2, 3])
    def test_few_shot_heads_on_embeddings_answer_there_as_here(self, classes):
        rng = np.random.default_rng(0)
        y = np.arange(90) % classes
        for width in (12, 200):  # fewer numbers than rows, and more: covariances of one kind and of the other
            x = rng.normal(size=(90, width)) + 2 * rng.normal(size=(classes, width))[y]
            frame = pd.DataFrame(x, columns=[f"emb_{k}" for k in range(width)])
            frame.iloc[::7, 3] = np.nan
            frame = frame.assign(age=rng.normal(size=90), town=rng.choice(["Ulm", "Bern"], 90))
            task = make_task(frame, y=y)
            for head in ("mahalanobis", "logistic", "ridge", "means"):
                for scale in ("length", "standard", "none"):
                    config = cash_space(task.kind, ["few_shot"]).complete(
                        {"family": "few_shot", "few_shot.head": head, "few_shot.scale": scale}
                    )
                    model = alone(task, config)
                    found = ask(onnx_bytes(model, task.X), feed_of(model, task.X))["probabilities"]
                    np.testing.assert_allclose(found, model.answer(task.X), rtol=0, atol=1e-9, err_msg=str(config))

    def test_the_head_of_many_numbers_whitens_first(self, monkeypatch):
        from autometa.families import options

        few = replace(options.OPTIONS.few_shot, most_covariances=10)
        monkeypatch.setattr("autometa.families.learners.few_shot.OPTIONS", replace(options.OPTIONS, few_shot=few))
        rng = np.random.default_rng(0)
        y = np.arange(60) % 3
        x = rng.normal(size=(60, 16)) + rng.normal(size=(3, 16))[y]
        task = make_task(pd.DataFrame(x, columns=[f"emb_{k}" for k in range(16)]), y=y)
        model = alone(task, cash_space("multiclass", ["few_shot"]).default)
        found = ask(onnx_bytes(model), feed_of(model, task.X))["probabilities"]
        np.testing.assert_allclose(found, model.answer(task.X), rtol=0, atol=1e-9)

    def test_catboost_becomes_onnx_where_all_columns_are_numbers(self):
        pytest.importorskip("catboost")
        for kind in KINDS:
            task = a_task(kind, columns=["a", "b", "c", "step"])
            model = alone(task, cash_space(kind, ["catboost"]).default | {"catboost.n_estimators": 20})
            found = ask(onnx_bytes(model), feed_of(model, task.X))
            said = found["prediction" if kind == "regression" else "probabilities"]
            np.testing.assert_allclose(said, model.answer(task.X), rtol=1e-5, atol=1e-6)

    def test_an_ensemble_with_models_of_folds_calibrations_and_its_own_labels(self, tasks):
        task = tasks["binary"]
        configs = [cash_space("binary", [name]).default for name in ("linear", "lightgbm")]
        model = a_model(task, *configs, calibration=Calibration((1.2, 0.8), (0.3, -0.3)))
        for weights in ((), (0.2, 0.8), ((0.0, 1.0), (3.0, 0.0))):
            own = replace(model, calibration=Calibration((0.9, 0.9), (0.1, -0.1)), weights=weights)
            found = ask(onnx_bytes(own), feed_of(own, task.X))
            np.testing.assert_allclose(found["probabilities"], own.answer(task.X), rtol=0, atol=1e-12)
            np.testing.assert_array_equal(found["label"].astype(str), own.labels(own.answer(task.X)).astype(str))

    def test_raw_cells_of_a_later_table_are_read_as_the_model_reads_them(self, tasks):
        task = tasks["multiclass"]
        model = a_model(
            task, cash_space("multiclass", ["lightgbm"]).default, cash_space("multiclass", ["linear"]).default
        )
        raw = raw_table(6).assign(
            a=[np.inf, 1e300, np.nan, -5.0, 0.0, 2.0], colour=["mauve", None, "red", "", "blue", "green"]
        )
        days = ["2016-02-29T23:59:59", "1969-12-31T01:00", "2000-03-01", "2100-12-31", "2015-03-01", "1900-01-01"]
        raw["when"] = pd.to_datetime(days, format="ISO8601")
        seconds = (raw["when"] - pd.Timestamp("1970-01-01")).dt.total_seconds()
        feed = {name: raw[name].to_numpy(float)[:, None] for name in ("a", "b", "c", "step", "yes")}
        feed |= {name: raw[name].fillna("").to_numpy(object)[:, None] for name in ("colour", "town")}
        feed["when"] = seconds.to_numpy(float)[:, None]
        with pytest.warns(match="'a': 1 of 6 cells"):
            expected = model.predict_proba(raw)
        np.testing.assert_allclose(ask(onnx_bytes(model), feed)["probabilities"], expected, rtol=0, atol=1e-12)

    def test_a_family_that_has_no_counterpart_is_refused_with_the_reason(self, tasks):
        model = a_model(tasks["binary"], *(cash_space("binary", [name]).default for name in ("linear", "knn")))
        with pytest.raises(RunError, match=r"1 of 2 pipelines .* trial 1: KNeighborsClassifier .*--exportable"):
            onnx_bytes(model)

    def test_free_text_is_refused_with_the_columns(self):
        frame = raw_table().assign(note=[f"some words about the number {k} and more" for k in range(240)])
        task = make_task(frame, y=np.arange(240) % 2)
        assert task.columns.text == ("note",)
        with pytest.raises(RunError, match=r"free text: 'note'.*--drop"):
            onnx_bytes(a_model(task, cash_space("binary", ["linear"]).default))

    def test_every_family_says_whether_it_becomes_onnx_and_that_is_so(self, tasks):
        numbers = a_task("binary", columns=["a", "b", "c"])
        for name in ("svm", "knn", "naive_bayes", "discriminant"):
            model = alone(numbers, cash_space("binary", [name]).default)
            if FAMILIES[name].onnx(numbers.columns) is None:
                assert onnx_bytes(model, numbers.X)
            else:
                with pytest.raises(RunError, match="no counterpart"):
                    onnx_bytes(model)

    def test_a_file_that_would_answer_otherwise_is_not_written(self, tasks, monkeypatch):
        from autometa.export import to_onnx

        model = a_model(tasks["binary"], cash_space("binary", ["linear"]).default)
        monkeypatch.setattr(to_onnx, "ask", lambda content, feed: {"probabilities": np.full((240, 2), 0.5)})
        with pytest.raises(RunError, match="would answer otherwise"):
            onnx_bytes(model, tasks["binary"].X)


@pytest.fixture(scope="module")
def a_run(tmp_path_factory) -> Path:
    """A run of one trial on the table with everything in it but moments."""
    frame = raw_table().drop(columns="when")
    y = np.where(frame["a"] + (frame["colour"] == "red") > 0.5, "high", "low")
    settings = Settings(trials=1, families=("lightgbm",), cold=True, remember=False, exportable=True, folds=3)
    return fit_table(frame, y, settings=settings, run=tmp_path_factory.mktemp("export") / "run").run


class TestCommand:
    def test_onnx_lands_in_the_run_and_answers_as_predict_does(self, a_run, capsys):
        assert main(["export", str(a_run), "--to", "onnx", "--json"]) == 0
        (path,) = json.loads(capsys.readouterr().out)["written"]
        assert Path(path) == a_run / "model.onnx"
        task, model = open_run(a_run).task, load_model(a_run)
        found = ask(Path(path).read_bytes(), feed_of(model, task.X))
        np.testing.assert_array_equal(found["label"], model.labels(model.answer(task.X)))
        said = {p.key: p.value for p in onnx.load(path).metadata_props}
        assert said["target"] == "target"
        assert json.loads(said["classes"]) == ["high", "low"]
        assert json.loads(said["inputs"])["colour"].startswith("string")

    def test_compact_is_smaller(self, a_run, tmp_path):
        whole, small = tmp_path / "whole.onnx", tmp_path / "small.onnx"
        assert main(["export", str(a_run), "--to", "onnx", "-o", str(whole)]) == 0
        assert main(["export", str(a_run), "--to", "onnx", "-o", str(small), "--compact"]) == 0
        assert small.stat().st_size < whole.stat().st_size

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--to", "pmml"], "Known: onnx, python, skops, docker"),
            (["--to", "onnx", "--trial", "1"], "--trial"),
            (["--to", "python", "--compact"], "--compact"),
            (["--to", "python", "--trial", "99"], "no trial with a score"),
            (["--to", "python", "--trial", "x"], "--trial"),
        ],
    )
    def test_bad_input_is_one_message_and_nothing_is_written(self, arguments, said, a_run, tmp_path, capsys):
        out = tmp_path / "out"
        assert main(["export", str(a_run), *arguments, "--out", str(out)]) == 2
        assert said in capsys.readouterr().err
        assert not out.exists()

    def test_a_run_that_is_none_is_refused(self, tmp_path, capsys):
        for to in ("onnx", "python", "skops", "docker"):
            assert main(["export", str(tmp_path / "none"), "--to", to]) != 0
            assert "none" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []


class TestScript:
    def test_the_script_runs_without_autometa_and_gives_the_same_score(self, a_run, tmp_path):
        export(a_run, "python", tmp_path / "script", trial=0)
        found = open_run(a_run).best.evaluation.scores["roc_auc"]
        code = "import sys, runpy; sys.modules['autometa'] = None; runpy.run_path('pipeline.py', run_name='__main__')"
        ran = subprocess.run(
            [sys.executable, "-c", code, "fitted.joblib"],
            cwd=tmp_path / "script", capture_output=True, text=True, check=True,
        )  # fmt: skip
        _, score, *_, expected = ran.stdout.rstrip(")\n").split()
        assert float(score) == pytest.approx(found, abs=1e-6)
        assert float(expected) == pytest.approx(found, abs=1e-12)
        assert (tmp_path / "script" / "fitted.joblib").is_file()
        source = (tmp_path / "script" / "pipeline.py").read_text()
        assert "LGBMClassifier(" in source
        assert "autometa." not in source

    def test_columns_that_a_prediction_may_only_rise_with_are_kept(self, tmp_path):
        frame = raw_table(120)[["a", "b", "c"]]
        how = {"trials": 1, "families": ["lightgbm"], "cold": True, "remember": False, "verbose": False, "cv": 2}
        face = AutoMetaClassifier(**how, monotonic={"a": -1}, run=tmp_path / "run")  # against what the rows say
        face.fit(frame, np.where(frame["a"] > 0, "high", "low"))
        export(tmp_path / "run", "python")
        ran = subprocess.run(
            [sys.executable, "pipeline.py"], cwd=tmp_path / "run" / "python", capture_output=True, text=True, check=True
        )
        *_, expected = ran.stdout.rstrip(")\n").split()
        assert float(ran.stdout.split()[1]) == pytest.approx(float(expected), abs=1e-9)

    @pytest.mark.parametrize("kind", ["multiclass", "regression"])
    def test_of_other_kinds_and_learners_of_our_own(self, kind, tmp_path):
        task = a_task(kind)
        frame, family = (
            raw_table().drop(columns="when"),
            {"multiclass": "linear", "regression": "hist_gradient_boosting"},
        )
        y = np.asarray(task.y) if kind == "regression" else np.asarray(task.classes)[np.asarray(task.y)]
        settings = Settings(trials=1, families=(family[kind],), cold=True, remember=False, folds=2)
        run = fit_table(
            frame, y, kind=kind.replace("multiclass", "classification"), settings=settings, run=tmp_path / "run"
        ).run
        export(run, "python")
        ran = subprocess.run(
            [sys.executable, "pipeline.py"], cwd=run / "python", capture_output=True, text=True, check=True
        )
        *_, expected = ran.stdout.replace(")", "").split()
        assert float(ran.stdout.split()[1]) == pytest.approx(float(expected), rel=1e-5)


class TestSkops:
    def test_a_model_is_read_back_the_same_without_a_key(self, a_run, tmp_path):
        pytest.importorskip("skops")
        (path,) = export(a_run, "skops", tmp_path / "model.skops")
        model, again = load_model(a_run), load_skops(path)
        X = open_run(a_run).task.X
        np.testing.assert_array_equal(again.answer(X), model.answer(X))
        assert again.classes == model.classes
        assert again.schema.encoders == model.schema.encoders
        raw = raw_table(5)
        np.testing.assert_array_equal(again.predict_set(raw, 0.8), model.predict_set(raw, 0.8))
        assert len(again.compact().members[0].models) == 1

    def test_families_of_every_make_can_be_written(self, tasks):
        pytest.importorskip("skops")
        for name in ("linear", "hist_gradient_boosting", "additive", "knn"):  # each holds types that no other does
            assert skops_bytes(alone(tasks["binary"], cash_space("binary", [name]).default)), name

    def test_a_file_that_names_anything_else_is_not_read(self, tmp_path):
        skops = pytest.importorskip("skops.io")
        for k, value in enumerate((subprocess.run, main, load_model)):
            path = tmp_path / f"{k}.skops"
            skops.dump({"format": 1, "model": {}, "members": [value]}, path)
            with pytest.raises(RunError, match="names types that no model"):
                load_skops(path)
        (tmp_path / "no.skops").write_bytes(b"nothing")
        with pytest.raises(RunError, match="no skops file"):
            load_skops(tmp_path / "no.skops")


class TestImage:
    def test_the_folder_has_all_that_a_server_needs(self, a_run, tmp_path):
        folder = tmp_path / "image"
        export(a_run, "docker", folder, compact=True)
        recipe = (folder / "Dockerfile").read_text()
        copied = [line.split()[1] for line in recipe.splitlines() if line.startswith("COPY")]
        assert all((folder / name).exists() for name in copied)
        assert '"autometa", "serve", "/model"' in recipe
        assert f"python:{sys.version_info[0]}.{sys.version_info[1]}-slim" in recipe
        lines = (folder / "requirements.txt").read_text().split()
        named = {line.partition("==")[0] for line in lines}
        assert {"lightgbm", "scikit-learn", "pandas", "fastapi", "uvicorn"} <= named
        assert not {"catboost", "openml"} & named
        code = "import autometa; print(autometa.__file__, autometa.load_model('model', trusted=True).target)"
        ran = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
        assert ran.stdout.startswith(str(folder.resolve()))
        export(a_run, "docker", folder)  # again, into the same

    def test_a_folder_with_something_else_in_it_is_left_alone(self, a_run, tmp_path):
        (tmp_path / "mine.txt").write_text("mine")
        for to in ("docker", "python"):
            with pytest.raises(InputError, match="not an empty folder"):
                export(a_run, to, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]

    def test_requirements_are_closed_under_what_they_need(self):
        names = {line.partition("==")[0] for line in locked(["pandas"])}
        assert {"pandas", "numpy", "python-dateutil"} <= names


class TestExportable:
    def test_only_what_can_be_exported_is_searched_and_that_is_said(self):
        X, y = raw_table().drop(columns="when"), np.arange(240) % 2
        model = AutoMetaClassifier(
            trials=1, families=["linear", "knn"], cold=True, remember=False, exportable=True, cv=1, verbose=False
        ).fit(X, y)
        assert any("cannot be exported to ONNX: Nearest neighbours" in note for note in model.notes_)

    def test_nothing_but_what_cannot_is_refused(self):
        X, y = raw_table().drop(columns="when"), np.arange(240) % 2
        how = {"trials": 1, "cold": True, "remember": False, "verbose": False, "exportable": True}
        with pytest.raises(InputError, match="knn: has no counterpart"):
            AutoMetaClassifier(families=["knn"], **how).fit(X, y)
        X = X.assign(note=[f"some words about the number {k} and more" for k in range(240)])
        with pytest.raises(InputError, match=r"free text is in 'note'.*--drop"):
            AutoMetaClassifier(**how).fit(X, y)
