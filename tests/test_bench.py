"""Promises of the bench: nobody sees the answer, no finished cell is repeated, failures are results, figures hold."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import time
import types
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from autometa.bench import Plan, Watcher, bench, bench_task, left_out, only, open_suite
from autometa.bench import cells as cells_module
from autometa.bench.cells import CellPrediction, constant_score, judged
from autometa.bench.findings import findings, summary
from autometa.bench.methods import DEFAULT_METHODS, METHODS, Cell
from autometa.bench.publish import offer, publish
from autometa.bench.ranking import compare
from autometa.bench.report import _diagram, markdown, page, write
from autometa.bench.results import RESULTS, append, claimed, read_lines, read_results
from autometa.cli import main
from autometa.errors import InputError, RunError
from autometa.evaluation import Evaluation
from autometa.store import Exclusion, MetaStore, TaskRecord

# A method for tests: an interpreter that ignores the program it is given, counts its calls, and says the same of
# twelve rows, unless it is told to misbehave. It imports nothing that takes time, so writes NumPy's format by hand.
FAKE = """#!{python} -S
import json, os, struct, sys, time, zipfile
from pathlib import Path
folder = Path(sys.argv[2])
cell = json.loads((folder / "cell.json").read_text())
with open({calls!r}, "a") as file:
    print(cell["method"], cell["seed"], os.getpid(), file=file, flush=True)
behaviour = {behaviours!r}.get(cell["method"], "")
if behaviour == "fails":
    raise ValueError("no such luck")
if behaviour == "hangs":
    import subprocess
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"], start_new_session=True)
    Path({calls!r} + ".child").write_text(str(child.pid))
    time.sleep(600)
if behaviour == "eats":
    held = bytearray(400_000_000)
    held[::4096] = b"x" * len(held[::4096])
    time.sleep(600)
classes = {{"binary": ["01", "1"], "multiclass": ["<c>", "a", "b"], "regression": []}}[cell["kind"]]
share = float("nan") if behaviour == "lies" else 1 / len(classes) if classes else 0.0
shape = (12, len(classes)) if classes else (12,)
def array(dtype, shape, content):
    head = repr(dict(descr=dtype, fortran_order=False, shape=shape)).encode().ljust(117) + b"\\n"
    return b"\\x93NUMPY\\x01\\x00" + struct.pack("<H", len(head)) + head + content
with zipfile.ZipFile(folder / "prediction.npz", "w") as file:
    text = b"".join(c.ljust(3, chr(0)).encode("utf-32-le") for c in classes)
    file.writestr("classes.npy", array("<U3", (len(classes),), text))
    n = 12 * (len(classes) or 1)
    file.writestr("prediction.npy", array("<f8", shape, struct.pack(f"<{{n}}d", *[share] * n)))
(folder / "facts.json").write_text(json.dumps({{"fit_seconds": 0.5, "versions": {{"fake": "1"}}}}))
"""


@pytest.fixture
def fake(tmp_path):
    """Makes FLAML's and AutoGluon's environments out of fake interpreters; gives their folder and the list of calls."""

    def make(**behaviours: str):
        calls = tmp_path / "calls"
        calls.touch()
        for name in ("flaml", "autogluon"):
            python = tmp_path / "environments" / name / "bin" / "python"
            python.parent.mkdir(parents=True, exist_ok=True)
            text = FAKE.format(python=sys.executable, calls=str(calls), behaviours=behaviours)
            python.write_text(text)
            python.chmod(python.stat().st_mode | stat.S_IXUSR)
            (python.parents[1] / "installed").touch()
        return tmp_path / "environments", lambda: calls.read_text().splitlines()

    return make


@pytest.fixture
def folder(tmp_path):
    """A suite of three small tables with a catalogue."""
    rng = np.random.default_rng(0)
    place = tmp_path / "tables"
    place.mkdir()
    for name, kind in (("two", "binary"), ("many", "multiclass"), ("real", "regression")):
        x = rng.normal(size=120)
        target = {
            "binary": np.where(x + rng.normal(size=120) > 0, "01", "1"),
            "multiclass": np.array(["a", "b", "<c>"])[np.digitize(x, [-0.5, 0.5])],
            "regression": 2 * x,
        }[kind]
        words = pd.Series(rng.choice(["u", "v", None], 120), dtype="str")
        frame = pd.DataFrame({"x": np.where(rng.random(120) < 0.1, np.nan, x), "word": words, "target": target})
        frame.to_parquet(place / f"{name}.parquet", index=False)
    catalog = "name,task,family,openml_id\ntwo,binary,pairs,11\nmany,multiclass,,\nreal,regression,reals,\n"
    (place / "catalog.csv").write_text(catalog)
    return place


def plan(environments, **changes):
    given = {"methods": ("flaml", "autogluon"), "seconds": 1.0, "folds": (0, 3), "environments": environments}
    return Plan(**given | changes)


# ---------------------------------------------------------------------------------------------------------- the suite


def test_folds_of_a_table_are_disjoint_complete_stratified_and_the_same_every_time(folder):
    suite = open_suite(str(folder))
    assert [entry.key for entry in suite.entries] == ["two", "many", "real"]
    task, again = suite.entries[1].load(), suite.entries[1].load()
    assert list(task.folds) == [(0, fold) for fold in range(10)]
    assert sorted(np.concatenate([test for _, test in task.folds.values()])) == list(range(120))
    shares = task.frame["target"].value_counts(normalize=True)
    for key, (train, test) in task.folds.items():
        assert not set(train) & set(test)
        assert len(train) + len(test) == 120
        assert (task.frame["target"].iloc[test].value_counts() - 12 * shares).abs().max() <= 1
        assert np.array_equal(again.folds[key][1], test)


def test_a_tasks_own_splits_are_kept_and_rows_without_a_label_are_on_neither_side():
    frame = pd.DataFrame({"x": np.arange(12.0), "y": ["a", "b", None] * 4})
    splits = [(0, 0, np.arange(6), np.arange(6, 12)), (1, 0, np.arange(6, 12), np.arange(6))]
    task = bench_task(frame, key="openml:task/1", name="t", target="y", kind="classification", splits=splits)
    assert task.n == 8
    assert task.kind == "binary"
    train, test = task.folds[0, 0]
    assert task.frame["x"].iloc[train].tolist() == [0, 1, 3, 4]
    assert task.frame["x"].iloc[test].tolist() == [6, 7, 9, 10]
    assert set(task.folds) == {(0, 0), (1, 0)}


def test_everything_wrong_with_a_catalogue_is_said_at_once(folder):
    (folder / "catalog.csv").write_text("name,task,openml_id\ntwo,ternary,\nnobody,,\nreal,regression,x1\n")
    with pytest.raises(InputError) as caught:
        open_suite(str(folder))
    assert [word in str(caught.value) for word in ("ternary", "nobody", "x1")] == [True] * 3
    with pytest.raises(InputError, match="does not exist"):
        open_suite(str(folder / "nowhere"))


def test_a_task_is_found_by_the_name_that_a_report_prints(folder):
    suite = open_suite(str(folder))
    assert [entry.key for entry in only(suite, ["TWO"]).entries] == ["two"]
    printed = {"Credit": {"two", "many"}, "gone": {"elsewhere"}}
    assert [entry.key for entry in only(suite, ["credit", "real"], printed).entries] == ["two", "many", "real"]
    with pytest.raises(InputError, match="gone"):
        only(suite, ["gone"], printed)


def test_an_unknown_task_is_met_with_what_was_probably_meant(folder):
    with pytest.raises(InputError, match="Did you mean 'many'"):
        only(open_suite(str(folder)), ["two", "manny"])


def test_tasks_of_openml_are_loaded_one_at_a_time_with_their_splits_and_numbers(folder):
    frame = pd.read_parquet(folder / "two.parquet")
    loaded = []

    def task(number):
        loaded.append(number)
        splits = ((0, 0, np.arange(100), np.arange(100, 120)),)
        table = SimpleNamespace(name="two", data_id=11, frame=frame)
        return SimpleNamespace(kind="classification", target="target", table=table, splits=splits)

    found = SimpleNamespace(id=99, name="CC18", task_ids=(31, 32))
    client = SimpleNamespace(
        suite=lambda _: found, task=task, tasks_named=lambda name: (7, 31) if name == "two" else ()
    )
    suite = open_suite("99", openml=lambda: client)
    assert [entry.key for entry in only(suite, ["two"]).entries] == ["openml:task/31"]  # as a report calls it
    assert not loaded
    one = suite.entries[0].load()
    assert (one.key, one.task_id, one.openml_id, one.metric, loaded) == ("openml:task/31", 31, 11, "roc_auc", [31])
    assert only(suite, ["32"]).entries[0].key == "openml:task/32"


# --------------------------------------------------------------------------------------------- nobody sees the answer


def planted(task, store, **changes):
    """A record and an evaluation of 1.0: what a cheat would love to find."""
    fields = {"fingerprint": "f" * 32, "name": "other", "kind": task.kind, "metric": task.metric, "n_rows": 120}
    record = TaskRecord(**fields | {"n_columns": 2, "n_classes": len(task.classes)} | changes)
    evaluation = Evaluation(
        config={"family": "naive_bayes"}, state="complete", reason=None, scores={task.metric: 1.0},
        folds={task.metric: (1.0,)}, fit_seconds=0.1, predict_seconds=0.1, peak_ram=1, seed=0, rows=120, versions={},
    )  # fmt: skip
    store.add(record, [evaluation])


def test_the_planted_answer_is_left_out_and_nothing_is_written_back(folder, tmp_path, monkeypatch):
    task = open_suite(str(folder)).entries[0].load()
    store = MetaStore(tmp_path / "planted.db")
    planted(task, store, fingerprint=task.fingerprint, name="the same rows under another name")
    planted(task, store, fingerprint="1" * 32, openml_id=11)
    planted(task, store, fingerprint="2" * 32, family="pairs")
    planted(task, store, fingerprint="3" * 32, name="TWO", family="twins")  # by its name; its family is only known here
    planted(task, store, fingerprint="4" * 32, family="twins")
    planted(task, store, fingerprint="5" * 32, family="strangers", openml_id=12)
    before = (tmp_path / "planted.db").read_bytes()
    exclude = left_out(task, store.tasks(space=None))

    asked = []
    best = SimpleNamespace(evaluation=SimpleNamespace(config={"family": "x"}))
    result = SimpleNamespace(trials=(), score=1.0, recommendations=(), best=best)
    monkeypatch.setattr("autometa.fitting.fit_file", lambda *_, settings, **__: asked.append(settings) or result)
    model = SimpleNamespace(classes=task.classes, predict_proba=lambda frame: np.full((len(frame), 2), 0.5))
    monkeypatch.setattr("autometa.search.load_model", lambda _: model)
    answers = cells_module.split_to(task, (0, 0), tmp_path / "data")
    assert answers.tolist() == task.frame["target"].iloc[task.folds[0, 0][1]].tolist()
    assert pd.read_parquet(tmp_path / "data" / "test.parquet").columns.tolist() == ["x", "word"]
    values = {"fingerprints": sorted(exclude.fingerprints), "openml_ids": [11], "families": sorted(exclude.families)}
    kind = {"method": "autometa", "kind": task.kind, "target": task.target, "metric": task.metric}
    limits = {"seconds": 1.0, "cores": 1, "seed": 0, "store": str(store.url), "exclude": values}
    METHODS["autometa"].function(Cell(tmp_path, tmp_path / "data", **kind, **limits))
    (settings,) = asked
    seen = MetaStore(settings.store).past(kind=task.kind, metric=task.metric, exclude=settings.exclude)
    assert [record.family for record in seen.records] == ["strangers"]
    assert not settings.remember
    assert (tmp_path / "planted.db").read_bytes() == before


@pytest.mark.parametrize("exclude", [Exclusion(), Exclusion(families=frozenset({"pairs"}))])
def test_weights_that_were_trained_on_what_must_be_forgotten_are_not_used(tmp_path, monkeypatch, exclude):
    from autometa.search.recall import shipped_surrogate
    from autometa.search.settings import Silent
    from autometa.transfer import Surrogate

    (tmp_path / "surrogate-binary.npz").touch()
    monkeypatch.setattr("autometa.store.address.meta_db", lambda: tmp_path)
    loaded = SimpleNamespace(restricted=lambda space: "the surrogate")
    monkeypatch.setattr(Surrogate, "load", classmethod(lambda *_: loaded))
    found = shipped_surrogate("binary", None, exclude, Silent())
    assert found == ("the surrogate" if exclude == Exclusion() else None)


# ---------------------------------------------------------------------------------------------------------- the cells


def test_real_methods_answer_in_the_original_labels_whatever_the_table_holds(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(cells_module.Setting, "deadline", property(lambda _: 900.0))
    suite, out = open_suite(str(folder)), tmp_path / "out"
    records = bench(only(suite, ["two"]), Plan(("lightgbm",), 0.3, (0,)), out).records
    records += bench(only(suite, ["many", "real"]), Plan(("rf",), 5.0, (0,)), out).records  # it grows until then
    assert [(r["state"], r["reason"]) for r in records] == [("complete", "")] * 3
    assert all(r["score"] > r["zero"] for r in records)
    for r in records:
        with np.load(out / r["prediction"]) as content:
            expected = {"two": {"01", "1"}, "many": {"a", "b", "<c>"}, "real": set()}[r["name"]]
            assert set(content["classes"]) == expected
    assert {"versions", "machine", "revision", "seed", "peak_ram", "when", "load"} <= set(records[0])


def test_a_finished_cell_is_never_repeated_and_a_torn_line_is_run_again(folder, tmp_path, fake):
    environments, calls = fake()
    out, suite = tmp_path / "out", open_suite(str(folder))
    first = bench(suite, plan(environments), out)
    assert (first.new, len(first.records), len(calls())) == (12, 12, 12)
    assert all(r["state"] == "complete" and r["score"] is not None for r in first.records)
    again = bench(suite, plan(environments), out)
    assert (again.new, len(again.records), len(calls())) == (0, 12, 12)
    lines = (out / RESULTS).read_bytes()
    (out / RESULTS).write_bytes(lines[:-40])  # killed while it wrote the last
    assert bench(suite, plan(environments), out).new == 1
    assert len(read_results(out)) == 12
    assert bench(suite, plan(environments, seed=1, folds=(0,)), out).new == 6


def test_failures_are_results_with_their_reason_and_leave_no_process(folder, tmp_path, fake, alive, monkeypatch):
    suite = only(open_suite(str(folder)), ["two"])
    environments, _ = fake()
    (usual,) = bench(suite, plan(environments, methods=("flaml",), folds=(0,)), tmp_path / "measured").records
    deadline = 3.0 + 10 * usual["seconds"]  # by then the method that hangs has begun, however slow the machine is
    monkeypatch.setattr(cells_module.Setting, "deadline", property(lambda _: deadline))
    environments, _ = fake(flaml="fails", autogluon="hangs")
    session = bench(suite, plan(environments, folds=(0,)), tmp_path / "out")
    found = {r["method"]: (r["state"], r["reason"]) for r in session.records}
    assert found["flaml"] == ("failed", "ValueError: no such luck")
    assert found["autogluon"][0] == "timeout"
    child = int((tmp_path / "calls.child").read_text())
    assert not alive(child)
    environments, _ = fake(flaml="eats", autogluon="lies")
    retried = bench(suite, plan(environments, folds=(0,), max_ram=200_000_000, retry=True), tmp_path / "out")
    found = {r["method"]: (r["state"], r["reason"]) for r in retried.records}
    assert found["flaml"][0] == "memory"
    assert found["autogluon"] == ("failed", "its prediction cannot be used: a value is not finite")


def test_a_killed_bench_takes_its_methods_with_it_and_keeps_what_was_finished(folder, tmp_path, fake, alive):
    environments, calls = fake(autogluon="hangs")
    code = (
        "import sys; from pathlib import Path; from autometa.bench import *\n"
        f"plan = Plan(('flaml', 'autogluon'), 600.0, (0, 1), environments=Path({str(environments)!r}))\n"
        f"bench(open_suite({str(folder)!r}), plan, Path({str(tmp_path / 'out')!r}))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[1]) as process:
        until(lambda: (tmp_path / "calls.child").exists() and (tmp_path / "calls.child").read_text())
        with pytest.raises(RunError, match="in use"), claimed(tmp_path / "out"):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    pids = [int(line.split()[2]) for line in calls()] + [int((tmp_path / "calls.child").read_text())]
    until(lambda: not any(map(alive, pids)))
    finished = len(read_lines(tmp_path / "out" / RESULTS))
    assert finished == len(calls()) - 1
    environments, calls = fake()
    before = len(calls())
    rest = bench(open_suite(str(folder)), plan(environments, seconds=600.0, folds=(0, 1)), tmp_path / "out")
    assert rest.new == len(calls()) - before == 12 - finished


def until(true, seconds=120.0):
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.02)


def test_two_cells_at_once_give_what_one_at_a_time_gives(folder, tmp_path, fake, monkeypatch):
    monkeypatch.setattr("autometa.bench.run.available_cpus", lambda: 2)
    environments, _ = fake()
    suite = open_suite(str(folder))
    scores = []
    for jobs in (1, 2):
        session = bench(suite, plan(environments, jobs=jobs, cores=1), tmp_path / f"out{jobs}")
        scores.append({(r["task"], r["fold"], r["method"]): r["score"] for r in session.records})
    assert scores[0] == scores[1]
    assert len(scores[0]) == 12


def test_cells_of_two_tasks_at_once_each_have_their_own_tables(folder, tmp_path, fake, monkeypatch):
    monkeypatch.setattr("autometa.bench.run.available_cpus", lambda: 2)
    environments, _ = fake()
    suite = open_suite(str(folder))
    for jobs in (1, 2):  # one method: the second task begins before anything has ended
        bench(suite, plan(environments, methods=("lightgbm",), folds=(0,), jobs=jobs, cores=1), tmp_path / f"out{jobs}")
    assert [r["state"] for r in read_lines(tmp_path / "out2" / RESULTS)] == ["complete"] * len(suite.entries)
    one, two = ({r["task"]: r["score"] for r in read_lines(tmp_path / f"out{jobs}" / RESULTS)} for jobs in (1, 2))
    assert one == two


def test_a_task_that_cannot_be_read_is_named_and_the_others_are_run(folder, tmp_path, fake):
    environments, _ = fake()
    (folder / "many.parquet").write_bytes(b"PAR1 nothing")
    notes = []

    class Heard(Watcher):
        def note(self, text):
            notes.append(text)

    session = bench(open_suite(str(folder)), plan(environments), tmp_path / "out", Heard())
    assert set(session.unreadable) == {"many"}
    assert session.new == 8
    assert notes
    assert "many" in notes[0]


def test_results_of_another_table_of_the_same_name_are_not_mixed(folder, tmp_path, fake):
    environments, _ = fake()
    suite = only(open_suite(str(folder)), ["real"])
    bench(suite, plan(environments), tmp_path / "out")
    frame = pd.read_parquet(folder / "real.parquet")
    frame.assign(x=frame["x"] * 2).to_parquet(folder / "real.parquet", index=False)
    with pytest.raises(RunError, match="another table"):
        bench(suite, plan(environments, folds=(0, 5)), tmp_path / "out")


def test_a_plan_that_cannot_be_is_refused_with_all_that_is_wrong():
    with pytest.raises(InputError) as caught:
        Plan(("autmeta", "rf"), jobs=10_000)
    assert "Did you mean 'autometa'" in str(caught.value)
    assert "--jobs" in str(caught.value)


# -------------------------------------------------------------------------------------------------------------- scores


def test_scores_do_not_depend_on_the_order_of_a_methods_classes_and_a_class_it_never_saw_has_nothing(folder):
    task = open_suite(str(folder)).entries[1].load()
    answers = task.frame["target"].to_numpy()[:30]
    p = np.random.default_rng(0).dirichlet([1, 1, 1], 30)
    one = judged(task, answers, CellPrediction(task.classes, p))
    other = judged(task, answers, CellPrediction(task.classes[::-1], p[:, ::-1] * 7))
    assert one == pytest.approx(other)
    codes = [task.classes.index(label) for label in answers]
    assert one["neg_log_loss"] == pytest.approx(np.log(p[np.arange(30), codes]).mean())
    two = judged(task, answers, CellPrediction(task.classes[:2], np.full((30, 2), 0.5)))
    assert two["neg_log_loss"] < -5
    with pytest.raises(ValueError, match="no probabilities"):
        judged(task, answers, CellPrediction(task.classes, p * 0))


def test_the_constant_prediction_is_the_mean_and_the_shares_of_the_classes(folder):
    real, two = (open_suite(str(folder)).entries[i].load() for i in (2, 0))
    train, test = (real.frame["target"].to_numpy(float)[rows] for rows in real.folds[0, 0])
    assert constant_score(real, (0, 0)) == pytest.approx(-np.sqrt(((test - train.mean()) ** 2).mean()))
    assert constant_score(two, (0, 0)) == 0.5


def record(task, method, score, fold=0, budget=60.0, **changes):
    out = {"task": task, "name": task, "repeat": 0, "fold": fold, "method": method, "budget": budget, "cores": 2}
    out |= {"seed": 0, "kind": "binary", "metric": "roc_auc", "rows": 100, "zero": 0.5, "score": score, "task_id": None}
    out |= {"state": "failed" if score is None else "complete", "reason": "" if score is not None else "why | <b>"}
    out |= {"seconds": 61.0, "fit_seconds": 60.0, "peak_ram": 10**8, "revision": "1", "version": "1", "versions": {}}
    out["machine"] = {"processor": "p", "cpus": 2, "python": "3.11", "system": "Linux"}
    return out | changes


def many(tasks=12, methods=("autometa", "cold", "rf", "lightgbm"), **changes):
    rng = np.random.default_rng(0)
    return [
        record(f"d{t}", m, 0.95 - 0.02 * j + rng.normal(0, 0.002), f, 60.0 if METHODS[m].timed else 0.0, **changes)
        for t in range(tasks)
        for f in range(2)
        for j, m in enumerate(methods)
    ]


def test_ranks_tests_and_duels_are_those_of_a_plain_calculation():
    from scipy.stats import friedmanchisquare, rankdata, wilcoxon

    methods = ("autometa", "cold", "rf", "lightgbm")
    c = compare(many(), methods, 60.0)
    of = {(t, m): [r["score"] for r in many() if (r["task"], r["method"]) == (t, m)] for t in c.tasks for m in methods}
    scores = np.array([[np.mean(of[t, m]) for m in methods] for t in c.tasks])
    assert c.scores == pytest.approx(scores)
    ranks = np.array([rankdata(-row) for row in scores])
    assert c.ranks == pytest.approx(ranks)
    assert c.friedman == pytest.approx(friedmanchisquare(*scores.T).pvalue)
    assert c.critical == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 12)), abs=2e-3)
    unit = (scores - 0.5) / (scores.max(axis=1, keepdims=True) - 0.5)
    duel = next(d for d in c.against() if d.other == "cold")
    assert (duel.wins, duel.ties, duel.losses) == (12, 0, 0)
    assert duel.mean == pytest.approx((unit[:, 0] - unit[:, 1]).mean())
    assert duel.p == pytest.approx(min(1, 3 * wilcoxon(unit[:, 0] - unit[:, 1]).pvalue), rel=0.5)
    assert c.worst.tolist() == [0, 0, 0, 12]
    assert c.over_forest[:, 2].tolist() == [0.0] * 12


def test_a_failed_cell_counts_as_a_constant_prediction_and_an_untried_fold_for_nobody():
    records = [record("d", "autometa", 0.9, 0), record("d", "rf", 0.8, 0), record("d", "autometa", None, 1)]
    records += [record("d", "rf", 0.8, 1), record("d", "autometa", 0.1, 2), record("e", "autometa", 0.7)]
    c = compare(records, ("autometa", "rf"), 60.0)
    assert c.tasks == ("d",)
    assert c.scores.tolist() == [[pytest.approx(0.7), pytest.approx(0.8)]]
    assert c.failed.tolist() == [[1, 0]]
    assert c.folds == (2,)
    assert c.partial == ("e",)
    assert compare(records, ("autometa", "flaml"), 60.0) is None


# -------------------------------------------------------------------------------------------------------------- report


def test_the_reports_say_what_was_compared_and_refer_to_nothing_outside(tmp_path):
    import xml.etree.ElementTree as ET
    from html.parser import HTMLParser

    methods = ("autometa", "cold", "rf", "lightgbm")
    other = {"kind": "multiclass", "metric": "neg_log_loss", "zero": -1.0}
    records = [*many(), record("<script>", "autometa", None, **other)]
    for m in methods[1:]:
        records.append(record("<script>", m, -0.5, budget=60.0 if METHODS[m].timed else 0.0, **other))
    down = {"openml:task/9": "down"}
    found = findings("S", records, methods, 60.0, cores=2, seed=0, absent=["flaml"], unreadable=down)
    paths = write(found, tmp_path)
    html, text = page(found), markdown(found)
    for words in ("FLAML", "openml:task/9", "13 datasets", "critical difference"):
        assert words in html
    assert "http" not in html.replace("http-equiv", "")
    assert "<script>," not in html
    assert "why | &lt;b&gt;" in html
    assert "failed: why" in text
    assert "![Average ranks" in text
    assert {len(line.split(" | ")) for line in text.splitlines() if line.startswith("| d")} == {7}
    assert "![Average ranks; a bar joins" in text
    assert "[folds.csv](folds.csv)" in text
    assert 'href="results.jsonl"' in html
    folds = pd.read_csv(paths["folds.csv"])
    assert len(folds) == 13 * 8 - 4
    assert folds.loc[folds["metric"] == "neg_log_loss", "score"].dropna().unique().tolist() == [0.5]
    ET.parse(tmp_path / "ranks.svg")
    parser = HTMLParser()
    parser.feed(html)
    assert set(paths) == {"report.html", "report.md", "ranks.svg", "folds.csv"}
    values = json.loads(json.dumps(summary(found)))
    assert [m["method"] for m in values["methods"]] == list(methods)
    assert values["tasks"] == 13
    assert [m["method"] for m in values["methods"] if m["average_rank"] is None] == ["lightgbm"]


def test_a_method_without_a_time_limit_has_no_rank_and_stands_apart():
    methods = ("lightgbm", "autometa", "cold", "rf")
    found = findings("S", many(methods=methods), methods, 60.0, cores=2, seed=0)
    assert found.ranked.methods == ("autometa", "cold", "rf")
    assert found.ranked.ranks.max() == 3
    assert [(duel.other, duel.losses) for duel in found.apart] == [("lightgbm", 12)]
    text = markdown(found)
    assert "AutoMeta against each that no budget holds:" in text
    ranks = text[text.index("| average rank") : text.index("*scaled*")]
    assert "LightGBM" not in ranks
    assert "LightGBM" not in _diagram(found.ranked)
    alone = findings("S", many(methods=("lightgbm", "default")), ("lightgbm", "default"), 60.0, cores=2, seed=0)
    assert alone.ranked.methods == ("lightgbm", "default")
    assert alone.apart == ()


def test_of_fewer_than_six_datasets_nothing_is_tested_nor_joined():
    methods = ("autometa", "cold", "rf")
    for tasks in (5, 6):
        found = findings("S", many(tasks, methods), methods, 60.0, cores=2, seed=0)
        c, values = found.ranked, summary(found)
        tested = [
            c.friedman,
            c.critical,
            values["friedman"],
            values["critical_difference"],
            *(d.p for d in c.against()),
        ]
        assert {value is None for value in tested} == {tasks == 5}
        text = markdown(found) + page(found)
        assert ("5 datasets cannot tell a difference from chance" in text) == (tasks == 5)
        assert ("critical difference" in text) == (tasks == 6)
        assert ("a bar joins" in text) == (tasks == 6)


def test_the_load_of_the_machine_stands_beside_the_times_and_a_cut_value_is_told_from_a_measured_one():
    methods = ("autometa", "cold", "rf")
    records = [r | {"load": 7.5 if r["method"] == "rf" else 1.5} for r in many(6, methods)]
    records = [r | ({"score": 0.2} if r["method"] == "cold" else {}) for r in records]  # far below the forest
    records[0] |= {"score": None, "state": "timeout", "fit_seconds": None, "seconds": 180.0}
    found = findings("S", records, methods, 60.0, cores=2, seed=0)
    ranks = markdown(found).partition("*scaled*")[0]
    rows = {line.split(" | ")[0]: line for line in ranks.splitlines() if line.startswith("| ")}
    assert " | 7.5 | " in rows["| random forest"]
    assert " | -1 or less | " in rows["| cold TPE"]
    assert " | killed after 3" in rows["| AutoMeta"]
    assert {m["method"]: m["load"] for m in summary(found)["methods"]} == {"autometa": 1.5, "cold": 1.5, "rf": 7.5}
    assert "1.5 processes ran or waited for 2 CPUs (median; 1.5 to 7.5)." in page(found)
    busy = findings("S", [r | {"load": 9.0} for r in records], methods, 60.0, cores=2, seed=0)
    assert "That is a busy machine" in markdown(busy)
    unknown = findings("S", many(6, methods), methods, 60.0, cores=2, seed=0)
    assert "load of the machine was not recorded" in markdown(unknown)


def test_a_line_joins_only_methods_that_do_not_differ():
    c = compare(many(40), ("autometa", "cold", "rf", "lightgbm"), 60.0)
    from autometa.bench.ranking import cliques

    rank = sorted(c.ranks.mean(axis=0))
    assert cliques(rank, c.critical) == []
    assert cliques(rank, 1.2) == [(0, 1), (1, 2), (2, 3)]
    assert all(b - a > c.critical for a, b in pairwise(rank))


# ------------------------------------------------------------------------------------------------------------- publish


def test_only_tasks_with_all_their_folds_are_published_and_only_once(folder, tmp_path, fake):
    environments, _ = fake()
    task = open_suite(str(folder)).entries[0].load()
    splits = tuple((0, f, *task.folds[0, f]) for f in range(3))
    sent = []

    def send(**arguments):
        sent.append(arguments)
        return SimpleNamespace(url=None if arguments["dry"] else "there", predictions=len(arguments["predictions"]))

    client = SimpleNamespace(task=lambda _: SimpleNamespace(splits=splits), publish=send)
    out = tmp_path / "out"
    suite = only(open_suite(str(folder)), ["two"])
    session = bench(suite, plan(environments, methods=("flaml",), folds=(0, 1)), out)
    assert offer(session.records, ["flaml"], out, cores=session.records[0]["cores"], seed=0) == []  # not of OpenML
    records = [r | {"task_id": 7} for r in session.records]
    offers = offer(records, ["flaml"], out, cores=records[0]["cores"], seed=0)
    (short,) = publish(client, offers, out)
    assert "no result for fold 2" in short.why
    session = bench(suite, plan(environments, methods=("flaml",), folds=(0, 1, 2)), out)
    records = [r | {"task_id": 7} for r in session.records]
    offers = offer(records, ["flaml"], out, cores=records[0]["cores"], seed=0)
    assert publish(client, offers, out)[0].predictions == 36
    assert sent[0]["dry"]
    rows = sent[0]["predictions"]
    assert sorted(rows["row"]) == sorted(np.concatenate([test for *_, test in splits]))
    assert rows[["proba_01", "proba_1"]].sum(axis=1).to_numpy() == pytest.approx(1)
    assert publish(client, offers, out, dry=False)[0].url == "there"
    assert offer(records, ["flaml"], out, cores=records[0]["cores"], seed=0) == []


# -------------------------------------------------------------------------------------------------------- command line


def test_the_command_runs_resumes_and_prints_one_json_value(folder, tmp_path, fake, capsys, monkeypatch):
    environments, calls = fake(autogluon="fails")
    monkeypatch.chdir(tmp_path)
    arguments = ["bench", "--suite", str(folder), "--folds", "0", "--time", "1", "--methods", "flaml,autogluon"]
    arguments += ["--environments", str(environments), "--out", "out", "--json"]
    assert main(arguments) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["new"], values["tasks"], values["absent"]) == (6, 3, [])
    assert {m["method"]: m["failed"] for m in values["methods"]} == {"flaml": 0, "autogluon": 3}
    assert (tmp_path / "out" / "report.html").exists()
    assert main(arguments) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([*arguments[:-1], "--resume"]) == 0
    assert "average rank" in capsys.readouterr().out
    assert len(calls()) == 6


def test_the_command_looks_into_the_cache_that_it_is_given(tmp_path, capsys):
    code = main(
        ["bench", "--suite", "99", "--cache", str(tmp_path / "kept"), "--offline", "--out", str(tmp_path / "o")]
    )
    assert code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"offline, and the cache {tmp_path / 'kept'}" in said
    assert not (tmp_path / "o").exists()


def test_the_command_hears_of_every_mistake_at_once(capsys):
    code = main(["bench", "--methods", "autmeta", "--folds", "3-1", "--time", "x", "--jobs", "0"])
    said = capsys.readouterr().err
    assert code == 2
    assert [word in said for word in ("'autometa'", "3-1", "--time", "--jobs", "--suite")] == [True] * 5


def test_a_method_that_is_not_installed_is_named_and_the_others_run(folder, tmp_path, fake, capsys):
    environments, _ = fake()
    (environments / "autogluon" / "installed").unlink()
    arguments = ["bench", "--suite", str(folder), "--tasks", "two", "--folds", "0", "--methods", "flaml,autogluon"]
    assert main([*arguments, "--environments", str(environments), "--out", str(tmp_path / "out")]) == 0
    assert "AutoGluon is not installed" in capsys.readouterr().err
    assert "AutoGluon is not installed" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


def test_a_line_is_on_disk_whole_though_the_one_before_was_cut(tmp_path):
    path = tmp_path / "r.jsonl"
    append(path, {"a": 1})
    with path.open("ab") as file:
        file.write(b'{"a": 2')
    append(path, {"a": 3})
    assert read_lines(path) == [{"a": 1}, {"a": 3}]


def test_each_preset_of_autogluon_is_a_method_that_asks_for_it_and_runs_only_when_asked(tmp_path, monkeypatch):
    told = []

    class TabularPredictor:
        model_best = "best"

        def __init__(self, **_):
            pass

        def fit(self, table, **options):
            told.append(options)

        def model_names(self):
            return ["best"]

        def predict(self, test):
            return pd.Series(np.zeros(len(test)))

    library = types.ModuleType("autogluon.tabular")
    library.TabularPredictor = TabularPredictor
    monkeypatch.setitem(sys.modules, "autogluon", types.ModuleType("autogluon"))
    monkeypatch.setitem(sys.modules, "autogluon.tabular", library)
    table = pd.DataFrame({"x": [1.0, 2.0]}), pd.Series([1.0, 2.0]), pd.DataFrame({"x": [3.0]})
    monkeypatch.setattr(Cell, "tables", lambda self: table)
    presets = [name for name in METHODS if name.startswith("autogluon-") and name != "autogluon-best"]
    assert {"autogluon-best_quality", "autogluon-best_quality_v150", "autogluon-high_quality_v150"} <= set(presets)
    for name in presets:
        cell = Cell(tmp_path, tmp_path, name, "regression", "target", "neg_root_mean_squared_error", 60.0, 2, 0)
        METHODS[name].function(cell)
        assert told[-1]["presets"] == name.removeprefix("autogluon-")
        assert (told[-1]["time_limit"], told[-1]["num_cpus"]) == (60.0, 2)
        assert METHODS[name].environment == "autogluon"
        assert name not in DEFAULT_METHODS
