"""Metrics of one's own: ``module:function``, as a scorer of scikit-learn or a function of truth and prediction.

A metric is known by its name alone, in every process and every later session, so it has to be importable. What
`make_scorer` made of an importable function is written with its keywords: ``sklearn.metrics:fbeta_score(beta=2)``;
``neg_`` before a name means that less is better.

Law: what a metric of one's own is given are the labels of the table, or its numbers, never codes; what it raises is
raised, and never counted as a score.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Literal

from autometa.errors import InputError, Problem
from autometa.evaluation.comparison import Comparison, Metric
from autometa.values import called

_NAME = re.compile(r"(neg_)?([A-Za-z_][\w.]*):([A-Za-z_][\w.]*)(\(.*\))?", re.DOTALL)
_FIX = "Put it at the top of a module, and say module:function, or hand over what is imported from there."


def is_custom(name: str) -> bool:
    """Whether a name is that of a metric of one's own.

    Example:
        >>> is_custom("my_metrics:profit"), is_custom("roc_auc")
        (True, False)
    """
    return isinstance(name, str) and _NAME.fullmatch(name.strip()) is not None


def name_of(metric: Any) -> str:
    """The name of a metric that is a function or a scorer; of text the text itself.

    Raises:
        InputError: It cannot be imported by a name, such as a lambda, or what stands in a notebook.

    Example:
        >>> from sklearn.metrics import fbeta_score, make_scorer
        >>> name_of(make_scorer(fbeta_score, beta=2)), name_of("f1")
        ('sklearn.metrics:fbeta_score(beta=2)', 'f1')
    """
    if metric is None or isinstance(metric, str):
        return metric  # type: ignore[return-value]
    function = getattr(metric, "_score_func", None)
    if function is not None and getattr(metric, "_sign", None) in (1, -1):
        from sklearn.metrics import get_scorer, get_scorer_names

        same = [known for known in get_scorer_names() if repr(get_scorer(known)) == repr(metric)]
        if same and get_scorer(same[0])._score_func is function:
            return same[0]
        keywords = dict(metric._kwargs)
        if getattr(metric, "_response_method", "predict") != "predict":
            keywords["response_method"] = metric._response_method
        try:
            readable = ast.literal_eval(repr(keywords)) == keywords
        except (ValueError, SyntaxError):
            readable = False
        if not readable:
            raise InputError(Problem("metric", f"{metric!r} has keywords that are no plain values", _FIX))
        said = ", ".join(f"{key}={value!r}" for key, value in keywords.items())
        return f"{'neg_' if metric._sign < 0 else ''}{_place(function)}{f'({said})' if said else ''}"
    if callable(metric):
        return _place(metric)
    raise InputError(Problem("metric", f"{metric!r} is neither a name nor a function", _FIX))


def _place(function: Any) -> str:
    """Where a function is imported from."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if module in (None, "__main__") or name is None or "<" in name:
        raise InputError(Problem("metric", f"{function!r} cannot be imported in the processes of trials", _FIX))
    short = module.split("._")[0]  # sklearn.metrics._classification -> sklearn.metrics
    for place in (short, module):
        if getattr(sys.modules.get(place), name, None) is function:
            return f"{place}:{name}"
    raise InputError(Problem("metric", f"{function!r} is not what {module}:{name} is", _FIX))


@cache
def custom_metric(name: str) -> Metric:
    """The metric that ``module:function`` names.

    Raises:
        InputError: There is no such module or function, or it takes neither truth and prediction nor a scorer's.

    Example:
        >>> found = custom_metric("sklearn.metrics:fbeta_score(beta=2, pos_label='yes')")
        >>> seen = Comparison([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], classes=("no", "yes"))
        >>> round(found.formula(seen), 4), found.needs
        (0.5556, 'label')
    """
    match = _NAME.fullmatch(name.strip())
    assert match is not None, name
    negated, module, path, arguments = match.groups()
    function = called("metric", f"{module}:{path}")
    keywords = _keywords(name, arguments)
    sign: Literal[1, -1] = -1 if negated else 1
    method = keywords.pop("response_method", None)
    scores = getattr(function, "_score_func", None) is not None
    if scores:
        sign, method = function._sign, method or function._response_method
    elif _positional(function) == 3:
        scores = True
    elif _positional(function) not in (2, None):
        what = f"{name} takes neither (y_true, y_pred) nor (estimator, X, y)"
        raise InputError(Problem("metric", what, "Write it as one of them."))
    formula = partial(_judged, function, keywords, method or "predict", sign, scores)
    by_label = (method or "predict") == "predict"
    kinds = frozenset(("binary", "multiclass", "regression"))
    return Metric(name, path, kinds, "label" if by_label else "probability", sign, formula)


def custom_takes_weights(name: str) -> bool:
    """Whether a metric of one's own takes `sample_weight`."""
    metric = custom_metric(name)
    function = metric.formula.args[0]  # type: ignore[attr-defined]
    function = getattr(function, "_score_func", function)
    return "sample_weight" in inspect.signature(function).parameters


def _keywords(name: str, arguments: str | None) -> dict[str, Any]:
    """The keywords behind a name."""
    if not arguments:
        return {}
    try:
        call = ast.parse(f"f{arguments}", mode="eval").body
        assert isinstance(call, ast.Call)
        assert not call.args
        return {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError, AssertionError) as error:
        what = f"{name}: what is in brackets are no keywords with plain values"
        raise InputError(Problem("metric", what, "Such as sklearn.metrics:fbeta_score(beta=2).")) from error


def _positional(function: Callable[..., Any]) -> int | None:
    """How many arguments have to be given by their places; None where that is not said."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in places and one.default is inspect.Parameter.empty for one in parameters)


def _judged(function: Any, keywords: dict[str, Any], method: Any, sign: int, scores: bool, seen: Comparison) -> float:
    """The score in the metric's own unit, of labels as they are in the table."""
    from autometa.evaluation.answers import LabelledAnswers

    answers = LabelledAnswers(seen.classes, seen.weights, len(seen.prediction))
    y = answers.labels(seen.y)
    counted: dict[str, Any] = {} if seen.sample_weight is None else {"sample_weight": seen.sample_weight}
    if scores:
        own = getattr(function, "_sign", sign)  # a scorer's score is larger where it is better
        return own * float(function(answers, seen.prediction, y, **counted))
    said = answers.predict(seen.prediction)
    if method != "predict":
        said = answers.predict_proba(seen.prediction)
        said = said[:, 1] if said.shape[1] == 2 else said
    return float(function(y, said, **keywords, **counted))
