"""Promises of the benchmarks of a memory that grows (`stream.py`) and of what a large one costs (`opening.py`)."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import autometa

REPOSITORY = Path(__file__).resolve().parents[1]
NAMES = ("stream", "opening")


@pytest.fixture(scope="module")
def programs():
    """The programs as modules; their folder is on the path only while they are imported."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "benchmarks"))
        yield SimpleNamespace(**{name: __import__(name) for name in NAMES})
        for name in set(sys.modules) - before:
            if str(REPOSITORY / "benchmarks") in str(getattr(sys.modules[name], "__file__", "")):
                sys.modules.pop(name)


def test_tables_of_a_stream_differ_hold_no_row_twice_and_repeat_under_their_seed(programs):
    rng, n = np.random.default_rng(0), 3_000
    whole = pd.DataFrame({"a": rng.random(n), "b": rng.random(n), "c": rng.choice(["x", "y"], n), "id": range(n)})
    whole["target"] = whole["id"].astype(float)
    first, again = (programs.stream.sampled(whole, np.random.default_rng(1)) for _ in range(2))
    other = programs.stream.sampled(whole, np.random.default_rng(2))
    pd.testing.assert_frame_equal(first, again)
    assert len(first) == programs.stream.LEARNED + programs.stream.JUDGED == first["target"].nunique()
    assert set(first["target"]) != set(other["target"])
    assert "target" in other
    assert set(other) <= set(whole)


def test_regret_of_a_stream_is_0_for_the_best_of_all_methods_and_1_for_the_median_random_one(programs, tmp_path):
    def line(method, scores):
        return {"stream": "s", "method": method, "scores": [scores, scores]}

    lines = [line("random", [0.1, 0.5, 0.3] * 4), line("tpe", [0.3] * 10), line("own", [None, 0.2, 0.6] + [0.9] * 7)]
    found = programs.stream.regrets(lines)
    assert set(found) == {("s", 0), ("s", 1)}
    np.testing.assert_allclose(found["s", 0]["tpe"], [1, 1, 1, 1])
    np.testing.assert_allclose(found["s", 0]["own"], [1, 0.5, 0, 0])  # what failed counts as the median
    text = programs.stream.report(lines, tmp_path / "stream.jsonl")
    assert "| own | 0.500 | 0.500 |  |  |  | 0.500 |" in text
    assert (tmp_path / "stream.svg").read_text().startswith("<svg")


def test_studies_of_the_opening_benchmark_are_kept_and_none_is_counted_twice(programs, tmp_path):
    store = str(tmp_path / "own.db")
    assert min(programs.opening.grow(store, 2)) > 0
    assert np.isnan(programs.opening.grow(store, 2)).all()
    past = autometa.MetaStore(store).tasks(space="own")
    assert sorted(record.name for record in past) == ["opening-0", "opening-1"]
    source = programs.opening.Source(5)
    at_best = programs.opening.SPACE.decode(source.best)
    assert source.score(at_best) > source.study(20).best_value
