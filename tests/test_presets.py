"""Presets: a few options under one word, over which every single option wins, and that is said."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.datasets import load_wine

from autometa import AutoMetaClassifier, AutoMetaRegressor
from autometa.cli.app import main
from autometa.errors import InputError
from autometa.families import available
from autometa.search import PRESETS, Settings, open_run, with_preset
from autometa.search.ensemble import greedy_ensemble


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    """A run with --preset light, two trials and one more family."""
    folder = tmp_path_factory.mktemp("presets")
    load_wine(as_frame=True).frame.to_csv(folder / "wine.csv", index=False)
    words = ["--preset", "light", "--trials", "3", "--families", "linear,naive_bayes", "--cold", "--no-remember"]
    assert main(["fit", str(folder / "wine.csv"), *words, "--run", str(folder / "run")]) == 0
    return folder


def test_every_preset_makes_settings_that_can_be():
    for name, preset in PRESETS.items():
        chosen, said = with_preset(name, dict.fromkeys(("seconds", "trials", "families", "patience", "members")))
        settings = Settings(**{option: value for option, value in chosen.items() if value is not None})
        assert preset.words in said
        assert set(settings.families or ()) <= set(available("regression")) & set(available("multiclass"))
    assert Settings(**PRESETS["balanced"].values) == Settings()  # as without one


def test_a_single_option_counts_instead_and_that_is_said():
    given = {"seconds": None, "trials": 7, "families": ("knn",), "patience": "auto", "members": None}
    chosen, said = with_preset("light", given)
    assert chosen == given | {"members": 1}
    assert said.endswith("counts instead: trials, families.")
    assert with_preset("best", given)[0]["patience"] == "auto"
    assert with_preset(None, given) == (given, None)


def test_in_python_too_what_is_said_counts_and_what_is_not_said_does_not():
    assert AutoMetaClassifier(preset="best")._settings()[0].patience == "off"
    assert AutoMetaClassifier(preset="best", patience="auto")._settings()[0].patience == "auto"
    assert AutoMetaClassifier()._settings()[0].patience == "auto"


def test_light_is_one_pipeline_fitted_once(light):
    from autometa import load_model

    result, model = open_run(light / "run"), load_model(light / "run")
    assert result.settings.members == 1
    assert result.settings.families == ("linear", "naive_bayes")
    assert (result.settings.trials, result.settings.seconds) == (3, None)
    (member,) = model.members
    assert [len(models) for models in member.models] == [1]  # and no models of folds
    assert member.number == result.best.number


def test_the_terminal_says_the_preset_and_what_counts_instead(light, capsys):
    words = ["fit", str(light / "wine.csv"), "--preset", "lihgt", "--members", "0", "--run", str(light / "other")]
    assert main(words) == 2
    shown = capsys.readouterr().err
    assert "preset: 'lihgt' is not known. Did you mean 'light'?" in shown
    assert "--members" in shown
    assert not (light / "other").exists()


def test_python_takes_presets_as_the_flags_do():
    X, y = load_wine(return_X_y=True, as_frame=True)
    asked = {"trials": 2, "families": "linear", "cold": True, "remember": False, "verbose": False}
    model = AutoMetaClassifier(preset="light", **asked).fit(X, y)
    assert "Preset light" in model.notes_[0]
    assert "counts instead: trials, families" in model.notes_[0]
    assert len(model.model_.members) == 1
    with pytest.raises(InputError, match="'quick' is not known"):
        AutoMetaRegressor(preset="quick").fit(X, y)
    with pytest.raises(InputError, match="members: 0 is not a number of at least 1"):
        AutoMetaRegressor(members=0).fit(X, y)


def test_an_ensemble_has_no_more_members_than_were_asked_for():
    rng = np.random.default_rng(0)
    y = rng.normal(size=300)
    predictions = [y + rng.normal(0, 1, 300) for _ in range(8)]

    def score(p):
        return -float(((p - y) ** 2).mean())

    free = greedy_ensemble(predictions, score)
    assert (free > 0).sum() > 3
    for most in (1, 2, 3, 8):
        weights = greedy_ensemble(predictions, score, most=most)
        assert (weights > 0).sum() <= most
        assert weights.sum() == pytest.approx(1)
    np.testing.assert_array_equal(greedy_ensemble(predictions, score, most=8), free)


def test_a_run_of_before_has_as_many_members_as_help():
    values = Settings(trials=1).to_dict()
    del values["members"]
    assert Settings.from_dict(json.loads(json.dumps(values))).members is None
