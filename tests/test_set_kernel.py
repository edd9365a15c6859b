"""The set kernel: one mathematics in NumPy and torch, its laws, the made-up tables it learns from, and what ships."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

from autometa.families import FAMILIES
from autometa.families.learners import set_kernel
from autometa.families.learners.set_kernel import SetKernelClassifier
from autometa.families.options import OPTIONS
from autometa.fewshot import LEARNERS, EpisodeSpec, make
from autometa.fewshot.data import load_data
from autometa.fewshot.data.synthetic import MECHANISMS, table
from autometa.fewshot.episode import Examples


@pytest.fixture
def weights() -> dict[str, np.ndarray]:
    learner = make(LEARNERS["set_kernel"], EpisodeSpec("classification", (6,), 3))
    drawn = learner.initialise(torch.Generator().manual_seed(0))
    return {name: w.double().numpy() for name, w in drawn.items()}


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x, q = rng.normal(size=(40, 6)), rng.normal(size=(9, 6))
    x[:, 2] = x[:, 2] > 0  # two values
    x[:, 3] = q[:, 3] = 1.5  # constant
    y = np.concatenate([np.arange(3), rng.integers(3, size=37)])
    return x, y, q


def answered(weights, x, y, q, mask=None) -> np.ndarray:
    fitted = set_kernel.fit(np, weights, x, np.eye(3)[y], np.ones(len(x)) if mask is None else mask)
    return set_kernel.logits(np, fitted, q)


def test_numpy_and_torch_give_the_same_numbers(weights, rows):
    x, y, q = rows
    learner = make(LEARNERS["set_kernel"], EpisodeSpec("classification", (6,), 3))
    tensors = {name: torch.from_numpy(w) for name, w in weights.items()}
    ones = torch.ones(len(x), dtype=torch.float64)
    adapted = learner.adapt(tensors, Examples(torch.from_numpy(x), torch.from_numpy(y), ones))
    found = learner.predict(tensors, adapted, Examples(torch.from_numpy(q), torch.zeros(9, dtype=int), ones[:9]))
    np.testing.assert_allclose(found.numpy(), answered(weights, x, y, q), atol=1e-10)


def test_rows_and_columns_may_come_in_any_order(weights, rows):
    x, y, q = rows
    rng = np.random.default_rng(1)
    order, columns = rng.permutation(len(x)), rng.permutation(x.shape[1])
    before = answered(weights, x, y, q)
    np.testing.assert_allclose(answered(weights, x[order], y[order], q), before, atol=1e-9)
    np.testing.assert_allclose(answered(weights, x[:, columns], y, q[:, columns]), before, atol=1e-9)


def test_masked_rows_constant_columns_and_the_unit_of_a_column_change_nothing(weights, rows):
    x, y, q = rows
    before = answered(weights, x, y, q)
    more = np.concatenate([x, np.full((5, 6), 7.0)])
    masked = answered(weights, more, np.concatenate([y, np.zeros(5, int)]), q, np.repeat([1.0, 0.0], [40, 5]))
    np.testing.assert_allclose(masked, before, atol=1e-9)
    without = np.delete(x, 3, axis=1), np.delete(q, 3, axis=1)
    np.testing.assert_allclose(answered(weights, without[0], y, without[1]), before, atol=1e-9)
    unit = np.array([1, 10, 1, 1, 0.01, 3.0])
    np.testing.assert_allclose(answered(weights, x * unit + 5, y, q * unit + 5), before, atol=1e-7)


def test_width_and_smoothing_bend_the_answer(weights, rows):
    x, y, q = rows
    ones, labels = np.ones(len(x)), np.eye(3)[y]
    plain = answered(weights, x, y, q)
    for option in ({"width": 4.0}, {"smoothing": 10.0}):
        bent = set_kernel.logits(np, set_kernel.fit(np, weights, x, labels, ones, **option), q)
        assert np.abs(bent - plain).max() > 1e-3
    noisy = set_kernel.logits(np, set_kernel.fit(np, weights, x, labels, ones, smoothing=1e6), q)
    assert np.ptp(noisy, axis=0).max() < 1e-2  # nothing but the shares of the classes is left


def test_sharpening_is_by_how_rows_left_out_one_by_one_are_foretold(weights, rows):
    x, y, q = rows
    labels, n = np.eye(3)[y], len(x)
    fitted = set_kernel.fit(np, weights, x, labels, np.ones(n))
    gram = set_kernel.kernel(np, fitted.choice, (fitted.z, fitted.u), (fitted.z, fitted.u))
    for i in (0, 7):  # what is said of a row by a solution without it, of which `fit_sharpened` knows the closed form
        others = np.delete(np.arange(n), i)
        noisy = gram[np.ix_(others, others)] + fitted.choice.noise * np.eye(n - 1)
        slow = fitted.shares + gram[i, others] @ np.linalg.solve(noisy, labels[others] - fitted.shares)
        inverse = np.linalg.inv(gram + fitted.choice.noise * np.eye(n))
        np.testing.assert_allclose(labels[i] - fitted.alpha[i] / inverse[i, i], slow, atol=1e-8)
    sure = set_kernel.fit_sharpened(weights, x, labels)
    assert sure.choice.sharpness != fitted.choice.sharpness
    ratio = set_kernel.logits(np, sure, q) / set_kernel.logits(np, fitted, q)
    np.testing.assert_allclose(ratio, sure.choice.sharpness / fitted.choice.sharpness)


@pytest.mark.parametrize("data", [load_iris, load_wine])
def test_the_weights_that_ship_tell_classes_apart_from_few_rows(data):
    x, y = data(return_X_y=True)
    a, b, ya, yb = train_test_split(x, y, train_size=40, random_state=0, stratify=y)
    own = SetKernelClassifier(width=1.0, smoothing=1.0).fit(a, ya)
    forest = RandomForestClassifier(random_state=0).fit(a, ya)
    assert own.score(b, yb) >= 0.9
    assert log_loss(yb, own.predict_proba(b)) < log_loss(yb, forest.predict_proba(b)) + 0.1


def test_of_many_columns_the_ones_that_go_with_the_classes_are_kept():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=200)
    x = rng.normal(size=(200, 300))
    x[:, 250] += 3 * y
    model = SetKernelClassifier(width=1.0, smoothing=1.0).fit(x[:100], y[:100])
    assert len(model.columns_) == OPTIONS.set_kernel.most_columns
    assert 250 in model.columns_
    assert model.score(x[100:], y[100:]) > 0.85


def test_large_tables_and_many_classes_are_left_to_other_families():
    limit, options = FAMILIES["set_kernel"].limit, OPTIONS.set_kernel
    assert limit(500, 10, 2) is None
    assert "rows" in str(limit(options.most_rows + 1, 10, 2))
    assert "classes" in str(limit(500, 10, options.most_classes + 1))


def test_what_ships_says_where_it_comes_from():
    import json
    from importlib.resources import files

    with (files("autometa") / "meta_db" / "set_kernel.npz").open("rb") as file, np.load(file) as stored:
        card = json.loads(str(stored["card"]))
        assert {name: stored[name].shape for name in set_kernel.shapes()} == set_kernel.shapes()
    assert card["data"]["name"] == "synthetic"  # no real table
    assert card["steps"] > 0


# ------------------------------------------------------------------------------------------------- made-up tables


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_made_up_table_has_its_classes_and_something_to_learn(mechanism):
    scores = []
    for seed in range(12):
        x, y = table(np.random.default_rng(seed), mechanism, 400, 3, 16)
        assert x.shape[0] == len(y) == 400
        assert 2 <= x.shape[1] <= 16
        assert set(y) == {0, 1, 2}
        forest = RandomForestClassifier(30, random_state=0).fit(np.nan_to_num(x[:300]), y[:300])
        chances = forest.predict_proba(np.nan_to_num(x[300:]))
        known = [k for k in range(3) if k in y[300:]]
        scores.append(np.mean([roc_auc_score(y[300:] == k, chances[:, k]) for k in known]))
    assert np.mean(scores) > 0.6


def test_episodes_of_made_up_tables_hold_every_class_and_follow_their_seed():
    source = load_data("synthetic").train
    sizes = set()
    for seed in range(6):
        rng, again = np.random.default_rng(seed), np.random.default_rng(seed)
        choices = source.propose(rng, 4, 5)
        episode = source.episode(rng, choices, 20, 6)
        assert choices == source.propose(again, 4, 5)
        assert torch.equal(episode.support.x, source.episode(again, choices, 20, 6).support.x)
        assert episode.query.x.shape == (4, 30, 32)
        assert 16 <= episode.support.x.shape[1] <= 100
        for support, query in zip(episode.support.y, episode.query.y, strict=True):
            assert set(query.tolist()) <= set(support.tolist())
        sizes.add(episode.support.x.shape[1])
    assert len(sizes) > 3
