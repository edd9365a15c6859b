"""Promises of the benchmark of studies that each tried their own configurations, and of the methods it compares."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
import pytest
from scipy.stats import norm

from autometa.space import Condition, Parameter, SearchSpace, choice, integer, real

REPOSITORY = Path(__file__).resolve().parents[1]
NAMES = ("papers", "own_known", "own_methods", "own_tasks", "own_studies", "surrogate")


@pytest.fixture(scope="module")
def programs():
    """The programs as modules; their folder is on the path only while they are imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "benchmarks"))
        yield SimpleNamespace(**{name: __import__(name) for name in NAMES})
        for name in NAMES:
            sys.modules.pop(name, None)


def toy_space():
    """A log and a linear number, an integer, a category, and a number that only one category has."""
    flat = SearchSpace.of(
        rate=real(1e-4, 1.0, 1e-2, log=True), share=real(0.0, 1.0, 0.5), depth=integer(1, 12, 6), kind=choice("a", "b")
    )
    distribution, default = real(0.0, 1.0, 0.5)
    return SearchSpace([*flat, Parameter("drop", distribution, default, Condition("kind", ("b",)))])


def toy_score(config, shift):
    """Best near rate 1e-3, share .3, depth 8, kind b, drop .7; every task a little elsewhere."""
    away = ((np.log10(config["rate"]) + 3) / 4 - shift) ** 2 + (config["share"] - 0.3 - shift) ** 2
    away += ((config["depth"] - 8) / 11) ** 2
    return -away - (0.5 if config["kind"] == "a" else (config["drop"] - 0.7 + shift) ** 2)


@pytest.fixture(scope="module")
def known(programs):
    """Ten past studies of thirty random configurations, no two alike."""
    space, rng = toy_space(), np.random.default_rng(0)
    studies = []
    for _ in range(10):
        configs, shift = [space.sample(rng) for _ in range(30)], rng.normal(0, 0.05)
        studies.append(programs.own_known.Tried(space, configs, [3 * toy_score(c, shift) - 1 for c in configs]))
    return programs.own_known.Known(space, studies)


def regret(sampler, space, trials, first=()):
    """Of the incumbent after some trials of a new task."""
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for config in first:
        study.enqueue_trial(config)
    study.optimize(lambda trial: toy_score(space.suggest(trial), 0.03), n_trials=trials)
    return -study.best_value


@pytest.fixture(scope="module")
def by_chance(known):
    """Mean regret of random search after eight trials."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return np.mean([regret(optuna.samplers.RandomSampler(seed=seed), known.space, 8) for seed in range(20)])


@pytest.mark.parametrize("method", ["rgpe", "tst", "fsbo", "cts", "gcp", "metalearntpe"])
def test_a_method_finds_the_good_region_of_related_studies_sooner_than_random_search(
    programs, known, by_chance, method
):
    steps = {"fsbo": {"steps": 100}, "cts": {"steps": 300}, "gcp": {"steps": 300}}.get(method, {})
    make = programs.own_methods.OWN_METHODS[method]
    found = [regret(make(known, seed, **steps), known.space, 8) for seed in range(1 if method == "fsbo" else 2)]
    assert np.mean(found) < 0.5 * by_chance


def test_tpe_after_the_best_of_the_past_in_order_is_sooner_there_than_random_search(known, by_chance):
    sampler = optuna.samplers.TPESampler(seed=0)
    assert regret(sampler, known.space, 8, known.best_first) < 0.5 * by_chance


@pytest.mark.parametrize("method", ["rgpe", "cts", "metalearntpe"])
def test_a_method_minimises_as_it_maximises_and_repeats_under_its_seed(programs, known, method):
    make, found = programs.own_methods.OWN_METHODS[method], []
    steps = {"steps": 20} if method == "cts" else {}
    for direction, sign in (("maximize", 1), ("minimize", -1)):
        study = optuna.create_study(direction=direction, sampler=make(known, 3, **steps))
        study.optimize(lambda trial, sign=sign: sign * toy_score(known.space.suggest(trial), 0.0), n_trials=6)
        found.append([t.params for t in study.trials])
    assert found[0] == found[1]


def test_the_best_of_the_past_come_in_an_order_in_which_the_first_is_good_for_most(programs, known):
    order = known.best_first
    assert len(order) == len(known.studies)
    shifts = np.random.default_rng(1).normal(0, 0.05, 20)
    merit = [np.mean([toy_score(config, shift) for shift in shifts]) for config in order]
    assert merit[0] >= np.sort(merit)[-3]


def test_ranking_weights_prefer_the_study_that_orders_the_trials_as_they_are(programs):
    space = SearchSpace.of(x=real(0.0, 1.0, 0.5))
    x = np.linspace(0, 1, 12)
    tried = [
        programs.own_known.Tried(space, [{"x": float(v)} for v in x], y) for y in (np.sin(6 * x), -np.sin(6 * x), x)
    ]
    sampler = programs.own_methods.RGPE(programs.own_known.Known(space, tried), 0)
    at = np.random.default_rng(0).random(8)
    seen = programs.own_known.Tried(space, [{"x": float(v)} for v in at], np.sin(6 * at))
    sampler.target.fit(seen.points, seen.y)
    weights = sampler.weights(seen)
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > 0.5
    assert weights[1] == 0


def test_the_process_has_the_gradient_of_its_loss_and_leaves_out_as_refitting_does(programs):
    papers, space, rng = programs.papers, toy_space(), np.random.default_rng(0)
    configs = [space.sample(rng) for _ in range(15)]
    points, y = tuple(space.encode_all(configs)), rng.standard_normal(15)
    process = papers.Process(papers.Apart(space.slices)).fit(points, y, most=3)
    apart, theta = process.apart(points, points), process.theta + 0.1
    _, gradient = process._loss(theta, apart)
    for k in range(len(theta)):
        step = 1e-5 * (np.arange(len(theta)) == k)
        slope = (process._loss(theta + step, apart)[0] - process._loss(theta - step, apart)[0]) / 2e-5
        assert gradient[k] == pytest.approx(slope, rel=1e-4, abs=1e-6)
    rest = np.arange(1, 15)
    kernel = process._shape(apart, process.theta)[0]
    noise = (np.exp(process.theta[-1]) + 1e-8) * np.eye(14)
    expected = kernel[0, rest] @ np.linalg.solve(kernel[np.ix_(rest, rest)] + noise, process.z[rest])
    assert process.left_out()[0] == pytest.approx(expected)


def test_log_improvement_is_the_logarithm_of_expected_improvement_near_and_far(programs):
    mean, std = np.array([-3.0, -0.5, 0.0, 2.0, 60.0]), np.array([1.0, 0.5, 1.0, 2.0, 1.0])
    z = mean / std
    expected = np.log(std * (norm.pdf(z) + z * norm.cdf(z)))
    np.testing.assert_allclose(programs.papers.log_improvement(mean, std, 0.0), expected)
    far = programs.papers.log_improvement(-np.array([20.0, 29.0, 31.0, 500.0]), np.ones(4), 0.0)
    assert np.isfinite(far).all()
    assert (np.diff(far) < 0).all()


def test_a_forest_asked_at_one_point_says_what_the_library_says(programs):
    from sklearn.ensemble import ExtraTreesRegressor

    rng = np.random.default_rng(0)
    x, y = rng.random((200, 4)), rng.standard_normal(200)
    model = ExtraTreesRegressor(20, random_state=0).fit(x, y)
    forest, asked = programs.own_tasks.Forest(model), rng.random((50, 4))
    np.testing.assert_allclose([forest(point) for point in asked], model.predict(asked))


def test_a_report_averages_seeds_marks_who_played_fewer_and_takes_the_last_of_a_cell(programs):
    lines = []
    for method, level in (("tpe", 0.4), ("enqueue", 0.3), ("warm", 0.2), ("rgpe", 0.1)):
        for task in range(3 if method == "rgpe" else 6):
            for seed, more in ((0, 0.0), (1, 0.02), (2, 0.04)):
                cell = programs.own_studies.Cell("lcbench", task, "plain", 20, seed, (method,), 10)
                line = {"cell": cell.key(method), "space": "lcbench", "task": task, "past": "plain", "count": 20}
                line |= {"method": method, "regret": [level + more] * 10}
                lines += [line | {"regret": [9.0] * 10}, line]
    text = programs.own_studies.report(lines, "report")
    assert "| tpe | 0.420* [0.420, 0.420] |" in text or "| tpe | 0.420 [0.420, 0.420] |" in text
    assert "| rgpe (3) | 0.120" in text
    assert "| … warm on these | 0.220 |" in text
    assert "| warm / enqueue | 0.69 | 0.69 | 0.69 | 0.69 |" in text
    assert "| warm worse than tpe by > 0.02 | 0 % | 0 % | 0 % | 0 % |" in text
    assert "9.0" not in text
    assert "- above enqueue in the mean: nowhere" in text
    assert "- of enqueue's regret over all, .75 at most: 0.69 after 5, 0.69 after 10" in text
    assert "- above cold TPE by more than 0.02 in the mean: nowhere" in text
    assert "after 10, 3 % of tasks at most: 0 %" in text


@pytest.mark.shared("hpo")
def test_past_studies_share_no_data_set_with_the_new_one_and_no_configuration_with_each_other(
    programs, tmp_path, monkeypatch
):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    tasks, own = programs.own_tasks, programs.own_studies
    monkeypatch.setattr(tasks, "KEPT", tmp_path)
    table = tasks.table_of("lcbench")
    new = int(own.halves(table)["validation"][0])
    others = own.Cell("lcbench", new, "plain", 2, 0, (), 10).others
    assert len(others) == 2
    assert not set(table.groups[others]) & {table.groups[new]}
    past = [tasks.past_study("lcbench", task, "plain") for task in others]
    assert all(20 <= len(p.values) <= 100 for p in past)
    keys = [{str(c) for c in p.configs} for p in past]
    assert not keys[0] & keys[1]
    tasks.past_study.cache_clear()
    again = tasks.past_study("lcbench", others[0], "plain")  # as kept on the disk
    assert again.configs == past[0].configs
    assert again.study().best_params == past[0].best
