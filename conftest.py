"""What the examples in docstrings may name without making it: a finished run, and the table that it is about.

    run      the folder of a run of one trial on scikit-learn's wines
    wines    that table, without its target

Both are made when the first example names them, once in a process of tests.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.doctest import DoctestItem

# What imports an extra at its top has examples only where that is installed.
collect_ignore = [] if importlib.util.find_spec("fastapi") else ["autometa/serve/web.py", "autometa/serve/running.py"]
collect_ignore += ["autometa/tracking/answering.py"]  # which only MLflow runs


@pytest.fixture(scope="session")
def _finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sklearn.datasets import load_wine

    from autometa.fitting import fit_table
    from autometa.search import Settings

    X, y = load_wine(return_X_y=True, as_frame=True)
    settings = Settings(trials=1, families=("linear",), cold=True, remember=False)
    folder = tmp_path_factory.mktemp("examples") / "run"
    return fit_table(X, y.to_numpy(), settings=settings, run=folder).run


@pytest.fixture(autouse=True)
def _names_of_examples(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> Iterator[None]:
    """Only examples that name the run have it made."""
    names: dict[str, Any] = {}
    if isinstance(request.node, DoctestItem) and re.match(
        r"autometa\.(search|report|judging|explain|export|fitting|serve|watch|agents)", request.node.dtest.name
    ):
        source = "".join(example.source for example in request.node.dtest.examples)
        if re.search(r"\((run|wines)\b", source):
            from sklearn.datasets import load_wine

            names = {"run": request.getfixturevalue("_finished_run"), "wines": load_wine(as_frame=True).data}
    doctest_namespace.update(names)
    yield
    for name in names:
        del doctest_namespace[name]
