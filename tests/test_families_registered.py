"""Families from outside: registered by a module, announced by a package; in the search, the memory and the report."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sklearn.datasets import load_wine

import autometa.families as families
from autometa import AutoMetaClassifier
from autometa.cli import main
from autometa.errors import InputError
from autometa.families import Family, available, cash_space, catalogue, register_family
from autometa.families.registry import GROUP, Registry
from autometa.search import load_model, open_run
from autometa.store import MetaStore

LEARNERS = Path(__file__).parent / "learners"


@pytest.fixture
def catalogue_of_its_own(monkeypatch):
    """What is registered in a test is forgotten after it."""
    before = dict(families.FAMILIES)
    monkeypatch.syspath_prepend(LEARNERS)
    monkeypatch.setattr(families, "REGISTRY", Registry(families.FAMILIES))
    yield families.REGISTRY
    families.FAMILIES.clear()
    families.FAMILIES.update(before)
    sys.modules.pop("own_family", None)


@pytest.fixture
def own(catalogue_of_its_own):
    """A module with a family, which is registered."""
    module = importlib.import_module("own_family")
    module.register()
    return module


def test_it_joins_search_memory_report_and_model(own, tmp_path):
    X, y = load_wine(return_X_y=True, as_frame=True)
    store = str(tmp_path / "store.db")
    model = AutoMetaClassifier(
        trials=3, families="shrunken", store=store, run=tmp_path / "run", space={"shrunken.shrinkage": (0.2, 0.4)}
    ).fit(X, y)
    assert model.leaderboard_["state"].tolist() == ["complete"] * 3
    assert all(0.2 <= config["shrunken.shrinkage"] <= 0.4 for config in model.leaderboard_["config"])
    assert (load_model(tmp_path / "run").predict(X) == y).mean() > 0.9
    result = open_run(tmp_path / "run")
    known = MetaStore(store).evaluations(result.task.fingerprint)
    assert {evaluation.config["family"] for evaluation in known} == {"shrunken"}
    assert main(["report", str(tmp_path / "run")]) == 0
    assert "Shrunken analysis" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_it_takes_turns_with_the_others(own):
    assert available("binary")[-1] == "shrunken"
    assert "shrunken" not in available("regression")
    assert "shrunken.shrinkage" in cash_space("multiclass")


def test_what_registers_it_may_be_another_module(catalogue_of_its_own):
    register_family(importlib.import_module("own_family").MODEL_FAMILY)
    [origin] = families.REGISTRY.registered()
    assert (origin.name, origin.module, origin.folder) == ("shrunken", "own_family", str(LEARNERS))
    families.FAMILIES.pop("shrunken")
    families.REGISTRY.recalled([origin])  # as another process does
    assert "shrunken" in families.FAMILIES


def here(config, columns, kind, **how):
    raise NotImplementedError


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "lightgbm"}, "in the catalogue already"),
        ({"name": "My Family"}, "is no name"),
        ({"kinds": frozenset()}, "is for"),
        ({"kinds": frozenset({"ranking"})}, "is for"),
    ],
)
def test_what_cannot_be_one_is_refused(change, says, own):
    with pytest.raises(InputError, match=says):
        register_family(replace(own.MODEL_FAMILY, **{"name": "other"} | change))


def test_what_was_typed_into_an_interpreter_is_found_by_no_trial(own, monkeypatch):
    monkeypatch.setattr(here, "__module__", "__main__")
    with pytest.raises(InputError, match="Put it into a module"):
        register_family(Family("typed", "Typed", own.space, here))
    with pytest.raises(InputError, match="no other process finds it"):
        register_family(Family("local", "Local", own.space, lambda config, columns, kind, **how: None))
    with pytest.raises(InputError, match="is no Family"):
        register_family("lightgbm")
    register_family(own.MODEL_FAMILY)  # again is no fault


def test_a_package_announces_its_own(catalogue_of_its_own, monkeypatch):
    points = [
        importlib.metadata.EntryPoint("shrunken", "own_family:MODEL_FAMILY", GROUP),
        importlib.metadata.EntryPoint("broken", "no_such_package:FAMILY", GROUP),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points if group == GROUP else [])
    with pytest.warns(UserWarning, match=r"'broken' of no_such_package:FAMILY is left out: ModuleNotFoundError"):
        assert "shrunken" in catalogue()
    assert available("binary")[-1] == "shrunken"
