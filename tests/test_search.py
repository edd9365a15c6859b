"""The search: what it promises whatever the table, and what happens when somebody pulls the plug."""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from autometa.errors import InputError, RunError
from autometa.evaluation import Evaluation, Local, State, available_cpus, evaluate_isolated
from autometa.origins import Origin
from autometa.report import write
from autometa.search import (
    Run,
    SearchPlan,
    Settings,
    TrialRow,
    WarmStart,
    failed,
    load_model,
    open_run,
    resume,
    search,
)
from autometa.search.ensemble import greedy_ensemble
from autometa.search.options import OPTIONS
from autometa.search.plan import affordable_splits
from autometa.search.result import leaderboard
from autometa.task import make_task

QUICK = ("linear", "naive_bayes", "knn")


@pytest.fixture
def wine():
    X, y = load_wine(return_X_y=True, as_frame=True)
    return make_task(X, y=np.array(["red", "white", "rosé"])[y], name="wine")


@pytest.fixture
def cancer():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return make_task(X, y=y, name="cancer")


def quick(tmp_path: Path, **changes) -> Settings:
    usual = {"trials": 6, "families": QUICK, "store": str(tmp_path / "store.db"), "folds": 5}  # not three times five
    return Settings(**(usual | changes))


PATIENCE = 300.0  # seconds for one trial, however slow the machine
STUCK_FIRST = 0  # a seed with which a cold search begins with the family that does not end


def seconds_of_a_search(task, folder: Path, executor=None) -> float:
    """How long a search of one cheap trial takes here and now, with a forkserver that has its modules."""
    settings = Settings(trials=1, families=("linear",), cold=True, remember=False)
    search(task, settings, folder / "first", executor=executor)
    began = time.monotonic()
    search(task, settings, folder / "second", executor=executor)
    return time.monotonic() - began


def patient_search(task, settings: Settings, folder: Path, progress=None):
    """A search that ends no trial because the machine is slow."""
    options = replace(OPTIONS, unhurried=86_400.0)
    plan = SearchPlan.of(task, settings, available_cpus(), options=options)
    return search(task, settings, folder, progress=progress, plan=plan)


class Recorder:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.stages, self.finished, self.notes = [], [], []

    def stage(self, name, detail=""):
        self.stages.append(name)

    def started(self, task, settings, recommendations):
        pass

    def trial_started(self, number, config, origin, reason):
        pass

    def trial_finished(self, trial, incumbent, elapsed):
        self.finished.append(trial.number)

    def note(self, text):
        self.notes.append(text)


@pytest.mark.long
class TestEverySearch:
    def test_a_trial_budget_is_spent_exactly_and_every_trial_is_in_the_journal(self, wine, tmp_path):
        recorder = Recorder()
        result = search(wine, quick(tmp_path), tmp_path / "run", progress=recorder)
        assert len(result.trials) == 6 == len(recorder.finished)
        assert [t.number for t in Run.open(tmp_path / "run").trials(Run.open(tmp_path / "run").study())] == list(
            range(6)
        )
        assert recorder.stages == ["describing", "searching", "ensembling", "refitting", "remembering"]

    def test_what_was_seen_of_every_trial_is_told_to_the_sampler_whatever_became_of_it(self, cancer, tmp_path):
        search(cancer, quick(tmp_path, trials=10), tmp_path / "run")
        run = Run.open(tmp_path / "run")
        study = run.study()
        rows = {row.number: row.evaluation for row in run.trials(study)}
        for trial in study.get_trials():
            seen = rows[trial.number].folds["roc_auc"]
            assert trial.last_step == len(seen) - 1
            assert trial.intermediate_values[trial.last_step] == pytest.approx(np.mean(seen))
        assert {"complete", "stopped"} <= {evaluation.state for evaluation in rows.values()}

    def test_the_model_answers_in_the_targets_own_labels(self, wine, tmp_path):
        result = search(wine, quick(tmp_path, trials=3), tmp_path / "run")
        X = load_wine(as_frame=True).data
        model = load_model(tmp_path / "run")
        assert set(model.predict(X)) <= {"red", "white", "rosé"}
        probability = model.predict_proba(X)
        assert probability.shape == (178, 3)
        np.testing.assert_allclose(probability.sum(axis=1), 1)
        assert (model.predict(X) == np.array(["red", "white", "rosé"])[load_wine().target]).mean() > 0.9
        assert result.score > -0.5

    def test_regression_predicts_numbers_and_refuses_probabilities(self, tmp_path):
        X, y = load_diabetes(return_X_y=True, as_frame=True)
        task = make_task(X, y=y, name="diabetes")
        search(task, quick(tmp_path, trials=2, families=("linear",)), tmp_path / "run")
        model = load_model(tmp_path / "run")
        assert np.corrcoef(model.predict(X), y)[0, 1] > 0.6
        with pytest.raises(InputError, match="no probabilities"):
            model.predict_proba(X)

    def test_the_same_seed_tries_the_same_configurations_and_ends_in_the_same_model(self, cancer, tmp_path):
        results = [search(cancer, quick(tmp_path, trials=8, remember=False), tmp_path / f"run{k}") for k in range(2)]
        first, second = ([t.evaluation.config for t in r.trials] for r in results)
        assert first == second
        assert results[0].members == results[1].members
        X = load_breast_cancer(as_frame=True).data
        answers = [load_model(tmp_path / f"run{k}").predict_proba(X) for k in range(2)]
        np.testing.assert_array_equal(*answers)

    def test_another_seed_tries_others(self, wine, tmp_path):
        settings = [quick(tmp_path, trials=8, seed=s, cold=True, remember=False) for s in (0, 1)]
        tried = [[t.evaluation.config for t in search(wine, s, tmp_path / f"run{s.seed}").trials] for s in settings]
        assert tried[0] != tried[1]

    def test_jobs_run_at_once_and_spend_the_same_budget(self, wine, tmp_path):
        result = search(wine, quick(tmp_path, trials=8, jobs=2), tmp_path / "run")
        assert sorted(t.number for t in result.trials) == list(range(8))
        spans = [(t.started, t.finished) for t in result.trials]
        assert any(a[0] < b[0] < a[1] for a in spans for b in spans if a != b)

    def test_the_ensemble_is_never_worse_out_of_fold_than_its_best_member(self, cancer, tmp_path):
        result = search(cancer, quick(tmp_path, trials=8), tmp_path / "run")
        singles = [t.evaluation.scores["roc_auc"] for t in result.trials if t.evaluation.state == "complete"]
        assert result.score >= max(singles) - 1e-12

    def test_models_are_dropped_once_and_only_those_beyond_the_best(self, wine, tmp_path, monkeypatch):
        dropped: list[int] = []
        monkeypatch.setattr(Run, "drop_models", lambda self, number: dropped.append(number))
        settings = quick(tmp_path, trials=6, families=("naive_bayes",), remember=False, cold=True)
        plan = SearchPlan.of(wine, settings, available_cpus(), options=replace(OPTIONS, candidates=2))
        result = search(wine, settings, tmp_path / "run", plan=plan)
        best = [row.number for row in leaderboard(result.trials, wine.metric)]
        assert len(best) > 3
        assert sorted(dropped) == sorted(best[2:])

    def test_the_models_of_the_folds_have_half_a_members_say_while_they_are_small(self, cancer, tmp_path):
        settings = quick(tmp_path, trials=2, families=("naive_bayes",), remember=False)
        search(cancer, settings, tmp_path / "run")
        for member in load_model(tmp_path / "run").members:
            (whole,), folds = member.models
            assert len(folds) == 5
            said = [model.predict_proba(cancer.X) for model in (whole, *folds)]
            expected = member.calibration.apply((said[0] + np.mean(said[1:], axis=0)) / 2)
            np.testing.assert_allclose(member.predict(cancer.X, "binary", 2), expected)
        plan = SearchPlan.of(cancer, settings, available_cpus(), options=replace(OPTIONS, fold_models_bytes=100))
        search(cancer, settings, tmp_path / "small", plan=plan)
        assert all(len(member.models) == 1 for member in load_model(tmp_path / "small").members)

    def test_a_finished_run_reads_back_the_same(self, wine, tmp_path):
        result = search(wine, quick(tmp_path), tmp_path / "run")
        again = open_run(tmp_path / "run")
        assert again.summary() == result.summary()
        np.testing.assert_array_equal(again.oof, result.oof)
        assert again.recommendations == result.recommendations

    def test_the_finished_task_is_remembered_once_and_helps_the_next(self, wine, tmp_path):
        from autometa.store import MetaStore

        search(wine, quick(tmp_path), tmp_path / "one")
        store = MetaStore(tmp_path / "store.db")
        assert [r.fingerprint for r in store.tasks()] == [wine.fingerprint]
        assert len(store.evaluations(wine.fingerprint)) == 6
        second = search(wine, quick(tmp_path), tmp_path / "two")
        assert any("wine" in r.reason or any("wine" in str(e) for e in r.evidence) for r in second.recommendations)

    def test_nothing_is_remembered_when_asked_not_to(self, wine, tmp_path):
        search(wine, quick(tmp_path, remember=False, trials=2), tmp_path / "run")
        assert not (tmp_path / "store.db").exists()

    def test_a_cold_search_recommends_nothing(self, wine, tmp_path):
        result = search(wine, quick(tmp_path, cold=True, trials=3), tmp_path / "run")
        assert result.recommendations == ()
        assert result.summary()["warm_trials"] == 0

    def test_summary_is_json_with_the_promised_fields(self, wine, tmp_path):
        summary = search(wine, quick(tmp_path, trials=2), tmp_path / "run").summary()
        assert json.loads(json.dumps(summary)) == summary
        promised = "run task target rows columns metric score score_std trials failed warm_trials seconds best ensemble"
        assert set(promised.split()) <= set(summary)
        assert {"family", "params"} <= set(summary["best"])

    def test_time_order_and_groups_reach_the_folds(self, tmp_path):
        rng = np.random.default_rng(0)
        frame = pd.DataFrame({"a": rng.normal(size=200), "b": rng.normal(size=200), "when": np.arange(200)})
        frame["y"] = (frame.a + rng.normal(size=200) > 0).map({True: "p", False: "q"})
        task = make_task(frame, target="y", time_order="when")
        result = search(task, quick(tmp_path, trials=2), tmp_path / "run")
        unseen = np.isnan(result.oof).any(axis=1)
        assert unseen[:20].all()
        assert not unseen[-20:].any()
        assert all(len(m.models) == 1 for m in load_model(tmp_path / "run").members)  # what knows the past alone is out

    @pytest.mark.parametrize("family", ["mlp", "lightgbm", "svm"])
    def test_a_family_completes_a_trial_under_the_default_settings(self, wine, tmp_path, family):
        result = patient_search(wine, quick(tmp_path, trials=1, families=(family,)), tmp_path / "run")
        assert result.best.evaluation.state == "complete"


class TestBudget:
    def test_when_nothing_comes_to_an_end_a_cheap_default_is_next_and_told_as_a_fall_back(
        self, wine, tmp_path, waiting_isolation
    ):
        unit = seconds_of_a_search(wine, tmp_path / "unit", Local(waiting_isolation))
        settings = quick(
            tmp_path,
            trials=2,
            families=("stuck", "linear"),
            cold=True,
            seed=STUCK_FIRST,
            trial_seconds=max(3.0, 5 * unit),
        )
        result = search(wine, settings, tmp_path / "run", executor=Local(waiting_isolation))
        first, second = result.trials
        assert (first.evaluation.config["family"], first.evaluation.state) == ("stuck", "timeout")
        assert (second.evaluation.config["family"], second.evaluation.state) == ("linear", "complete")
        assert (first.origin, second.origin) == (Origin.SEARCH, Origin.FALLBACK)
        run = Run.open(tmp_path / "run")
        assert [row.origin for row in run.trials(run.study())] == ["search", "fallback"]
        assert [row.evaluation.origin for row in run.trials(run.study())] == ["search", "fallback"]
        assert result.summary()["best"]["origin"] == "fallback"
        assert result.summary()["warm_trials"] == 0
        assert "fall" in write(result, tmp_path / "report.html").read_text(encoding="utf-8")

    @pytest.mark.parametrize(("limit", "grows"), [(None, None), (200.0, 200.0)])
    def test_what_can_end_early_does_so_by_the_limit_of_a_trial(self, wine, tmp_path, monkeypatch, limit, grows):
        heard = []
        monkeypatch.setattr(
            "autometa.evaluation.executor.evaluate_isolated",
            lambda isolation, folder, attempt, **o: (
                heard.append(attempt.growth) or evaluate_isolated(isolation, folder, attempt, **o)
            ),
        )
        search(wine, quick(tmp_path, trials=1, trial_seconds=limit), tmp_path / "run")
        assert heard == [grows]

    def test_a_time_budget_ends_the_search(self, cancer, tmp_path):
        """By how much it is kept is measured by benchmarks/speed.py."""
        unit = seconds_of_a_search(cancer, tmp_path / "unit")  # with all that is not a trial
        seconds = max(8.0, 4 * unit)
        began = time.monotonic()
        result = search(cancer, quick(tmp_path, trials=None, seconds=seconds), tmp_path / "run")
        assert time.monotonic() - began < 3 * seconds
        assert result.trials

    def test_folds_are_fewer_where_time_is_short_and_on_one_cpu(self):
        rng = np.random.default_rng(0)
        task = make_task(
            pd.DataFrame(rng.normal(size=(3000, 100))).add_prefix("c"), y=rng.normal(size=3000), name="wide"
        )
        seconds = {60.0: (5, 3), 30.0: (3, 3), 12.0: (3, 1), 6.0: (1, 1)}
        for budget, (two, one) in seconds.items():
            settings = Settings(seconds=budget)
            assert affordable_splits(task, settings, cpus=2).n_folds == two
            assert affordable_splits(task, settings, cpus=64).n_folds == two
            assert affordable_splits(task, settings, cpus=1).n_folds == one

    def test_a_large_table_gets_a_hold_out_earlier_because_it_takes_few_of_its_rows(self):
        rng = np.random.default_rng(0)
        for n, folds in ((14_000, 3), (15_000, 1)):
            frame = pd.DataFrame(rng.normal(size=(n, 20))).add_prefix("c")
            task = make_task(frame, y=rng.normal(size=n), name="long")
            splits = affordable_splits(task, Settings(seconds=60.0), cpus=1)
            assert splits.n_folds == folds
            assert folds > 1 or sum(len(test) for _, test in splits) <= n / 6

    def test_a_run_keeps_its_splits_wherever_it_goes_on(self, wine, tmp_path, monkeypatch):
        search(wine, quick(tmp_path, trials=2), tmp_path / "run")
        before = Run.open(tmp_path / "run").splits
        monkeypatch.setattr("autometa.search.plan.affordable_splits", None)
        resume(tmp_path / "run", trials=1)
        np.testing.assert_array_equal(Run.open(tmp_path / "run").splits.test, before.test)
        (tmp_path / "run" / "splits.npz").write_bytes(b"no")
        with pytest.raises(RunError, match="is damaged"):
            resume(tmp_path / "run", trials=1)

    def test_no_time_for_any_trial_leaves_the_first_model_and_says_what_it_was_made_from(self, cancer, tmp_path):
        heard = Recorder()
        result = search(cancer, quick(tmp_path, trials=None, seconds=0.01), tmp_path / "run", progress=heard)
        assert [trial.origin for trial in result.trials] == ["fallback"]
        assert result.best.evaluation.config == {"family": "quick_linear"}
        assert any("nothing else was evaluated in time" in note for note in heard.notes)
        assert load_model(tmp_path / "run").predict(cancer.X).shape == (cancer.n,)
        again = open_run(tmp_path / "run")
        assert again.summary() == result.summary()
        assert again.score == pytest.approx(again.best.evaluation.scores["roc_auc"])
        assert write(again, tmp_path / "report.html").exists()

    def test_impossible_settings_are_all_named(self):
        with pytest.raises(InputError) as caught:
            Settings(seconds=-1, trials=0, jobs=0, device="abacus")
        assert len(caught.value.problems) == 4


class TestBadFolders:
    def test_a_folder_that_is_not_a_run_is_left_alone(self, wine, tmp_path):
        (tmp_path / "taken").mkdir()
        (tmp_path / "taken" / "thesis.txt").write_text("years of work")
        with pytest.raises(InputError, match="not a run"):
            search(wine, quick(tmp_path), tmp_path / "taken")
        assert [f.name for f in (tmp_path / "taken").iterdir()] == ["thesis.txt"]
        with pytest.raises(RunError, match="not a run"):
            resume(tmp_path / "taken")

    def test_a_run_is_never_overwritten(self, wine, tmp_path):
        search(wine, quick(tmp_path, trials=2), tmp_path / "run")
        with pytest.raises(InputError, match="resume"):
            search(wine, quick(tmp_path, trials=2), tmp_path / "run")

    def test_a_model_of_somebody_else_is_refused_until_trusted(self, wine, tmp_path):
        search(wine, quick(tmp_path, trials=2), tmp_path / "run")
        model = tmp_path / "run" / "model.pkl"
        marker = tmp_path / "ran"

        class Trap:
            def __reduce__(self):
                return (Path.touch, (marker,))

        model.write_bytes(pickle.dumps(Trap()))
        with pytest.raises(RunError, match="--trust"):
            load_model(tmp_path / "run")
        assert not marker.exists()
        with pytest.raises(RunError, match="no AutoMeta model"):
            load_model(tmp_path / "run", trusted=True)

    def test_a_damaged_head_is_named_and_left_alone(self, wine, tmp_path):
        search(wine, quick(tmp_path, trials=2), tmp_path / "run")
        head = tmp_path / "run" / "run.json"
        head.write_text("{")
        with pytest.raises(RunError, match=r"run\.json is damaged"):
            open_run(tmp_path / "run")
        assert head.read_text() == "{"

    def test_a_run_of_a_newer_program_is_refused(self, wine, tmp_path):
        search(wine, quick(tmp_path, trials=2), tmp_path / "run")
        head = tmp_path / "run" / "run.json"
        head.write_text(head.read_text().replace('"format": 2', '"format": 99'))
        with pytest.raises(RunError, match="newer"):
            open_run(tmp_path / "run")


@pytest.mark.long
class TestInterruption:
    def test_a_torn_line_is_dropped_and_the_rest_kept(self, wine, tmp_path):
        search(wine, quick(tmp_path), tmp_path / "run")
        journal = tmp_path / "run" / "journal.log"
        (tmp_path / "run" / "result.json").unlink()
        with journal.open("ab") as file:
            file.write(b'{"op_code": 9, "trial_id"')
        recorder = Recorder()
        result = resume(tmp_path / "run", trials=2, progress=recorder)
        assert len(result.trials) == 8
        assert any("25 bytes" in note and "journal.log" in note for note in recorder.notes)

    def test_what_is_added_to_the_budget_stays_added(self, wine, tmp_path):
        search(wine, quick(tmp_path, trials=1), tmp_path / "run")
        assert len(resume(tmp_path / "run", trials=3).trials) == 4
        assert len(resume(tmp_path / "run", trials=2).trials) == 6
        assert len(resume(tmp_path / "run").trials) == 6

    def test_damage_in_the_middle_is_named_and_left_alone(self, wine, tmp_path):
        search(wine, quick(tmp_path), tmp_path / "run")
        journal = tmp_path / "run" / "journal.log"
        lines = journal.read_bytes().splitlines(keepends=True)
        lines[5] = b"garbage\n"
        journal.write_bytes(b"".join(lines))
        with pytest.raises(RunError, match=r"journal\.log is damaged"):
            resume(tmp_path / "run")
        assert journal.read_bytes() == b"".join(lines)

    def test_two_processes_do_not_work_on_one_run(self, wine, tmp_path):
        search(wine, quick(tmp_path, trials=2), tmp_path / "run")
        with Run.open(tmp_path / "run").locked():
            script = (
                f"from autometa.search import resume; from pathlib import Path; resume(Path({str(tmp_path / 'run')!r}))"
            )
            done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
        assert "in use by another process" in done.stderr

    def test_ctrl_c_ends_with_the_best_so_far(self, tmp_path):
        process = start(tmp_path, trials=10_000)
        wait_for_trials(process, 3)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=300)
        assert "interrupted True" in out
        assert load_model(tmp_path / "run").members

    def test_killed_at_random_points_no_finished_trial_is_lost(self, tmp_path, alive):
        draw = random.Random(0)
        reported: set[int] = set()
        kills = 0
        while kills < 3:
            process = start(tmp_path, trials=10_000)
            reported |= wait_for_trials(process, 1)
            time.sleep(draw.uniform(0, 0.8))
            children = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGKILL)
            out, _ = process.communicate(timeout=300)
            kills += 1
            reported |= {int(line.split()[1]) for line in out.splitlines() if line.startswith("finished")}
            _, left = psutil.wait_procs(children, timeout=120)
            assert not any(alive(child.pid) for child in left), "a child outlived its parent"
            run = Run.open(tmp_path / "run")
            with run.locked():
                rows = run.trials(run.study(repair=True))
            assert reported <= {row.number for row in rows}
        assert len(reported) >= 3
        head = json.loads((tmp_path / "run" / "run.json").read_text())
        assert head["settings"]["trials"] == 10_000
        process = start(tmp_path, trials=10_000)  # and once more, to the end
        wait_for_trials(process, 1)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=300)
        assert "interrupted True" in out
        assert reported <= {row.number for row in open_run(tmp_path / "run").trials}


SCRIPT = textwrap.dedent("""
    import signal, sys
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background ignores it
    from pathlib import Path
    from sklearn.datasets import load_wine
    from autometa.search import Settings, Silent, resume, search
    from autometa.task import make_task

    class Loud(Silent):
        def trial_finished(self, trial, incumbent, elapsed):
            print("finished", trial.number, flush=True)

    folder, trials = Path(sys.argv[1]), int(sys.argv[2])
    if (folder / "run" / "run.json").exists():
        result = resume(folder / "run", progress=Loud())
    else:
        X, y = load_wine(return_X_y=True, as_frame=True)
        settings = Settings(trials=trials, families=("naive_bayes", "knn"), store=str(folder / "store.db"))
        result = search(make_task(X, y=y, name="wine"), settings, folder / "run", progress=Loud())
    print("interrupted", result.interrupted, flush=True)
""")


def start(folder: Path, trials: int) -> subprocess.Popen[str]:
    """A search in a process of its own, which reports each finished trial in a line."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-c", SCRIPT, str(folder), str(trials)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)


def wait_for_trials(process: subprocess.Popen[str], count: int) -> set[int]:
    """Reads until that many trials were reported."""
    seen: set[int] = set()
    assert process.stdout is not None
    while len(seen) < count:
        line = process.stdout.readline()
        assert line, "the search ended by itself"
        if line.startswith("finished"):
            seen.add(int(line.split()[1]))
    return seen


def a_trial(number: int, score: float, origin: str, state: str = "complete") -> TrialRow:
    scores = {} if state == "failed" else {"roc_auc": score}
    folds = {name: (value,) for name, value in scores.items()}
    evaluation = Evaluation({"family": "knn"}, State(state), None, scores, folds, 1.0, 0.0, 0, 0, 100, {}, origin)
    return TrialRow(number, evaluation, origin, "", 0.0, 1.0)


class TestWhatTheWarmStartBought:
    def test_proposals_and_others_are_each_led_by_their_best(self):
        trials = [
            a_trial(0, 0.9, "default"), a_trial(1, 0.8, "portfolio"), a_trial(2, 0.85, "similar"),
            a_trial(3, 0.95, "fallback"), a_trial(4, 0.99, "similar", "stopped"), a_trial(5, 0.95, "search"),
        ]  # fmt: skip
        bought = WarmStart.of(trials, "roc_auc")
        assert (bought.proposed, bought.evaluated) == (3, 2)
        assert (bought.best_proposed, bought.best_other) == (trials[2], trials[3])

    def test_without_a_finite_score_nothing_was_bought(self):
        trials = [a_trial(0, np.nan, "portfolio"), a_trial(1, 0.0, "portfolio", "failed")]
        assert WarmStart.of(trials, "roc_auc") == WarmStart(2, 0, None, None)
        assert WarmStart.of([], "roc_auc") == WarmStart(0, 0, None, None)

    def test_failed_is_what_did_not_end_well_also_in_the_plain_text_of_an_older_version(self):
        trials = [a_trial(0, 0.5, "search"), a_trial(1, 0.5, "search", "stopped"), a_trial(2, 0.5, "search", "failed")]
        assert failed(trials) == trials[2:]
        older = [replace(t, evaluation=replace(t.evaluation, state=str(t.evaluation.state))) for t in trials]
        assert failed(older) == older[2:] == trials[2:]
        assert not replace(trials[0].evaluation, state="asleep").ended_well


class TestGreedyEnsemble:
    def test_one_candidate_takes_all(self):
        assert greedy_ensemble([np.zeros(3)], lambda p: 0.0).tolist() == [1.0]

    def test_the_first_is_kept_alone_when_nothing_improves_on_it(self):
        y = np.array([0.0, 1.0, 2.0])
        weights = greedy_ensemble([y, y + 5], lambda p: -float(((p - y) ** 2).mean()))
        assert weights.tolist() == [1.0, 0.0]

    def test_errors_that_cancel_are_found(self):
        y = np.arange(20.0)
        weights = greedy_ensemble([y + 1, y - 1], lambda p: -float(((p - y) ** 2).mean()))
        np.testing.assert_allclose(weights, [0.5, 0.5])

    def test_weights_equal_those_of_the_naive_loop(self):
        rng = np.random.default_rng(0)
        y = rng.normal(size=50)
        candidates = [y + rng.normal(size=50) for _ in range(6)]
        candidates.sort(key=lambda p: ((p - y) ** 2).mean())

        def judge(p):
            return -float(((p - y) ** 2).mean())

        bag, best, kept = [0], judge(candidates[0]), [0]
        for _ in range(40):
            pick = max(range(6), key=lambda k: judge(np.mean([candidates[i] for i in [*bag, k]], axis=0)))
            bag.append(pick)
            if judge(np.mean([candidates[i] for i in bag], axis=0)) > best:
                best, kept = judge(np.mean([candidates[i] for i in bag], axis=0)), list(bag)
        naive = np.bincount(kept, minlength=6) / len(kept)
        np.testing.assert_allclose(greedy_ensemble(candidates, judge), naive)


def test_the_fingerprint_of_a_large_table_is_there_when_the_time_is_over(wine, tmp_path):
    settings = Settings(seconds=None, trials=1, jobs=1, families=("naive_bayes",), folds=2, cold=True, remember=False)
    for most, there in ((wine.n * wine.p, False), (wine.n * wine.p - 1, True)):
        task = replace(wine)  # which has not been asked for it
        plan = SearchPlan.of(task, settings, 1, options=replace(OPTIONS, hashed_beside=most))
        search(task, settings, tmp_path / str(there), plan=plan)
        beside = [one for one in threading.enumerate() if one.name == "fingerprint"]
        for one in beside:
            one.join()
        assert ("fingerprint" in vars(task)) == there
        assert task.fingerprint == wine.fingerprint


def test_runs_of_one_name_in_two_folders_are_fitted_and_measured_on_their_own_tables(
    wine, cancer, tmp_path, monkeypatch
):
    from autometa.explain import explain

    for name, task in (("first", wine), ("second", cancer)):  # the processes of trials begin in the first one
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        search(task, quick(tmp_path, trials=1, families=("linear",), cold=True), Path("run"))
    found = explain(Path("run"), seconds=PATIENCE).importance
    assert {importance.column for importance in found} == set(cancer.X)
    assert list(load_model(Path("run")).classes) == [0, 1]
