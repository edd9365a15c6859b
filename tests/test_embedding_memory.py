"""What the memory knows of embeddings: their meta-features, whom they resemble, what a second search begins with."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from autometa.fitting import fit_table
from autometa.metafeatures import GROUPS, MetaFeatures, describe
from autometa.search import Settings, open_run
from autometa.space import FAMILY
from autometa.store import MetaStore
from autometa.task import make_task
from autometa.transfer.similarity import Similarity, prior_weights

NAMES = tuple(feature.__name__ for feature in GROUPS["embedding"])


def vectors(
    n: int = 40, d: int = 24, classes: int = 3, seed: int = 0, apart: float = 1.0
) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    x = rng.normal(size=(n, d)) * np.linspace(2, 0.3, d) + apart * rng.normal(size=(classes, d))[y] + 1.0
    return pd.DataFrame(x, columns=[f"emb_{k}" for k in range(d)]), y


def looks(frame: pd.DataFrame, y: np.ndarray) -> MetaFeatures:
    return describe(make_task(frame, y=y), seconds=1e9, groups=["embedding"])


def test_they_are_what_plain_definitions_give() -> None:
    frame, y = vectors()
    found = looks(frame, y)
    x = frame.to_numpy() - frame.to_numpy().mean(axis=0)
    assert found["embedding_width"] == math.log2(24) / 12
    assert found["embedding_examples"] == pytest.approx(math.log2(40 / 3) / 12)
    within = sum(((x[y == k] - x[y == k].mean(axis=0)) ** 2).sum() for k in range(3))
    assert found["embedding_between"] == pytest.approx(1 - within / (x**2).sum())
    shares = np.linalg.svd(x, compute_uv=False) ** 2 / (x**2).sum()
    assert found["embedding_rank"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()) / 24)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)

    def left_out(model: object, values: np.ndarray) -> float:
        said = cross_val_predict(model, values, y if not isinstance(model, Ridge) else np.eye(3)[y], cv=LeaveOneOut())
        return balanced_accuracy_score(y, said if said.ndim == 1 else said.argmax(axis=1))

    assert found["embedding_nearest_mean"] == pytest.approx(left_out(NearestCentroid(), unit))
    assert found["embedding_nearest_neighbour"] == pytest.approx(left_out(KNeighborsClassifier(1), unit))
    held = Ridge(alpha=(x**2).sum() / len(x), fit_intercept=False)
    assert found["embedding_ridge"] == pytest.approx(left_out(held, x))
    assert 0 <= found["embedding_hubness"] < 1
    assert LinearDiscriminantAnalysis().fit(x, y).score(x, y) > found["embedding_nearest_mean"]  # which saw its rows


def test_neither_order_of_rows_nor_of_columns_matters_and_plain_tables_have_none() -> None:
    frame, y = vectors()
    rng = np.random.default_rng(1)
    rows, columns = rng.permutation(len(frame)), rng.permutation(frame.shape[1])
    moved = frame.iloc[rows, columns].reset_index(drop=True)
    np.testing.assert_array_equal(looks(moved, y[rows]).values, looks(frame, y).values)
    plain = frame.rename(columns=lambda name: name.replace("emb", "q"))
    assert np.isnan([looks(plain, y)[name] for name in NAMES]).all()
    numbers = looks(frame, np.linspace(0, 1, len(frame)))
    assert {name for name in NAMES if math.isfinite(numbers[name])} == {
        "embedding_width", "embedding_length_spread", "embedding_rank", "embedding_hubness"
    }  # fmt: skip


@pytest.mark.parametrize("case", ["one row a class", "one class left", "missing", "constant"])
def test_odd_vectors_never_raise(case: str) -> None:
    frame, y = vectors(n=12, classes=6)
    if case == "one row a class":
        frame, y = frame.iloc[:6], np.arange(6)
    elif case == "one class left":
        frame.iloc[1:, 0] = np.nan
        frame.iloc[7, 0] = 1.0
    elif case == "missing":
        frame.iloc[:, 3] = np.where(np.arange(12) < 11, np.nan, 1.0)
    else:
        frame.iloc[:] = np.arange(24.0) % 2
        frame.iloc[0, 0] += 1e-12
    for value in describe(make_task(frame, y=y, keep=list(frame)), seconds=1e9).values:
        assert math.isnan(value) or math.isfinite(value)


def test_embeddings_resemble_embeddings_and_plain_tables_are_compared_as_before() -> None:
    rng = np.random.default_rng(0)
    names = ("rows", "columns", "embedding_width", "embedding_between")
    plain = np.column_stack([rng.normal(size=(20, 2)), np.full((20, 2), np.nan)])
    past = np.vstack([plain, [0.1, 0.1, 0.8, 0.4]])

    def to(known: np.ndarray, *values: float):  # type: ignore[no-untyped-def]
        seen = Similarity(known, names, "1").to(MetaFeatures(names, np.array(values), "1", {}))
        assert seen is not None
        return seen

    alike = to(past, 0.1, 0.1, 0.8, 0.45)
    assert alike.distances.argmin() == 20
    assert alike.same_space.tolist() == [False] * 20 + [True]
    assert not alike.strange
    weights = prior_weights(np.full(21, 100.0), 100.0, alike, same_space=alike.same_space)
    assert weights[20] > 0.5
    other = to(past, 0.1, 0.1, np.nan, np.nan)
    assert other.same_space.tolist() == [True] * 20 + [False]
    assert prior_weights(np.full(21, 100.0), 100.0, other, same_space=other.same_space)[20] < 0.01
    before = to(plain, 0.1, 0.1, 0.8, 0.45)  # no past task has vectors: as if there were no such meta-features
    assert before.same_space.all()
    np.testing.assert_array_equal(before.distances, to(plain, 0.1, 0.1, np.nan, np.nan).distances)


def test_a_second_search_of_embeddings_begins_with_what_was_best_on_the_first(tmp_path: Path) -> None:
    settings = Settings(trials=4, families=("few_shot", "knn"), store=str(tmp_path / "s.db"), jobs=1, folds=3)
    first = fit_table(*vectors(seed=1, n=60), settings=settings, run=tmp_path / "a", metric="neg_log_loss")
    assert [row.origin for row in first.trials][:2] == ["default", "default"]  # both heads: nothing is known of such
    best = max(first.trials, key=lambda row: row.evaluation.scores["neg_log_loss"]).evaluation.config
    second = fit_table(*vectors(seed=2, n=66), settings=settings, run=tmp_path / "b", metric="neg_log_loss")
    found = open_run(second.run).trials[0]
    assert found.origin == "similar"
    assert found.evaluation.config == best
    assert best[FAMILY] == "few_shot"
    records = MetaStore(str(tmp_path / "s.db")).past(kind="multiclass", metric="neg_log_loss")
    assert {"embedding_width", "embedding_ridge"} <= set(records.metafeature_names)
    assert np.isfinite(records.metafeatures[:, records.metafeature_names.index("embedding_ridge")]).all()
