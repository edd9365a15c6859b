"""Heads on embeddings: each is what its closed form says, in NumPy and in torch, as a learner and by its name."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import NearestCentroid

from autometa import FewShotClassifier
from autometa.cli import main
from autometa.errors import InputError
from autometa.families.learners import heads
from autometa.fewshot import LEARNERS, EpisodeSpec, Examples, from_arrays, make
from autometa.fewshot.heads import CENTRE

HEADS = ("simpleshot", "r2d2", "logistic_head", "simple_cnaps")
SHAPES = [pytest.param(30, 4, id="more-examples"), pytest.param(9, 12, id="more-numbers")]


def labelled(n: int, p: int, c: int = 3, seed: int = 0):
    """Classes around means that are apart, unevenly many of each."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(c).repeat(2), rng.integers(0, c, n - 2 * c)])
    return rng.normal(size=(n, p)) + rng.normal(size=(c, p))[y] + 1.0, y, rng.normal(size=(5, p)) + 1.0


def in_both(function, *given):
    """What a function of `heads` gives in NumPy, once torch has given the same."""
    found = function(np, *given)
    tensors = [torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in given]
    same = function(torch, *tensors)
    parts = zip(found, same, strict=True) if isinstance(found, tuple) else [(found, same)]
    for one, other in parts:
        np.testing.assert_allclose(one, other.numpy(), rtol=1e-8, atol=1e-10)
    return found


@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_a_ridge_head_is_ridge_regression_of_the_indicators(n, p):
    x, y, new = labelled(n, p)
    ones = np.column_stack([x, np.ones(n)])
    found = in_both(heads.ridge, x, np.eye(3)[y], np.ones(n), 0.7)
    reference = Ridge(alpha=0.7, fit_intercept=False).fit(ones, np.eye(3)[y])
    np.testing.assert_allclose(found.T, reference.coef_, atol=1e-8)
    np.testing.assert_allclose(heads.linear(np, new, found), reference.predict(np.column_stack([new, np.ones(5)])))


@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_a_logistic_head_falls_to_logistic_regression_and_never_rises(n, p):
    x, y, _ = labelled(n, p)
    onehot, penalty = np.eye(3)[y], 0.7

    def loss(w) -> float:
        logits = heads.linear(np, x, w)
        return float((np.log(np.exp(logits).sum(1)) - (logits * onehot).sum(1)).sum() + penalty / 2 * (w**2).sum())

    losses = [loss(heads.logistic(np, x, onehot, np.ones(n), penalty, steps)) for steps in range(8)]
    assert all(b < a for a, b in pairwise(losses))
    found = in_both(heads.logistic, x, onehot, np.ones(n), penalty, 3000)
    exact = LogisticRegression(C=1 / penalty, fit_intercept=False, tol=1e-10, max_iter=5000)
    exact.fit(np.column_stack([x, np.ones(n)]), y)
    np.testing.assert_allclose(found.T, exact.coef_, atol=1e-4)


@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_a_mahalanobis_head_has_the_covariances_of_simple_cnaps(n, p):
    x, y, new = labelled(n, p)
    found = heads.mahalanobis(np, heads.gaussians(np, x, np.eye(3)[y], np.ones(n), 0.3), new)
    same = heads.mahalanobis(
        torch, heads.gaussians(torch, *map(torch.from_numpy, (x, np.eye(3)[y], np.ones(n))), 0.3), torch.from_numpy(new)
    )
    np.testing.assert_allclose(found, same.numpy(), rtol=1e-8)
    of_all = np.cov(x.T)
    for k in range(3):
        own, count = x[y == k], (y == k).sum()
        drawn = count / (count + 1) * np.cov(own.T) + 1 / (count + 1) * of_all
        inverse = np.linalg.inv(drawn + 0.3 * np.trace(of_all) / p * np.eye(p))
        apart = new - own.mean(0)
        np.testing.assert_allclose(found[:, k], (apart @ inverse * apart).sum(1), rtol=1e-7)


def test_simpleshot_is_the_nearest_centroid_of_centred_unit_vectors():
    x, y, new = labelled(30, 6)
    base = np.full(6, 0.4)

    def placed(a):
        return (a - base) / np.linalg.norm(a - base, axis=1, keepdims=True)

    learner = make(LEARNERS["simpleshot"], EpisodeSpec("classification", (6,), 3))
    weights = learner.initialise(torch.Generator()) | {CENTRE: torch.from_numpy(base)}
    support = Examples(torch.from_numpy(x), torch.from_numpy(y), torch.ones(30).double())
    query = Examples(torch.from_numpy(new), torch.zeros(5).long(), torch.ones(5).double())
    logits = learner.predict(weights, learner.adapt(weights, support), query)
    assert logits.argmax(1).tolist() == NearestCentroid().fit(placed(x), y).predict(placed(new)).tolist()
    means = np.stack([placed(x)[y == k].mean(0) for k in range(3)])
    apart = ((placed(new)[:, None] - means) ** 2).sum(-1)
    np.testing.assert_allclose(logits.numpy(), -10 * apart, rtol=1e-6)


def test_soft_k_means_is_one_step_of_its_paper_and_padding_does_not_move_it():
    x, y, new = labelled(12, 4)
    onehot, weights = np.eye(3)[y], np.array([1.0, 1, 1, 1, 0])
    found, _ = in_both(heads.refined, x, onehot, np.ones(12), new, weights, 0.5, 1)
    means = np.stack([x[y == k].mean(0) for k in range(3)])
    shares = np.exp(-0.5 * ((new[:4, None] - means) ** 2).sum(-1))
    shares /= shares.sum(1, keepdims=True)
    expected = (onehot.T @ x + shares.T @ new[:4]) / (onehot.sum(0) + shares.sum(0))[:, None]
    np.testing.assert_allclose(found, expected)


@pytest.fixture(scope="module")
def vectors():
    """Embeddings of twelve classes whose directions tell, and whose lengths do not."""
    rng = np.random.default_rng(0)
    labels = np.arange(12).repeat(12)
    x = rng.normal(size=(144, 24)) + 2 * rng.normal(size=(12, 24))[labels] + 3.0
    return (x * rng.uniform(0.2, 5, (144, 1))).astype(np.float32), np.array([f"kind {k}" for k in labels])


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_trained_saved_and_answers_new_classes_by_its_name(name, vectors, tmp_path):
    x, y = vectors
    data = from_arrays(x[:96], y[:96], way=2)
    model = FewShotClassifier(name).meta_fit(
        data, steps=4, way=2, shot=3, query=3, training={"query": 3}, verbose=False
    )
    model.save(tmp_path)
    again = FewShotClassifier.load(tmp_path)
    new = np.arange(96, 144)
    support = np.concatenate([new[y[new] == label][:4] for label in np.unique(y[new])])
    query = np.setdiff1d(new, support)
    found = again.fit(x[support], y[support]).predict_proba(x[query])
    np.testing.assert_allclose(found, model.fit(x[support], y[support]).predict_proba(x[query]), atol=1e-6)
    assert (again.classes_[found.argmax(1)] == y[query]).mean() > 0.8
    assert model.explain(x[query[:1]])[0]["support"]


@pytest.mark.parametrize("name", ["simpleshot", "simple_cnaps"])
def test_refined_answers_depend_on_the_other_queries_and_it_is_told(name, vectors):
    x, _ = vectors
    plain, refined = (make(LEARNERS[name], EpisodeSpec("classification", (24,), 3), {"refine": k}) for k in (0, 2))
    assert (plain.transductive, refined.transductive) == (False, True)
    weights = refined.initialise(torch.Generator())
    some = torch.from_numpy(x[:36]).double(), torch.arange(3).repeat_interleave(12), torch.ones(36).double()
    state = refined.adapt(weights, Examples(*(a[::6] for a in some)))
    query = Examples(*(a[1::6] for a in some))
    single = Examples(*(a[:1] for a in query))
    assert not torch.allclose(refined.predict(weights, state, query)[:1], refined.predict(weights, state, single))
    assert (refined.predict(weights, state, query).argmax(1) == query.y).float().mean() > 0.8


def test_options_that_no_head_can_have_are_refused_together(tmp_path, capsys):
    with pytest.raises(InputError, match="penalty: 0"):
        make(LEARNERS["r2d2"], EpisodeSpec("classification", (4,), 3), {"penalty": "0"})
    asked = ["fewshot", "train", "--learner", "logistic_head", "--set", "steps=0", "--set", "penalty=-1"]
    code = main([*asked, "--steps", "1", "--out", str(tmp_path / "x"), "--json"])
    told = capsys.readouterr()
    assert code == 2
    assert "steps: 0 is not 1 or more" in told.err + told.out
    assert "penalty: -1.0 is not above 0" in told.err + told.out
    assert not (tmp_path / "x").exists()
    assert {one["name"] for one in json.loads(_listed(capsys))["learners"]} >= set(HEADS)


def _listed(capsys) -> str:
    main(["fewshot", "list", "--json"])
    return capsys.readouterr().out
