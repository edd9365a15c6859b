"""A model in the format of skops: read without running code that is in the file.

A pickle names functions, and reading it calls them. A skops file names types, and whoever reads it says which of these
may be made; here those of `TRUSTED`. What is ours besides estimators is written as plain dictionaries.

skops_bytes, load_skops              a model
plain_estimator, read_estimator      what a fitted `AutoMetaClassifier` tells `skops.io.dumps`, and what it hears again
trusted_types                        the types of such a file that may be made

A file cannot run code, but it can lie: the boosters of three libraries take the bytes of a file for what they are, and
changed ones may end the process (docs/decisions.md). Read a stranger's model in a process that may end.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import fields, is_dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autometa.errors import InputError, Problem, RunError
from autometa.evaluation.calibration import Calibration
from autometa.evaluation.conformal import Conformal, ScoreRanks
from autometa.evaluation.fitted import ClippedRegressor, RelabelledClassifier
from autometa.explain.record import Dependence, Importance, ModelExplanation
from autometa.files import replace
from autometa.search.members import Member
from autometa.search.model import Model
from autometa.search.plain_study import read_study, said_study
from autometa.task.columns import ColumnEncoder
from autometa.task.later import ColumnProfile
from autometa.task.schema import Columns, Schema

SKOPS_FORMAT = 1
RECORDS = {
    one.__name__: one
    for one in (
        *(Calibration, ClippedRegressor, ColumnEncoder, ColumnProfile, Columns, Conformal, RelabelledClassifier),
        *(Dependence, Importance, ModelExplanation, Schema, ScoreRanks),
    )
}
OWN = "autometa.families.learners."
ESTIMATORS = frozenset({"autometa.estimator.AutoMetaClassifier", "autometa.estimator.AutoMetaRegressor"})
TOLD = "told"  # the key of what is plain in an estimator's state
# What a reader makes beyond what skops itself trusts, and beyond what the learners of `OWN` define: the parts that the
# models of all families are made of (`benchmarks/skops_models.py`). None of them calls what a file names.
TRUSTED = frozenset(
    {
        *("collections.OrderedDict", "functools.partial", "numpy.dtype"),
        *("sklearn.model_selection._split.KFold", "sklearn.tree._tree.Tree", "sklearn.utils.validation.check_array"),
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        *("scipy.interpolate._bsplines.BSpline", "scipy._lib.array_api_compat.numpy._aliases.asarray"),
        *("lightgbm.basic.Booster", "xgboost.core.Booster", "xgboost.sklearn.XGBClassifier"),
        *("xgboost.sklearn.XGBRegressor", "catboost.core.CatBoostClassifier", "catboost.core.CatBoostRegressor"),
    }
)


def skops_bytes(model: Model) -> bytes:
    """A model as the content of a skops file.

    Raises:
        InputError: skops is not installed.
        RunError: A member holds what skops cannot write.

    See Also:
        `load_skops`.
    """
    io = _skops()
    for member in model.members:
        if any(_adapts(one) for models in member.models for one in models):
            what = "adapts a few-shot learner, whose network skops cannot write"
            raise RunError(f"trial {member.number} {what}; fit again without --fewshot")
    try:
        content: bytes = io.dumps({"format": SKOPS_FORMAT, **_said_model(model)})
    except Exception as error:
        raise RunError(f"skops cannot write this model ({type(error).__name__}: {error})") from error
    strange = _strange(io.get_untrusted_types(data=content))
    if strange:
        raise RunError(f"the model holds what a reader would not trust: {', '.join(strange)}")
    return content


def load_skops(path: str | Path) -> Model:
    """Reads a model that `autometa export --to skops` wrote, running no code that is in the file.

    Args:
        path: The file; whoever wrote it.

    Raises:
        InputError: skops is not installed.
        RunError: There is no such file, it is none of these, or it names a type that no model of AutoMeta's holds.

    See Also:
        `autometa.load_model`, for signed files.

    Example:
        >>> load_skops("nowhere.skops")
        Traceback (most recent call last):
            ...
        autometa.errors.RunError: nowhere.skops does not exist
    """
    path = Path(path)
    if not path.is_file():
        raise RunError(f"{path} does not exist")
    io, content = _skops(), path.read_bytes()
    try:
        types = io.get_untrusted_types(data=content)
    except Exception as error:
        raise RunError(f"{path} is no skops file, or damaged ({type(error).__name__}: {error})") from error
    strange = _strange(types)
    if strange:
        raise RunError(f"{path} names types that no model of AutoMeta's holds, and was not read: {', '.join(strange)}")
    try:
        read = io.loads(content, trusted=types)
        return _model(read)
    except Exception as error:
        raise RunError(f"{path} is damaged ({type(error).__name__}: {error})") from error


def write_skops(model: Model, path: Path) -> None:
    """Writes a model to a skops file."""
    replace(path, skops_bytes(model))


def trusted_types(content: str | Path | bytes) -> list[str]:
    """Which types of a skops file may be made, as ``trusted`` of `skops.io.load` takes them.

    They are the estimators, AutoMeta's own learners and `TRUSTED`; whatever else a file names, skops refuses by name.

    Args:
        content: A file, or its content, in which one of the estimators is, alone or in a pipeline.

    Raises:
        InputError: skops is not installed.
        RunError: There is no such file, or it is none of skops'.

    Example:
        >>> trusted_types("nowhere.skops")
        Traceback (most recent call last):
            ...
        autometa.errors.RunError: nowhere.skops does not exist
    """
    what = "this" if isinstance(content, bytes) else str(content)
    if not isinstance(content, bytes):
        if not Path(content).is_file():
            raise RunError(f"{content} does not exist")
        content = Path(content).read_bytes()
    io = _skops()
    try:
        types = io.get_untrusted_types(data=content)
    except Exception as error:
        raise RunError(f"{what} is no skops file, or damaged ({type(error).__name__}: {error})") from error
    strange = set(_strange(types)) - ESTIMATORS
    return [name for name in types if name not in strange]


def plain_estimator(state: dict[str, Any]) -> dict[str, Any]:
    """The attributes of an estimator without types of ours but learners; those that only it has are left as they are.

    Args:
        state: By name. Of several targets, what `estimators_` tell is left out.
    """
    state, told = dict(state), {}
    if "estimators_" in state:
        for name in ("model_", "summary_", "leaderboard_"):
            state.pop(name, None)
    for name in ("notes_", "targets_", "summary_", "recommendations_", "best_config_", "explanation_", "leaderboard_"):
        if name in state:
            told[name] = _plain(state.pop(name))
    if "study_" in state:
        told["study_"] = _plain(said_study(state.pop("study_")))
    model = {"model_": _said_model(state.pop("model_"))} if isinstance(state.get("model_"), Model) else {}
    return {**state, TOLD: json.dumps(told), **model} if told or model else state


def read_estimator(state: dict[str, Any]) -> dict[str, Any]:
    """The attributes that `plain_estimator` made plain; those of a pickle are left as they are."""
    if TOLD not in state:
        return state
    state = dict(state)
    told = {name: _made(value) for name, value in json.loads(state.pop(TOLD)).items()}
    if "study_" in told:
        told["study_"] = read_study(told["study_"])
    if "model_" in state:
        told["model_"] = _model(state.pop("model_"))
    return state | told


def _skops() -> Any:
    try:
        import skops.io
    except ImportError:
        fix = 'Install it: pip install "autometa-ml[skops]".'
        raise InputError(Problem("skops", "is not installed", fix)) from None
    return skops.io


def _strange(types: list[str]) -> list[str]:
    """Those that no model of AutoMeta's holds."""
    return [name for name in types if name not in TRUSTED and not _is_own(name)]


def _is_own(name: str) -> bool:
    """Whether a learner's file defines it itself: what it merely imports is not meant."""
    module, _, last = name.rpartition(".")
    if not name.startswith(OWN) or "." in module.removeprefix(OWN) or find_spec(module) is None:
        return False
    found = getattr(importlib.import_module(module), last, None)
    return getattr(found, "__module__", "") == module


def _adapts(pipeline: Any) -> bool:
    """Whether a fitted pipeline ends in a learner of `autometa.adapting`."""
    last = getattr(getattr(pipeline, "model", pipeline), "steps", [("", None)])[-1][1]
    return type(last).__module__ == "autometa.adapting.face"


def _said_model(model: Model) -> dict[str, Any]:
    """A model without types of ours but learners."""
    said = {one.name: _text(getattr(model, one.name)) for one in fields(Model) if one.name != "members"}
    members = [
        {
            "number": member.number,
            "weight": member.weight,
            "calibration": _text(member.calibration),
            "models": [[_plain(one) for one in models] for models in member.models],
        }
        for member in model.members
    ]
    return {"model": said, "members": members}


def _model(said: dict[str, Any]) -> Model:
    """What `_said_model` said."""
    members = tuple(_member(one) for one in said["members"])
    return Model(**{name: _made(json.loads(text)) for name, text in said["model"].items()}, members=members)


def _member(said: dict[str, Any]) -> Member:
    """A member whose models are there already."""
    import pickle

    models = tuple([_made(one) for one in models] for models in said["models"])
    content = b"".join(pickle.dumps(one, protocol=5) for one in models)
    made = Member(said["number"], said["weight"], content, _made(json.loads(said["calibration"])))
    made._models = models
    return made


def _text(value: Any) -> str:
    """Records of ours as JSON: a file of skops takes long for many small things."""
    return json.dumps(_plain(value))


def _plain(value: Any) -> Any:
    """A value without types of ours but estimators: records as dictionaries under their name."""
    if is_dataclass(value) and not isinstance(value, type):
        own = {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
        return {"record": type(value).__name__, "fields": own}
    if isinstance(value, (tuple, frozenset)):
        return {"record": type(value).__name__, "fields": [_plain(one) for one in sorted(value, key=str)]
                if isinstance(value, frozenset) else [_plain(one) for one in value]}  # fmt: skip
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, pd.DataFrame):
        return {"record": "table", "fields": {str(name): _plain(value[name].tolist()) for name in value}}
    if isinstance(value, dict):
        return {"record": "dict", "fields": [[_plain(k), _plain(v)] for k, v in value.items()]}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return {"record": value.dtype.str, "fields": value.tolist()}
    return value


def _made(value: Any) -> Any:
    """What `_plain` made plain."""
    if isinstance(value, list):
        return [_made(one) for one in value]
    if not (isinstance(value, dict) and set(value) == {"record", "fields"}):
        return value
    name, own = value["record"], value["fields"]
    if name == "dict":
        return {_made(k): _made(v) for k, v in own}
    if name == "table":
        return pd.DataFrame({column: _made(cells) for column, cells in own.items()})
    if name in ("tuple", "frozenset"):
        return (tuple if name == "tuple" else frozenset)(_made(one) for one in own)
    if name[0] in "<>|=":
        return np.array(own, dtype=name)
    return RECORDS[name](**{key: _made(one) for key, one in own.items()})
