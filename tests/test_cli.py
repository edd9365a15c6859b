"""The command line: exit codes, one JSON value, all problems at once, and what a person sees."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import subprocess
import sys
import threading
import tomllib
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from autometa.cli import main
from autometa.cli.app import AutoMeta
from autometa.cli.usage import wrapped
from autometa.collect import CollectOptions
from autometa.errors import AutoMetaError, InputError, NoModelError, RunError, StoreError
from autometa.live import LiveProgress, counting, live
from autometa.values import Gathered, duration, names, one_of, printable, size, whole

COMMANDS = list(AutoMeta.FILES)


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """A small table whose labels are hostile to markup and to CSV."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"x": rng.normal(size=120), "[bold]y": rng.normal(size=120), "town": rng.choice(list("abc"), 120)}
    )
    frame["class"] = np.where(frame["x"] + 0.3 * rng.normal(size=120) > 0, 'yes, "sure"', "[red]no")
    path = tmp_path_factory.mktemp("data") / "table.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def fitted(table, tmp_path_factory) -> SimpleNamespace:
    """A run made by the command line, and what it said."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    arguments = ["fit", str(table), "--trials", "2", "--families", "naive_bayes", "--cold", "--no-remember"]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*arguments, "--run", str(folder), "--json"])
    return SimpleNamespace(folder=folder, code=code, out=out.getvalue(), err=err.getvalue())


@pytest.fixture(scope="module")
def run(fitted) -> Path:
    """The folder of a finished run."""
    assert fitted.code == 0
    return fitted.folder


def refused(capsys, *arguments: str) -> tuple[int, list[str]]:
    """Exit code and lines of a command that must refuse, with nothing on standard output."""
    code = main(list(arguments))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    return code, [line for line in shown.err.splitlines() if line.startswith("autometa:")]


# ---------------------------------------------------------------------------------------------------------- the journey


def test_fit_prints_one_json_value_with_the_fields_that_were_promised(fitted):
    summary = json.loads(fitted.out)
    promised = "run task target rows columns metric score score_std trials failed warm_trials seconds best ensemble"
    assert set(promised.split()) <= set(summary)
    assert {"family", "params"} <= set(summary["best"])
    assert (summary["task"], summary["target"], summary["rows"], summary["trials"]) == ("binary", "class", 120, 2)
    assert "searching" in fitted.err


def test_fit_tells_a_person_what_came_of_it_and_what_to_do_next(run, capsys):
    from autometa.cli.result_page import show_result
    from autometa.search import open_run

    show_result(open_run(run), run / "report.html")
    shown = capsys.readouterr().out
    assert "predicting 'class'" in shown
    assert "ROC AUC" in shown
    assert "report.html" in shown
    assert f"autometa predict {run} new.csv" in "".join(shown.split("\n")).replace("  ", " ")
    assert all(line == line.rstrip() for line in shown.splitlines())


def test_a_finished_run_has_its_report(run):
    assert (run / "report.html").stat().st_size > 10_000


def test_predict_writes_the_targets_own_labels_and_a_probability_for_each(run, table, capsys):
    assert main(["predict", str(run), str(table), "--proba"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == ["prediction", "proba_[red]no", 'proba_yes, "sure"']
    assert len(rows) == 120
    assert {row["prediction"] for row in rows} == {"[red]no", 'yes, "sure"'}
    for row in rows:
        p = {"[red]no": float(row["proba_[red]no"]), 'yes, "sure"': float(row['proba_yes, "sure"'])}
        assert sum(p.values()) == pytest.approx(1)
        assert max(p, key=p.get) == row["prediction"]


def test_predict_into_a_file_leaves_standard_output_alone(run, table, tmp_path, capsys):
    assert main(["predict", str(run), str(table), "--out", str(tmp_path / "p.csv")]) == 0
    assert capsys.readouterr().out == ""
    assert list(pd.read_csv(tmp_path / "p.csv").columns) == ["prediction"]


def test_predict_as_json_is_one_value(run, table, capsys):
    assert main(["predict", str(run), str(table), "--proba", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["rows"] == len(value["predictions"]) == 120


def test_predict_reads_standard_input(run, table, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(table.read_bytes())))
    assert main(["predict", str(run), "-"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0] == ["prediction"]
    assert len(rows) == 121


def test_predict_lists_every_column_that_is_missing(run, tmp_path, capsys):
    (tmp_path / "new.csv").write_text("other\n1\n2\n")
    code, lines = refused(capsys, "predict", str(run), str(tmp_path / "new.csv"))
    assert code == 2
    assert all(any(name in line for line in lines) for name in ("'x'", "'town'"))


def test_a_report_is_written_again_where_it_is_wanted(run, tmp_path, capsys, monkeypatch):
    from autometa.cli import table

    monkeypatch.setattr(table, "OPTIONS", replace(table.OPTIONS, importance_seconds=600.0))  # on any machine enough
    assert main(["report", str(run), "--out", str(tmp_path / "r.html"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"run": str(run), "report": str(tmp_path / "r.html")}
    assert "gets worse when the values of one column are shuffled" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_resuming_a_finished_run_ends_in_the_same_summary(run, capsys):
    before = json.loads((run / "result.json").read_text())["summary"]
    assert main(["resume", str(run), "--json"]) == 0
    after = json.loads(capsys.readouterr().out)
    assert (after["score"], after["trials"], after["ensemble"]) == (
        before["score"],
        before["trials"],
        before["ensemble"],
    )


def test_recommend_lists_configurations_with_reasons(table, capsys):
    assert main(["recommend", str(table), "-n", "2", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 2
    assert all({"config", "expected", "reason"} <= set(row) and row["reason"] for row in rows)


def test_recommend_tells_a_person_why(table, capsys):
    assert main(["recommend", str(table), "-n", "2", "--explain", "--json"]) == 0
    explained = json.loads(capsys.readouterr().out)
    assert [set(row) >= {"config", "expected", "reason", "evidence", "low", "high"} for row in explained] == [True] * 2
    assert explained[0]["explanation"]["tasks"] > 0
    assert main(["recommend", str(table), "-n", "2", "--explain", "--families", "linear,knn"]) == 0
    shown = capsys.readouterr().out
    assert "Linear model" in shown
    assert "predicting 'class'" in shown


# ------------------------------------------------------------------------------------------------------------ the store


def an_evaluation(family: str, score: float):
    from autometa.evaluation import Evaluation

    return Evaluation(
        config={"family": family}, state="complete", reason=None, scores={"roc_auc": score}, versions={},
        folds={"roc_auc": (score,)}, fit_seconds=0.1, predict_seconds=0.1, peak_ram=1, seed=0, rows=120,
    )  # fmt: skip


def test_a_store_is_looked_into_and_tended(tmp_path, capsys):
    from autometa.store import MetaStore, TaskRecord

    store, other = str(tmp_path / "a.db"), str(tmp_path / "b.db")
    record = TaskRecord("f" * 32, "adult", "binary", "roc_auc", 120, 3, 2, source="collect")
    MetaStore(store).add(record, [an_evaluation("linear", 0.9), an_evaluation("knn", 0.8)])

    def said(*arguments: str):
        assert main(["store", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    info = said("info", "--store", store)
    assert {"url", "tasks", "evaluations", "families", "bytes", "schema"} <= set(info)
    assert (info["tasks"], info["evaluations"], info["families"]) == (
        1,
        2,
        {"knn": 1, "linear": 1},
    )  # the shipped apart
    assert info["together"]["tasks"] == info["shipped"]["tasks"] + 1 > 100
    assert "f" * 32 in [task["fingerprint"] for task in said("list", "--kind", "binary", "--store", store)]
    assert len(said("show", "ffffffff", "--store", store)["evaluations"]) == 2
    assert said("export", str(tmp_path / "all.bin"), "--store", store)["tasks"] == 1
    assert said("import", str(tmp_path / "all.bin"), "--store", other)["new_evaluations"] == 2
    assert said("merge", store, "--store", other)["new_evaluations"] == 0
    assert said("verify", "--store", other)["problems"] == []
    assert said("rm", "adult", "--store", other)["name"] == "adult"
    assert said("info", "--store", store)["tasks"] == 1


def test_collect_hands_its_flags_on_and_says_what_came_of_it(table, tmp_path, capsys, monkeypatch):
    asked = {}

    def fill(sources, store, rows, options, tell, executor):
        tell(1, 1, "table: linear complete")
        asked.update(asdict(options), sources=[source.path for source in sources], url=store.info()["url"])
        asked["rows"] = rows
        assert executor is None
        return {"evaluations": 1, "failed": 0, "tables": 1, "unreadable": {"b.csv": "no such file"}, "seconds": 1.0}

    monkeypatch.setattr("autometa.collect.learning_curves", fill)
    arguments = [
        "collect",
        str(table),
        "--store",
        str(tmp_path / "s.db"),
        "--configs",
        "7",
        "--time",
        "2m",
        "--jobs",
        "2",
    ]
    assert main(arguments) == 0
    assert asked["sources"] == [table]
    assert (asked["configs"], asked["seconds"], asked["jobs"], asked["seed"], asked["rows"]) == (7, 120, 2, 0, [5000])
    assert asked["trial_seconds"] == CollectOptions().trial_seconds  # the room's own default holds
    shown = capsys.readouterr()
    assert "1 new evaluation on 1 table" in shown.out
    assert "b.csv: no such file" in shown.out
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["evaluations"] == 1


def test_a_store_that_is_not_there_is_not_exported(tmp_path, capsys):
    code, lines = refused(capsys, "store", "export", str(tmp_path / "all"), "--store", str(tmp_path / "none.db"))
    assert code == 3
    assert len(lines) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["info"], ["list"], ["verify"]], ids=" ".join)
def test_a_person_can_look_into_a_store(arguments, tmp_path, capsys):
    assert main(["store", *arguments, "--store", str(tmp_path / "s.db")]) == 0
    assert capsys.readouterr().out


def test_a_store_that_is_not_one_is_refused(tmp_path, capsys):
    (tmp_path / "s.db").write_bytes(b"this is not a database, whatever its name says" * 40)
    code, lines = refused(capsys, "store", "info", "--store", str(tmp_path / "s.db"))
    assert code == 3
    assert len(lines) == 1


def test_the_doctor_finds_a_broken_store(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("autometa.cli.doctor._gpu", lambda: {"name": None, "why": "not asked"})
    (tmp_path / "s.db").write_bytes(b"this is not a database, whatever its name says" * 40)
    assert main(["doctor", "--store", str(tmp_path / "s.db"), "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["store"]["usable"] is False


def test_the_doctor_is_content_with_a_new_store(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("autometa.cli.doctor._gpu", lambda: {"name": None, "why": "not asked"})
    assert main(["doctor", "--store", str(tmp_path / "s.db"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["missing"] == []
    assert found["cpus"] >= 1
    assert main(["doctor", "--store", str(tmp_path / "s.db")]) == 0
    assert "scikit-learn" in capsys.readouterr().out
    assert not (tmp_path / "s.db").exists()


def test_the_doctor_says_what_is_not_there_without_an_extra(capsys, monkeypatch):
    from autometa.cli import doctor

    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(doctor.OPTIONAL) == set(project["optional-dependencies"]) - {"dev", "docs"}
    found = doctor.examine(None) | {"optional": dict.fromkeys(doctor.OPTIONAL) | {"serve": "0.115"}}
    doctor.show_findings(found)
    said = capsys.readouterr().out
    assert "no --cluster. pip install 'autometa-ml[cluster]'" in said
    assert "no autometa serve" not in said


# ------------------------------------------------------------------------------------------------------------- refusals


def test_all_problems_are_told_at_once(tmp_path, capsys):
    (tmp_path / "bad.csv").write_text("a,b\n1,\n3,4\n5,6\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    wrong = {
        "--time": "-5m", "--trials": "0", "--jobs": "many", "--max-ram": "2QB", "--families": "lightgmb",
        "--device": "gpu", "--metric": "accurcy", "--trial-time": "5x", "--target": "c", "--seed": "-1",
        "--run": str(tmp_path / "full"),
    }  # fmt: skip
    code, lines = refused(capsys, "fit", str(tmp_path / "bad.csv"), *(word for pair in wrong.items() for word in pair))
    assert code == 2
    for telling in (
        "--time -5m",
        "--trials 0",
        "--jobs many",
        "2QB",
        "'lightgbm'",
        "--seed -1",
        "gpu",
        "accurcy",
        "5x",
        "full",
    ):
        assert any(telling in line for line in lines), telling
    assert any("no column 'c'" in line for line in lines)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv", "full"]


def test_refusals_are_one_json_value_for_a_program(capsys):
    assert main(["fit", "nowhere.csv", "--time", "0", "--json"]) == 2
    shown = capsys.readouterr()
    value = json.loads(shown.out)
    assert value["exit_code"] == 2
    assert {problem["where"] for problem in value["error"]} == {"--time 0", "nowhere.csv"}
    assert shown.err.count("autometa: ") == 2


@pytest.mark.parametrize(
    ("arguments", "telling"),
    [
        (["fti"], "Did you mean 'fit'?"),
        (["store", "inof"], "Did you mean 'info'?"),
        (["fit", "--tragets", "x"], "Did you mean '--target'?"),
        (["fit"], "missing argument 'DATA'"),
        (["resume", "a", "b"], "unexpected extra argument"),
        (["fit", "a.csv", "--target"], "requires an argument"),
        (["collect", "a.csv"], "--store"),
        (["fit", "a.csv", "--families", ","], "names none"),
    ],
)
def test_a_wrong_command_is_answered_in_one_line_each(arguments, telling, capsys):
    code, lines = refused(capsys, *arguments)
    assert code == 2
    assert any(telling in line for line in lines)


@pytest.mark.parametrize("command", ["resume", "report"])
def test_a_folder_that_is_not_a_run_is_refused(command, tmp_path, capsys):
    code, lines = refused(capsys, command, str(tmp_path))
    assert code == 3
    assert len(lines) == 1


def test_a_number_has_no_probabilities(tmp_path, table, capsys, monkeypatch):
    monkeypatch.setattr(
        "autometa.search.load_model",
        lambda run, trusted: SimpleNamespace(
            kind="regression", target="t", schema=SimpleNamespace(reading={}, encoder=None)
        ),
    )
    code, lines = refused(capsys, "predict", "run", str(table), "--proba", "--out", str(tmp_path / "no" / "p.csv"))
    assert code == 2
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x"), 2),
        (StoreError("x"), 3),
        (RunError("x"), 3),
        (NoModelError("x"), 4),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_every_error_has_its_exit_code(error, code, monkeypatch, capsys):
    def broken(*_, **__):
        raise error

    monkeypatch.setattr("autometa.search.open_run", broken)
    assert main(["report", "run", "--json"]) == code
    assert json.loads(capsys.readouterr().out)["exit_code"] == code


def test_an_interrupted_search_shows_its_best_and_says_so_by_its_exit_code(run, table, tmp_path, capsys, monkeypatch):
    from autometa.search import open_run

    result = replace(open_run(run), interrupted=True)
    monkeypatch.setattr("autometa.fitting.fit_file", lambda *_, **__: result)
    assert main(["fit", str(table), "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["score"] == pytest.approx(result.score)


def test_a_defect_is_not_dressed_up_as_bad_input(monkeypatch):
    monkeypatch.setattr("autometa.search.open_run", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["report", "run"])


# ------------------------------------------------------------------------------------------------------------- progress


def a_trial(number: int, score: float, state: str = "complete", origin: str = "search") -> SimpleNamespace:
    evaluation = replace(an_evaluation("linear", score), state=state)
    return SimpleNamespace(number=number, evaluation=evaluation, origin=origin, reason="", started=0.0, finished=1.0)


def a_search(progress, trials: int = 6) -> None:
    """What a search reports."""
    task = SimpleNamespace(
        name="a[bold]\x1b[31m",
        n_learned=120,
        validation=0,
        p=3,
        target="class",
        kind="binary",
        metric="roc_auc",
        positive_label="yes",
    )
    progress.stage("reading", "a.csv")
    progress.note("Target: column 'class'.\x1b[2J")
    progress.started(task, SimpleNamespace(seconds=60.0, trials=trials, cold=False), [])
    progress.stage("searching")
    best = None
    for n in range(trials):
        progress.trial_started(n, {"family": "linear"}, "similar", "did well on [red]adult")
        trial = a_trial(n, 0.9 + 0.01 * (n % 3), "failed" if n == 4 else "complete")
        best = trial if best is None or trial.evaluation.scores["roc_auc"] > best.evaluation.scores["roc_auc"] else best
        progress.trial_finished(trial, best, elapsed=1.0 + n)
    progress.stage("refitting", "2 pipelines")


def test_in_a_pipe_progress_is_plain_lines():
    stream = io.StringIO()
    with live(stream) as progress:
        a_search(progress)
    lines = stream.getvalue().splitlines()
    assert "\x1b" not in stream.getvalue()
    assert sum("ROC AUC" in line for line in lines) == 3  # 0.90, 0.91, 0.92
    assert any("a[bold]" in line for line in lines)


def test_on_a_terminal_the_budget_the_best_and_the_current_trial_are_shown():
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=24)
    progress = LiveProgress(console)
    a_search(progress, trials=4)
    progress.stage("searching")
    progress.trial_started(9, {"family": "knn"}, "similar", "did well on [red]adult")
    with console.capture() as shown:
        console.print(progress.frame())
    text = shown.get()
    assert "4/4 trials" in text
    assert "0.9200" in text
    assert "#9" in text
    assert "similar tasks" in text
    assert "[red]adult" in text
    assert max(len(line) for line in Console(width=80).render_str(text).plain.splitlines()) < 400


def test_reporting_from_many_threads_does_not_stop_the_display():
    """The display asks for a frame while it holds its lock; a report that is printed waits for that lock."""
    from rich.live import Live

    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=24)
    progress = LiveProgress(console)
    threads = [threading.Thread(target=a_search, args=(progress, 40), daemon=True) for _ in range(4)]
    with Live(get_renderable=progress.frame, console=console, refresh_per_second=200):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=300)
        assert not any(thread.is_alive() for thread in threads)


def test_counting_in_a_pipe_says_where_it_is_and_when_it_is_done():
    stream = io.StringIO()
    with counting("collecting", stream) as tell:
        for n in range(1, 4):
            tell(n, 3, "iris: knn complete")
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("collecting: 1/3")
    assert lines[-1].startswith("collecting: 3/3")


# -------------------------------------------------------------------------------------------------------- what is typed


@pytest.mark.parametrize(
    ("text", "seconds"), [("60", 60), ("90s", 90), ("5m", 300), ("1.5h", 5400), ("1h30m", 5400), (" 2 min ", 120)]
)
def test_a_time_is_read(text, seconds):
    assert duration("--time", text) == seconds


@pytest.mark.parametrize("text", ["0", "-5m", "5x", "", "m", "1e3", "nan", "inf", "5m-3s"])
def test_what_is_no_time_is_refused_with_the_option_and_an_example(text):
    with pytest.raises(InputError, match="--time"):
        duration("--time", text)


@pytest.mark.parametrize(
    ("text", "count"), [("2GB", 2 * 10**9), ("512MiB", 2**29), ("1000", 1000), ("1.5 g", 15 * 10**8)]
)
def test_an_amount_of_memory_is_read(text, count):
    assert size("--max-ram", text) == count


@pytest.mark.parametrize("text", ["0", "-1GB", "2QB", "GB", ""])
def test_what_is_no_amount_of_memory_is_refused(text):
    with pytest.raises(InputError, match="--max-ram"):
        size("--max-ram", text)


def test_every_problem_is_kept_and_none_is_told_twice():
    gathered = Gathered()
    for _ in range(2):
        gathered.option(whole, "--trials", "0", 1)
    gathered.option(one_of, "--device", "gpu", ("cpu", "cuda"))
    with pytest.raises(InputError) as caught:
        gathered.refuse()
    assert len(caught.value.problems) == 2


def test_names_are_split_at_commas():
    assert names(" a, b,,a ") == ("a", "b")


def test_nothing_printable_moves_the_cursor():
    assert printable("a\nb\x1b[2Jc\u202e") == "a b\ufffd[2Jc\ufffd"


def test_a_path_is_never_broken():
    path = "/" + "very-long/" * 20
    assert path in wrapped(f"autometa: {path} is not a run")


# ----------------------------------------------------------------------------------------------------------------- help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_fits_a_terminal(command, capsys):
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: autometa {command}")
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_the_version_is_the_packages(capsys):
    from autometa import __version__

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"autometa {__version__}\n"


def test_without_a_command_the_commands_are_listed(capsys):
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {command} " in shown for command in COMMANDS)


def test_an_error_of_ours_is_always_told_by_its_exit_code():
    assert {e.exit_code for e in (InputError, StoreError, RunError, NoModelError)} == {2, 3, 4}
    assert issubclass(InputError, AutoMetaError)


def test_studies_of_ones_own_are_listed_and_shown(tmp_path, capsys):
    import optuna

    import autometa

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    store = autometa.MetaStore(tmp_path / "team.db")
    study = optuna.create_study(study_name="march")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    autometa.remember_study(study, store, "churn")
    assert main(["store", "list", "--space", "churn", "--store", store.url]) == 0
    assert "march" in capsys.readouterr().out
    assert main(["store", "show", "march", "--store", store.url]) == 0
    assert "x=" in capsys.readouterr().out


def test_help_says_of_commands_in_other_files_what_they_say_of_themselves():
    import importlib

    from typer.main import get_command

    from autometa.cli.app import app

    for files, _ in AutoMeta.FILES.values():
        for file in files:
            importlib.import_module(f"autometa.cli.{file}")
    commands = get_command(app).commands
    for name, (_, text) in AutoMeta.FILES.items():
        assert commands[name].help.splitlines()[0].strip() == text


@pytest.mark.parametrize("name", ["fit", "recommend", "bench", "fewshot", "learn", "store"])
def test_a_command_in_another_file_is_read_when_it_is_called(name):
    script = f"import sys; from autometa.cli import main; main([{name!r}, '--help']); print(sorted(sys.modules))"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    read = set(re.findall(r"'autometa\.cli\.(\w+)'", told.splitlines()[-1]))
    files = {file for names, _ in AutoMeta.FILES.values() for file in names}
    assert read & files == set(AutoMeta.FILES[name][0])
