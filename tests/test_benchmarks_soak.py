"""Promises of the soak: a trial gives back what it opened, and the report shows what grows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def soaking():
    """The program as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "benchmarks"))
        import soak

        yield soak
        sys.modules.pop("soak", None)


def test_every_trial_gives_its_files_and_threads_back(soaking):
    watch = soaking.soak(9, "naive_bayes", None, window=3)
    assert [line["trials"] for line in watch.lines] == [3, 6, 9, 9]
    assert len({line["handles"] for line in watch.lines[:3]}) == 1
    assert len({line["threads"] for line in watch.lines[:3]}) == 1


def test_every_process_of_a_trial_gives_its_files_back(soaking):
    watch = soaking.processes(60, None, window=20)
    assert [line["trials"] for line in watch.lines] == [20, 40, 60]
    assert len({(line["handles"], line["threads"]) for line in watch.lines}) == 1


def test_the_report_shows_later_trials_as_ratios_to_the_first(soaking):
    line = {"revision": "r", "family": "f", "asked": 200, "pretend": True, "wall": 1.0, "rss": 100.0, "handles": 9}
    line |= {"threads": 2, "server": 300.0}
    lines = [{**line, "trials": 100, "cpu": 0.05}, {**line, "trials": 200, "cpu": 0.15}]
    text = soaking.report([*lines, {**line, "trials": 200, "cpu": 2.0, "end": True}])
    assert "## r: 200 trials of f (made up)" in text
    assert "| 100 | 0.050 | 1.000 | 100 | 9 | 2 | 300 |" in text
    assert "| 200 | x 3.00 | x 1.00 | 100 | 9 | 2 | 300 |" in text
    assert "2.0 s of CPU" in text
