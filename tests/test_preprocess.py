"""Promises of `families.learners.preprocess` and `holdout`: dense codes, no leak of the target, no class lost."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder

from autometa.families.learners.holdout import inner_split
from autometa.families.learners.preprocess import CategoryCodes, OneHot, TargetMeans
from autometa.families.options import OPTIONS


@given(
    st.lists(st.sampled_from(["a", "b", "c", "d", None]), min_size=1, max_size=30),
    st.integers(1, 4),
    st.one_of(st.none(), st.integers(2, 4)),
)
def test_category_codes_are_dense_and_merge_what_is_rare(values, min_frequency, most):
    frame = pd.DataFrame({"x": pd.Categorical(values, categories=["d", "a", "b", "c", "never"])})
    codes = CategoryCodes(most=most, min_frequency=min_frequency).fit(frame).transform(frame)[:, 0]
    assert [np.isnan(code) for code in codes] == [value is None for value in values]
    used = np.unique(codes[~np.isnan(codes)])
    np.testing.assert_array_equal(used, np.arange(len(used)))
    assert most is None or len(used) <= most
    code_of = {value: code for value, code in zip(values, codes, strict=True) if value is not None}
    for value, code in code_of.items():  # what shares its code with another is rare, or one too many
        others = [other for other in code_of if other != value and code_of[other] == code]
        assert not others or most is not None or values.count(value) < min_frequency


def test_category_codes_follow_names_and_not_their_places():
    encoder = CategoryCodes(most=None).fit(pd.DataFrame({"x": pd.Categorical(["a", "b"])}))
    later = pd.DataFrame({"x": pd.Categorical(["b", "new", None, "a"], categories=["new", "b", "a"])})
    np.testing.assert_array_equal(encoder.transform(later)[:, 0], [1, np.nan, np.nan, 0])


def test_one_hot_columns_equal_those_of_the_library():
    codes = np.array([[0, 0, -1], [2, 0, 1], [1, 0, 0]], dtype=float)
    later = np.array([[-1, -1, -1], [2, 0, 0]], dtype=float)
    library = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(codes)
    np.testing.assert_array_equal(OneHot().fit(codes).transform(later), library.transform(later))


def test_a_target_encoding_of_noise_does_not_leak_the_target():
    rng = np.random.default_rng(0)
    codes, y = np.arange(200.0)[:, None] // 2, rng.integers(0, 2, 200)
    encoded = TargetMeans(classification=True, seed=0).fit_transform(codes, y)[:, 0]
    assert abs(np.corrcoef(encoded, y)[0, 1]) < 0.4  # without cross-fitting it is above 0.7


def test_a_target_encoding_has_a_bounded_width():
    rng = np.random.default_rng(0)
    codes, y = rng.integers(0, 5, (300, 2)).astype(float), rng.integers(0, 100, 300)
    assert TargetMeans(classification=True, seed=0).fit_transform(codes, y).shape == (
        300,
        2 * OPTIONS.preprocessing.most_target_classes,
    )


@given(st.lists(st.integers(0, 5), min_size=2, max_size=60), st.floats(0.05, 0.5), st.integers(0, 5))
def test_an_inner_split_parts_the_rows_and_keeps_every_class_in_training(classes, fraction, seed):
    y = np.array(classes)
    train, held = inner_split(y, classification=True, fraction=fraction, seed=seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held])), np.arange(len(y)))
    assert set(y[train]) == set(y)
    sizes, taken = np.bincount(y, minlength=6), np.bincount(y[held], minlength=6)
    assert (taken <= np.ceil(sizes * fraction)).all() or taken.sum() == 1
