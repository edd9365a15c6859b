"""What every family of the catalogue promises, and what makes some of them themselves."""

from __future__ import annotations

import pickle
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from autometa.errors import InputError
from autometa.families import FAMILIES, available, build, cash_space, suited
from autometa.space import FAMILY

COLUMNS = SimpleNamespace(
    numeric=("café", '{"a":1}', "all missing", "constant", "some missing", "huge"),
    categorical=("colour", "many", "[0]", "constant too"),
    text=("comment",),
)
KINDS = ("binary", "multiclass", "regression")
PAIRS = [(kind, family) for kind in KINDS for family in available(kind)]


def nasty(kind: str, n: int = 90, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """A small table with every kind of column, and what goes wrong in folds: unseen, all missing, constant, rare."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=n)
    colours = rng.choice(["red", "green", "blue", "żółty"], size=n)
    frame = pd.DataFrame({
        "café": signal,
        '{"a":1}': rng.exponential(size=n) * 1e6,
        "all missing": np.nan,
        "constant": 3.0,
        "some missing": np.where(rng.random(n) < 0.3, np.nan, rng.integers(0, 3, n)),
        "huge": np.where(rng.random(n) < 0.05, 1e300, 1.0),
        "colour": pd.Categorical(np.where(rng.random(n) < 0.2, None, colours)),
        "many": pd.Categorical([f"id {i // 2}" for i in rng.permutation(n)]),
        "[0]": pd.Categorical(["0"] * (n - 1) + [None]),
        "constant too": pd.Categorical(["only"] * n),
        "comment": rng.choice(["", "a good day", "a bad night, again", "naïve ☃", "..."], size=n),
    })
    score = signal + (colours == "red") + 0.3 * rng.normal(size=n)
    if kind == "regression":
        return frame, 1000.0 + 50.0 * score
    if kind == "binary":
        return frame, (score > 0).astype(np.int64)
    return frame, np.select([score < -0.7, score < 0.5], [0, 2], 5).astype(np.int64)  # codes with gaps, as in a fold


def fit_and_check(config, kind, frame, y, rows, columns=COLUMNS):
    model = build(config, columns, kind, n_rows=len(rows), seed=3)
    model.fit(frame.iloc[rows], y[rows])
    if kind == "regression":
        values = model.predict(frame)
        assert values.shape == (len(frame),) and np.isfinite(values).all()
        return values
    probabilities = model.predict_proba(frame)
    assert list(model.classes_) == sorted(set(y[rows]))
    assert probabilities.shape == (len(frame), len(model.classes_))
    assert np.isfinite(probabilities).all() and (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    assert set(model.predict(frame)) <= set(y[rows])
    return probabilities


@pytest.mark.parametrize(("kind", "family"), PAIRS)
def test_random_configurations_of_every_family_fit_a_nasty_table(kind, family):
    frame, y = nasty(kind)
    train = np.arange(60)  # the rest brings unseen categories and words
    space = cash_space(kind, [family])
    rng = np.random.default_rng(abs(hash(family)) % 1000 if False else len(family))
    for config in [space.default, *(space.sample(rng) for _ in range(5))]:
        cheap = {k: min(v, 60) if k.endswith(("n_estimators", "max_iter")) else v for k, v in config.items()}
        fit_and_check(cheap, kind, frame, y, train)
