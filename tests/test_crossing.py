"""When a search tries made columns, in which family, and what past tables say of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from autometa.evaluation import Evaluation, State
from autometa.families import cash_space
from autometa.report.verdict import made_words
from autometa.search import Settings, search
from autometa.search.crossing import Crossings
from autometa.search.options import OPTIONS
from autometa.search.plan import SearchPlan
from autometa.search.settings import TrialRow
from autometa.store import MetaStore, PastTasks, TaskRecord
from autometa.task import make_task
from autometa.transfer.made import Experience, made_before

SPACE = cash_space("regression", ["lightgbm", "linear", "knn"])
METRIC = "neg_root_mean_squared_error"
ON = {"linear": "linear.features", "lightgbm": "lightgbm.features"}


def row(number, family, score, made_from=None, state=State.COMPLETE, seconds=1.0):
    config = SPACE.complete({"family": family} | ({ON[family]: "arithmetic"} if made_from is not None else {}))
    scores = {} if math.isnan(score) else {METRIC: score}
    done = Evaluation(config, state, None, scores, {METRIC: (score,) * 5}, seconds, 0.0, 0, 0, 100, {})
    return TrialRow(number, done, "search", "", 0.0, 1.0, made_from=made_from)


def due(rows, begun=(), known=None, left=math.inf, longest=math.inf, trials=None, space=SPACE):
    found = Crossings(space, METRIC, trials, known or {}).next(rows, set(begun), 100, left=left, longest=longest)
    return None if found is None else (found.row.number, found.config["family"])


FIRST = [row(0, "lightgbm", -1.0), row(1, "linear", -3.0), row(2, "linear", -2.0), row(3, "knn", -4.0)]
FILLERS = [row(100 + k, "knn", -9.0) for k in range(30)]


def test_the_best_linear_model_is_first_once_a_few_trials_have_ended():
    assert due(FIRST) == (2, "linear")
    assert due(FIRST[:2]) is None
    assert due([FIRST[0], FIRST[3], FIRST[3]]) is None  # no linear model yet


def test_one_at_a_time_and_again_only_after_many_trials():
    assert due(FIRST, begun={2}) is None  # it runs
    better = [*FIRST, row(4, "linear", -1.5, made_from=2), row(5, "linear", -1.9)]
    assert due(better, begun={2}) is None
    assert due(better + FILLERS, begun={2}) == (5, "linear")  # it paid, and there is a better one without


def test_where_it_paid_other_families_follow_and_where_not_none_does():
    assert due([*FIRST, row(4, "linear", -1.5, made_from=2), *FILLERS], begun={2}) == (0, "lightgbm")
    assert due([*FIRST, row(4, "linear", -2.5, made_from=2), *FILLERS], begun={2}) is None
    stopped = row(4, "linear", -1.5, made_from=2, state=State.STOPPED)
    assert due([*FIRST, stopped, *FILLERS], begun={2}) is None


def test_only_where_there_is_time_and_nobody_said_otherwise():
    assert due(FIRST, longest=3.0) is None  # five folds of a second each, and the trial
    assert due(FIRST, left=20.0) is None
    assert due(FIRST, left=60.0, longest=15.0) == (2, "linear")
    assert due(FIRST, trials=5) is None
    from autometa.space.narrowing import narrowed

    assert due(FIRST, space=narrowed(SPACE, {"linear.features": "off"})) is None
    assert due([row(k, "knn", -1.0) for k in range(5)], space=cash_space("regression", ["knn"])) is None


def test_the_memory_says_which_family_and_that_it_is_in_vain():
    pays, vain = Experience(5, 5, 0.8), Experience(6, 0, 0.1)
    assert due(FIRST, known={"lightgbm": pays}) == (0, "lightgbm")
    assert due(FIRST, known={"linear": vain}) is None
    assert (
        "paid 5 times of 5"
        in Crossings(SPACE, METRIC, None, {"linear": pays})
        .next(FIRST, set(), 100, left=math.inf, longest=math.inf)
        .reason
    )


def past_of(scores, configs):
    records = tuple(TaskRecord(f"{i}", f"task {i}", "regression", METRIC, 100, 5, 0) for i in range(len(scores)))
    return PastTasks(
        records, configs, np.array(scores), np.full(np.shape(scores), np.nan), np.zeros((len(scores), 0)), ()
    )


def test_what_paid_before_counts_by_resemblance_and_beside_the_same_configuration():
    plain = SPACE.complete({"family": "lightgbm"})
    longer, made = plain | {"lightgbm.n_estimators": 200}, plain | {"lightgbm.features": "groups"}
    other = plain | {"lightgbm.num_leaves": 99}
    scores = [[-3.0, -2.5, -2.0, -9.0], [-3.0, np.nan, -4.0, -9.0], [np.nan, np.nan, -1.0, -9.0]]
    past = past_of(scores, (plain, longer, made, other))
    assert made_before(past)["lightgbm"] == Experience(2, 1, 0.5)  # the third table knows no such one without
    near_the_first = made_before(past, np.array([3.0, 0.1, 0.1]))["lightgbm"]
    assert near_the_first.share > 0.6
    assert made_before(past_of([[1.0]], (plain,))) == {}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search of a table whose target is a ratio, of linear models only."""
    import pandas as pd

    folder, rng = tmp_path_factory.mktemp("crossing"), np.random.default_rng(0)
    X = pd.DataFrame({name: rng.uniform(1, 9, 400) for name in ("rent", "area", "age")})
    y = (X["rent"] / X["area"]).to_numpy() + rng.normal(0, 0.1, 400)
    settings = Settings(trials=5, families=("linear",), folds=2, cold=True, store=str(folder / "store.db"), jobs=1)
    task = make_task(X, y=y, name="ratio")
    plan = SearchPlan.of(task, settings, 1, options=replace(OPTIONS, made_trials=5, made_after=1))
    return search(task, settings, folder / "run", plan=plan), folder


def test_a_search_tries_it_says_so_and_remembers_that_it_paid(searched):
    result, folder = searched
    tried = [row for row in result.trials if row.origin == "features"]
    assert len(tried) >= 1
    assert "rent / area" in tried[0].evaluation.made
    assert tried[0].evaluation.config["linear.features"] == "arithmetic"
    base = next(row for row in result.trials if row.number == tried[0].made_from)
    assert tried[0].evaluation.scores[result.task.metric] > base.evaluation.scores[result.task.metric]
    assert result.best.evaluation.made
    assert "rent / area (trial" in made_words(result)
    past = MetaStore(str(folder / "store.db")).past(kind="regression", metric=result.task.metric)
    assert made_before(past)["linear"].paid == 1


def test_the_run_opens_as_it_was_and_its_model_answers(searched):
    from autometa.search import load_model, open_run

    result, _ = searched
    again = open_run(result.run)
    assert [(row.origin, row.made_from, row.evaluation.made) for row in again.trials] == [
        (row.origin, row.made_from, row.evaluation.made) for row in result.trials
    ]
    model, X = load_model(result.run), result.task.X.head(20)
    together = model.answer(X)
    assert np.allclose([model.answer(X.iloc[[i]])[0] for i in range(20)], together, rtol=1e-9)
