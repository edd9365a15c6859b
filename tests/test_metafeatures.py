"""Promises of the meta-features."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autometa.errors import InputError
from autometa.metafeatures import FEATURE_NAMES, GROUPS, OPTIONS, PYMFE, VERSION, MetafeatureOptions, describe
from autometa.metafeatures.landmarking import landmark_sample
from autometa.metafeatures.model import small_sample
from autometa.metafeatures.profile import equal_frequency, quantiles
from autometa.metafeatures.view import View
from autometa.task import Columns, Task, make_task

ALWAYS = 1e9  # seconds
KINDS = {"binary": 2, "multiclass": 4, "regression": 0}
NEEDS_CLASSES = {
    "classes",
    "log_classes",
    "smallest_class_share",
    "largest_class_share",
    "gravity",
    "class_entropy",
    "class_balance",
    "naive_bayes",
}
NEEDS_NUMBERS = {"target_skewness", "target_kurtosis", "target_distinct_share"}
NEEDS_VECTORS = {feature.__name__ for feature in GROUPS["embedding"]}
OF_THE_SMALL_SAMPLE = [feature.__name__ for group in ("model", "landmarking") for feature in GROUPS[group]]


def numeric_table(rows: int, columns: int, classes: int, seed: int = 0) -> pd.DataFrame:
    """Correlated, skewed and discrete columns, and a target that depends on them; with `classes` 0, a number."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns)) @ rng.normal(size=(columns, columns))
    X[:, columns // 2 :] = np.exp(X[:, columns // 2 :] / columns)
    X[:, 0] = np.round(X[:, 0] * 2)
    X[:, 1] = X[:, 1] > np.median(X[:, 1])
    noise = rng.normal(size=(rows, max(classes, 1)))
    scores = np.tanh(X) @ rng.normal(size=(columns, max(classes, 1))) + noise
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(columns)])
    frame["target"] = np.array(list("abcdefgh"))[scores.argmax(axis=1)] if classes else scores[:, 0]
    return frame


def mixed_table(rows: int, classes: int, seed: int = 0) -> pd.DataFrame:
    """Numbers, categories and texts; cells are missing in some columns of each type."""
    rng = np.random.default_rng(seed)
    frame = numeric_table(rows, 6, classes, seed)
    frame.loc[rng.random(rows) < 0.2, "x3"] = np.nan
    frame.insert(2, "colour", rng.choice(np.array(["red", "green", "blue", None], object), rows))
    frame.insert(4, "letter", rng.choice(list("abcdefghijklmno"), rows))
    words = ["brown", "quick", "fox", "jumps", "over", "lazy", "dog", "again"]
    frame.insert(0, "text", [" ".join(rng.choice(words, rng.integers(5, 12))) for _ in range(rows)])
    return frame


def task_of(frame: pd.DataFrame) -> Task:
    return make_task(frame, target="target")


def bare_task(X: pd.DataFrame, y: np.ndarray, classes: int) -> Any:
    """What a view asks of a task, of numbers only, without a word from `make_task` about their use."""
    kind = {0: "regression", 2: "binary"}.get(classes, "multiclass")
    columns = Columns(numeric=tuple(X.columns), categorical=(), text=())
    return SimpleNamespace(
        X=X, y=y, kind=kind, classes=tuple(range(classes)), columns=columns, groups=None, time_order=None
    )


def features(task: Any) -> dict[str, float]:
    return dict(zip(FEATURE_NAMES, describe(task, seconds=ALWAYS).values.tolist(), strict=True))


def test_names_are_the_same_for_every_kind_and_each_has_its_cost():
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)
    for classes in KINDS.values():
        described = describe(task_of(numeric_table(60, 4, classes)), seconds=ALWAYS)
        assert described.names == FEATURE_NAMES
        assert described.version == VERSION
        assert described.seconds.keys() == set(FEATURE_NAMES)
        assert min(described.seconds.values()) >= 0
        assert described["rows"] == 60
        assert not described.values.flags.writeable


@pytest.mark.parametrize("kind", KINDS)
def test_exactly_what_a_kind_does_not_define_is_nan(kind):
    task = task_of(mixed_table(300, KINDS[kind]))
    assert (task.kind, len(task.columns.categorical), len(task.columns.text)) == (kind, 2, 1)
    undefined = {name for name, value in features(task).items() if math.isnan(value)}
    assert undefined == (NEEDS_CLASSES if kind == "regression" else NEEDS_NUMBERS) | NEEDS_VECTORS


@pytest.mark.parametrize("sampled", [False, True], ids=["whole", "sampled"])
@pytest.mark.parametrize("kind", KINDS)
def test_neither_order_of_rows_nor_order_nor_names_of_columns_matter(kind, sampled):
    options = MetafeatureOptions(cells=500, columns=5, small_rows=60) if sampled else OPTIONS
    frame = mixed_table(400, KINDS[kind])
    rng = np.random.default_rng(1)
    shuffled = frame.iloc[rng.permutation(len(frame)), rng.permutation(frame.shape[1])].reset_index(drop=True)
    renamed = shuffled.rename(columns={name: f"column {j}" for j, name in enumerate(frame.columns) if name != "target"})
    expected = describe(task_of(frame), seconds=ALWAYS, options=options).values
    assert np.isfinite(expected).sum() > 40
    np.testing.assert_array_equal(describe(task_of(shuffled), seconds=ALWAYS, options=options).values, expected)
    np.testing.assert_array_equal(describe(task_of(renamed), seconds=ALWAYS, options=options).values, expected)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_order_does_not_matter_where_rows_repeat_and_columns_resemble_one_another(data):
    rows, columns = data.draw(st.integers(8, 24)), data.draw(st.integers(1, 5))
    cells = st.lists(st.integers(0, 2), min_size=rows, max_size=rows)
    X = pd.DataFrame({f"x{j}": np.array(data.draw(cells), float) for j in range(columns)})
    y = np.array([0, 1, *data.draw(cells)[2:]]) % 2
    order = np.array(data.draw(st.permutations(range(rows))))
    other = X.loc[order, list(data.draw(st.permutations(list(X.columns))))].reset_index(drop=True)
    options = MetafeatureOptions(rows=data.draw(st.sampled_from([rows // 2, rows])))
    quick = [group for group in GROUPS if group != "landmarking"]  # the tree sees every difference as well
    one = describe(bare_task(X, y, 2), seconds=ALWAYS, groups=quick, options=options).values
    two = describe(bare_task(other, y[order], 2), seconds=ALWAYS, groups=quick, options=options).values
    np.testing.assert_array_equal(one, two)


def test_order_of_categories_does_not_matter():
    task = task_of(mixed_table(200, 2))
    expected = describe(task, seconds=ALWAYS).values
    for name in task.columns.categorical:
        task.X[name] = task.X[name].cat.reorder_categories(task.X[name].cat.categories[::-1])
    np.testing.assert_array_equal(describe(task, seconds=ALWAYS).values, expected)


def pymfe_values(
    X: np.ndarray, y: np.ndarray, names: list[str], categorical: list[int] | None = None
) -> dict[str, float]:
    from pymfe.mfe import MFE

    wanted = {name: PYMFE[name] for name in names}
    extractor = MFE(
        groups="all",
        features=sorted({feature for feature, _ in wanted.values()}),
        summary=["nanmean", *sorted({summary for _, summary in wanted.values() if summary not in (None, "nanmean")})],
        num_cv_folds=3,
        score="balanced-accuracy",
        random_state=0,
    )
    extractor.fit(X, y, cat_cols=categorical, check_bool=False, rescale="standard")
    found = dict(zip(*extractor.extract(), strict=True))
    return {name: found[f if f in found else f"{f}.{summary}"] for name, (f, summary) in wanted.items()}


@pytest.mark.filterwarnings("ignore")  # of pymfe
@pytest.mark.parametrize(("rows", "columns", "classes"), [(150, 3, 2), (1200, 12, 4)])
def test_what_pymfe_defines_too_has_its_value(rows, columns, classes):
    pytest.importorskip("pymfe", reason="pymfe is not installed")
    frame = numeric_table(rows, columns, classes)
    task = bare_task(frame.drop(columns="target"), np.unique(frame["target"], return_inverse=True)[1], classes)
    whole = [name for name in PYMFE if name not in OF_THE_SMALL_SAMPLE]
    theirs = pymfe_values(task.X.to_numpy(), task.y, whole)
    for group, sample in (("model", small_sample), ("landmarking", landmark_sample)):
        theirs |= pymfe_values(*sample(View(task)), [f.__name__ for f in GROUPS[group] if f.__name__ in PYMFE])
    ours = features(task)
    assert {name: ours[name] for name in PYMFE} == pytest.approx(theirs, rel=1e-9, abs=1e-9)


@pytest.mark.filterwarnings("ignore")  # of pymfe
def test_information_of_categories_has_the_value_of_pymfe():
    pytest.importorskip("pymfe", reason="pymfe is not installed")
    frame = mixed_table(300, 4).drop(columns=["text"]).fillna({"colour": "none", "x3": 0.0})
    task = task_of(frame)
    X = frame.drop(columns="target")
    categorical = [X.columns.get_loc(name) for name in task.columns.categorical]
    names = ["numeric_columns", "categorical_columns"]
    names += [feature.__name__ for feature in GROUPS["information"] if feature.__name__ in PYMFE]
    theirs = pymfe_values(X.to_numpy(dtype=object), frame["target"].to_numpy(), names, categorical)
    ours = features(task)
    assert {name: ours[name] for name in names} == pytest.approx(theirs, rel=1e-9)


def test_statistics_are_those_of_the_plain_definitions():
    frame = numeric_table(250, 6, 0)
    X, y = frame.drop(columns="target"), frame["target"]
    found = features(task_of(frame))
    correlation = [abs(np.corrcoef(X[name], y)[0, 1]) for name in X]
    assert found["target_association_mean"] == pytest.approx(np.mean(correlation))
    assert found["target_association_max"] == pytest.approx(max(correlation))
    shares = np.linalg.svd((X - X.mean()) / X.std(), compute_uv=False) ** 2
    shares = shares / shares.sum()
    assert found["first_component_share"] == pytest.approx(shares[0])
    assert found["components_share"] == next(k for k in range(1, 7) if sum(shares[:k]) >= 0.95) / 6
    n, spread = len(y), y.std(ddof=1)
    assert found["target_skewness"] == pytest.approx(sum((y - y.mean()) ** 3) / n / spread**3)
    assert found["target_kurtosis"] == pytest.approx(sum((y - y.mean()) ** 4) / n / spread**4 - 3)


def test_missing_cells_are_counted_and_left_out_of_the_statistics():
    frame = mixed_table(300, 2).drop(columns="text")
    found = features(task_of(frame))
    missing = frame.drop(columns="target").isna().to_numpy()
    assert found["missing_share"] == pytest.approx(missing.mean())
    assert found["columns_with_missing_share"] == missing.any(axis=0).mean()
    assert found["rows_with_missing_share"] == pytest.approx(missing.any(axis=1).mean())
    columns = frame.filter(like="x")
    n = columns.count()
    skewness = columns.skew() * (n - 2) / (n * (n - 1)) ** 0.5 * ((n - 1) / n) ** 1.5  # unbiased -> b_1
    assert found["skewness_mean"] == pytest.approx(skewness.mean())


@given(st.lists(st.sampled_from([0.0, 1e-9, 0.5, 1.0, 2.5, 7.0, np.nan]), min_size=1, max_size=60))
def test_bins_are_those_of_digitising_at_the_quantiles(cells):
    values = np.array(cells)
    missing = np.isnan(values)
    ordered = np.sort(values[~missing])
    codes, counts = equal_frequency(values, ordered, missing)
    assert np.bincount(codes, minlength=len(counts)).tolist() == counts.tolist()
    assert counts.min() > 0
    if missing.any():
        assert set(codes[missing]) == {len(counts) - 1}
        assert not set(codes[missing]) & set(codes[~missing])
    if len(ordered):
        at = np.linspace(0, 1, int(len(ordered) ** (1 / 3)) + 1)[1:]
        edges = np.quantile(ordered, at)
        np.testing.assert_array_equal(quantiles(ordered, at), edges)
        edges = edges[np.append(True, np.diff(edges) > 1e-8)]
        slow = np.digitize(values[~missing], edges, right=True)
        np.testing.assert_array_equal(codes[~missing], np.unique(slow, return_inverse=True)[1])


def test_a_sample_takes_its_share_of_the_copies_of_a_row():
    frame = numeric_table(4000, 3, 0)
    frame.loc[:1999, :] = frame.loc[0].to_numpy()
    task = bare_task(frame.drop(columns="target"), frame["target"].to_numpy(), 0)
    copies = np.mean(View(task, MetafeatureOptions(rows=500)).y == task.y[0])
    assert 0.4 < copies < 0.6


def test_the_small_sample_keeps_rows_of_every_class():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(5000, 3)), columns=list("abc"))
    y = np.zeros(5000, np.int64)
    y[:40], y[40:47] = 1, 2
    found = small_sample(View(bare_task(X, y, 3), MetafeatureOptions(small_rows=100)))
    assert np.bincount(found.y).tolist() == [100 - 10 - 7, 10, 7]
    assert found.X.shape == (100, 3)


def test_when_the_time_is_gone_the_rest_is_nan(monkeypatch):
    task = task_of(numeric_table(80, 4, 2))
    complete = describe(task, seconds=ALWAYS).values
    assert np.isnan(describe(task, seconds=0).values).all()
    clock = iter(range(10_000))
    monkeypatch.setattr(time, "thread_time", lambda: next(clock))
    partly = describe(task, seconds=20)
    np.testing.assert_array_equal(partly.values[:20], complete[:20])
    assert np.isnan(partly.values[20:]).all()
    assert partly.seconds.keys() == set(FEATURE_NAMES[:20])


def test_groups_can_be_asked_for_alone():
    task = task_of(numeric_table(80, 4, 2))
    found = describe(task, seconds=ALWAYS, groups=["information"])
    assert found.seconds.keys() == {feature.__name__ for feature in GROUPS["information"]}
    assert found["class_entropy"] == describe(task, seconds=ALWAYS)["class_entropy"]
    assert np.isnan(found["rows"])
    with pytest.raises(InputError, match="Did you mean 'landmarking'"):
        describe(task, groups=["landmarkin"])


ODD = {
    "constant": np.ones(30),
    "empty": np.full(30, np.nan),
    "infinite": np.r_[np.inf, -np.inf, np.arange(28.0)],
    "huge": np.r_[1e308, -1e308, np.arange(28.0)],
    "tiny": np.arange(30) * 1e-320,
    "one cell": np.r_[1.0, np.full(29, np.nan)],
}


@pytest.mark.parametrize("classes", [0, 2, 30])
@pytest.mark.parametrize("odd", ODD)
def test_odd_columns_and_targets_never_raise_nor_warn(odd, classes):
    y = np.arange(30) % classes if classes else np.arange(30.0)
    for X in (pd.DataFrame({"a": ODD[odd]}), pd.DataFrame({"a": ODD[odd], "b": np.arange(30.0) % 7})):
        described = describe(bare_task(X, y, classes), seconds=ALWAYS)
        assert described["rows"] == 30
        assert not np.isinf(described.values).any()


def test_a_column_that_is_the_class_never_raises_nor_warns():
    found = describe(make_task(pd.DataFrame({"a": [1, 2] * 20, "b": ["no", "yes"] * 20})), seconds=math.inf)
    assert np.isnan(found.values[found.names.index("linear_model")])
    assert np.isfinite(found.values[found.names.index("rows")])


CODES, NOISE = np.arange(60) % 3, np.random.default_rng(0).normal(size=60)
GIVEN_AWAY = {  # columns that do not vary within a class
    "number": {"a": 2.0 * CODES},
    "two of three classes alike": {"a": (CODES > 0) * 1.0},
    "two numbers": {"a": 2.0 * CODES, "b": -1.0 * CODES},
    "category": {"a": np.array(["u", "v", "w"])[CODES]},
    "truth value": {"a": CODES > 0},
    "missing in a class": {"a": np.where(CODES > 0, np.nan, CODES)},
    "in one class only": {"a": np.where(CODES > 0, NOISE, CODES)},
    "beside noise": {"a": 2.0 * CODES, "b": NOISE},
    "but for one row": {"a": 2.0 * CODES + 1e-9 * (np.arange(60) == 0)},
    "huge": {"a": 1e300 * CODES},
    "tiny": {"a": 1e-300 * CODES},
}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("given", GIVEN_AWAY)
def test_a_table_that_gives_its_classes_away_is_described(given, classes):
    rows = classes > CODES  # with the third class, or without
    task = make_task(pd.DataFrame(GIVEN_AWAY[given])[rows], y=np.array(["x", "y", "z"])[CODES[rows]])
    found = describe(task, seconds=math.inf)
    assert not np.isinf(found.values).any()
    assert (found["rows"], found["classes"]) == (rows.sum(), classes)


def test_a_constant_or_huge_regression_target_never_raises_nor_warns():
    X = pd.DataFrame({"a": np.arange(30.0)})
    for y in (np.zeros(30), np.r_[1e308, -1e308, np.arange(28.0)]):
        assert describe(bare_task(X, y, 0), seconds=ALWAYS)["rows"] == 30


def test_a_table_of_ten_times_the_rows_takes_about_ten_times_as_long():
    def seconds(n: int) -> float:
        rng = np.random.default_rng(0)
        X = pd.DataFrame(rng.normal(size=(n, 100)), columns=[f"x{j}" for j in range(100)])
        described = describe(
            bare_task(X, (X["x0"] + rng.normal(size=n) > 0).to_numpy().astype(np.int64), 2), seconds=ALWAYS
        )
        assert {name for name in FEATURE_NAMES if math.isnan(described[name])} == NEEDS_NUMBERS | NEEDS_VECTORS
        return sum(described.seconds.values())

    assert seconds(50_000) < 50 * seconds(5_000)  # a comparison of all pairs of rows would take 100 times


def test_importing_loads_neither_scikit_learn_nor_scipy():
    code = "import sys, autometa.metafeatures; print([m for m in ('sklearn', 'scipy', 'torch') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
