"""The best pipeline of a run as a script that fits it again without AutoMeta.

    FOLDER/pipeline.py    the pipeline, the folds of the search again, and a fit on all rows
    FOLDER/table.parquet  the typed table of the run, with its target
    FOLDER/folds.npz      which rows each fold learned from, and which it predicted

Law: the score that the script prints is that of the trial's own out-of-fold predictions.

Letters:  n rows · c classes · k folds.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np

from autometa.errors import InputError, Problem, RunError
from autometa.evaluation.fitted import wished
from autometa.export.sources import Sources
from autometa.families import FAMILIES, FEATURES, QUICK, REGISTRY, build, makes_features
from autometa.files import replace, whole
from autometa.search import Result, Run, TrialRow, leaderboard
from autometa.space import FAMILY
from autometa.task import Task, label_array

# Of a metric: the function of sklearn.metrics, and how the score is told from y, p (n, c) or values p (n,).
SCORES = {
    "roc_auc": ("roc_auc_score", "roc_auc_score(y, p[:, 1])"),
    "average_precision": ("average_precision_score", "average_precision_score(y == POSITIVE, p[:, POSITIVE])"),
    "neg_log_loss": ("log_loss", "-log_loss(y, p, labels=range(len(CLASSES)))"),
    "accuracy": ("accuracy_score", "accuracy_score(y, p.argmax(axis=1))"),
    "balanced_accuracy": ("balanced_accuracy_score", "balanced_accuracy_score(y, p.argmax(axis=1))"),
    "f1": ("f1_score", "f1_score(y, p.argmax(axis=1), pos_label=POSITIVE)"),
    "f1_macro": ("f1_score", "f1_score(y, p.argmax(axis=1), average='macro')"),
    "neg_root_mean_squared_error": ("root_mean_squared_error", "-root_mean_squared_error(y, p)"),
    "neg_mean_absolute_error": ("mean_absolute_error", "-mean_absolute_error(y, p)"),
    "r2": ("r2_score", "r2_score(y, p)"),
}
USUAL = {"binary": "roc_auc", "multiclass": "neg_log_loss", "regression": "neg_root_mean_squared_error"}


def write_script(result: Result, folder: Path, trial: int | None = None, *, trusted: bool = False) -> list[Path]:
    """Writes a pipeline of a run as a script, beside what it needs.

    Args:
        result: The run.
        folder: Where to, made if it is not there.
        trial: Number of the trial; None for the best.
        trusted: As `autometa.search.open_run`.

    Raises:
        InputError: There is no such trial with a score, or the folder holds something else.
        RunError: Its pipeline cannot be written as a script.

    See Also:
        `export`.
    """
    row = _trial(result, trial)
    check_folder(folder, "pipeline.py")
    run = Run.open(result.run, trusted=trusted)
    source = script(result, row, run)
    folder.mkdir(parents=True, exist_ok=True)
    task = result.task
    target = np.asarray(task.y) if task.kind == "regression" else label_array(task.classes)[np.asarray(task.y)]
    with whole(folder / "table.parquet") as temporary:
        task.X.assign(**{task.target: target}).to_parquet(temporary)
    with whole(folder / "folds.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, train=run.splits.train, test=run.splits.test)
    replace(folder / "pipeline.py", source.encode())
    return [folder / name for name in ("pipeline.py", "table.parquet", "folds.npz")]


def check_folder(folder: Path, mark: str) -> None:
    """Refuses a folder to write to that holds something else than what was written there before, which `mark` shows.

    Raises:
        InputError: It does.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / mark).exists())):
        raise InputError(Problem("--out", f"{folder} is not an empty folder", "Name a new one."))


def _trial(result: Result, trial: int | None) -> TrialRow:
    rows = leaderboard(result.trials, result.task.metric)
    if trial is None:
        return rows[0]
    found = next((row for row in rows if row.number == trial), None)
    if found is None:
        known = ", ".join(str(row.number) for row in rows[:20])
        raise InputError(Problem("--trial", f"{trial} is no trial with a score", f"These have one: {known}."))
    return found


def script(result: Result, row: TrialRow, run: Run) -> str:
    """The source of the script."""
    task, config = result.task, row.evaluation.config
    family = config[FAMILY]
    if family == QUICK:
        raise RunError("the quick linear model is no scikit-learn pipeline: give the search more time")
    if family not in FAMILIES or family in REGISTRY.of_one_search:
        what = f"trial {row.number} is of {family}, which a script without AutoMeta does not have"
        raise RunError(f"{what}: choose another with --trial")
    if task.weights is not None:
        raise RunError("the pipeline learned with weights of rows, which the script does not know")
    if makes_features(config):
        fix = "choose another with --trial, or fit again with --exportable"
        raise RunError(f"the pipeline makes columns of its own ({FEATURES}), which the script does not know: {fix}")
    sources = Sources()
    seed, n = result.settings.seed, int(run.splits.train.sum(axis=1).mean())
    pipeline = build(config, task.columns, task.kind, n_rows=n, seed=seed, threads=1, **wished(task))
    steps, fitting = _steps(pipeline, sources, len(task.columns.categorical), task)
    metric = task.metric if task.metric in SCORES else USUAL[task.kind]
    function, how = SCORES[metric]
    sources.imports[function] = f"from sklearn.metrics import {function}"
    for line in (
        "import sys",
        "from pathlib import Path",
        "import joblib",
        "import numpy as np",
        "import pandas as pd",
    ):
        sources.imports[line] = line
    sources.imports["Pipeline"] = "from sklearn.pipeline import Pipeline"
    options = sources.options_line()
    copies = "\n\n\n".join(source for source in sources.copies.values() if source)
    of_rows = "" if row.evaluation.rows >= task.n else f" (there it learned from {row.evaluation.rows:,} rows only)"
    values: dict[str, Any] = {
        "label": FAMILIES[family].label,
        "trial": row.number,
        "target": task.target,
        "needs": " ".join(_versions(sources)),
        "imports": "\n".join(sources.import_lines()),
        "constants": _constants(task, metric),
        "steps": ",\n".join(f"            {one}" for one in steps),
        "fitting": fitting,
        "how": how,
        "expected": _expected(task, row, run, how),
        "of_rows": of_rows,
        "copies": "\n\n".join(part for part in (options, copies) if part),
    }
    text = _SCRIPT.replace("@prediction@", _PREDICTION["regression" if task.kind == "regression" else "classes"])
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text.replace("\n\n\n\n", "\n\n\n").rstrip() + "\n"


def _steps(pipeline: Any, sources: Sources, categorical: int, task: Task) -> tuple[list[str], str]:
    """The steps as source, and what the fit is told besides: the library's own learner where it fits the same."""
    *before, (name, learner) = pipeline.steps
    steps = [f"({one!r}, {sources.expression(part)})" for one, part in before]
    fitting = ""
    kind = type(learner).__name__
    if kind == "LogisticRegressionUpToACap":
        steps.append(f"({name!r}, {sources.expression(_logistic(learner))})")
    elif kind.startswith("Boosting") and not learner.early_stop and (own := _boosted(learner, task)) is not None:
        steps.append(f"({name!r}, {sources.expression(own)})")
        if categorical:
            fitting = f", model__categorical_feature={list(range(categorical))}"
    elif kind.startswith("Truncatable"):
        import sklearn.ensemble

        plain = getattr(sklearn.ensemble, kind.removeprefix("Truncatable"))
        steps.append(f"({name!r}, {sources.expression(plain(**learner.get_params(deep=False)))})")
    else:
        steps.append(f"({name!r}, {sources.expression(learner)})")
    return steps, fitting


def _logistic(learner: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    from autometa.families.options import OPTIONS

    options = OPTIONS.linear
    how: dict[str, Any] = {"max_iter": options.logistic_steps}
    if learner.l1_ratio:
        how = {"solver": "saga", "max_iter": options.elastic_logistic_passes, "tol": options.tolerance}
    return LogisticRegression(
        C=learner.C, l1_ratio=learner.l1_ratio, class_weight=learner.class_weight, random_state=learner.seed, **how
    )


def _boosted(learner: Any, task: Task) -> Any:
    """LightGBM's own face; None of another library, which takes more than parameters."""
    if not learner.train.__module__.endswith(".lightgbm") or "monotonic" in learner.parameters:
        return None
    import lightgbm

    face = lightgbm.LGBMRegressor if task.kind == "regression" else lightgbm.LGBMClassifier
    return face(n_estimators=learner.rounds, **learner.parameters)


def _versions(sources: Sources) -> list[str]:
    """The packages, as pip takes them."""
    modules = {line.split()[1].split(".")[0] for line in sources.imports.values()}
    text = "\n".join(sources.copies.values())
    modules |= {name for name in ("lightgbm", "xgboost", "catboost", "torch") if f"import {name}" in text}
    known = importlib.metadata.packages_distributions()
    found = {known[name][0] for name in modules | {"pyarrow"} if name in known}
    return sorted(f"{name}=={importlib.metadata.version(name)}" for name in found)


def _constants(task: Task, metric: str) -> str:
    lines = [f"TARGET = {task.target!r}", f"METRIC = {metric!r}"]
    after = "  # rows; those of the validation table come after" if task.validation else ""
    lines.append(f"LEARNED = {task.n_learned}{after}")
    if task.kind != "regression":
        lines.append(f"CLASSES = {[one.item() if hasattr(one, 'item') else one for one in task.classes]!r}")
    if task.kind == "binary":
        lines.append(f"POSITIVE = {task.positive}")
    return "\n".join(lines)


def _expected(task: Task, row: TrialRow, run: Run, how: str) -> str:
    """The score of the trial's own predictions; "None" where they are not there any more."""
    import sklearn.metrics

    oof = run.oof(row.number)
    if oof is None:
        return "None"
    if oof.ndim == (1 if task.kind == "regression" else 2):
        oof = np.repeat(oof[np.newaxis], int(run.splits.test.sum(axis=0).max()), axis=0)
    known = {"POSITIVE": task.positive, "CLASSES": task.classes, "range": range, "len": len}
    known |= {name: getattr(sklearn.metrics, name) for name, _ in SCORES.values()}
    scores = [
        eval(how, {"__builtins__": {}}, known | {"y": np.asarray(task.y)[test], "p": p})
        for (_, test), p in zip(run.splits, run.splits.by_fold(oof), strict=True)
    ]
    return repr(float(np.mean(scores)))


_PREDICTION = {
    "classes": '''def predict(model, known, X):
    """Probabilities (n, c) of all CLASSES, of which the model knows some."""
    p = np.zeros((len(X), len(CLASSES)))
    p[:, known] = model.predict_proba(X)
    return p / p.sum(axis=1, keepdims=True)


def fitted(X, y):
    """The pipeline, and the codes of the classes that it knows."""
    known, codes = np.unique(y, return_inverse=True)
    return build(len(y)).fit(X, codes@fitting@), known


def target_of(table):
    """The target as places in CLASSES."""
    return table[TARGET].map(CLASSES.index).to_numpy()''',
    "regression": '''def predict(model, known, X):
    """Values (n,), not further beyond the known targets than half of their range."""
    low, high = known
    return np.clip(np.ravel(model.predict(X)), low - (high - low) / 2, high + (high - low) / 2)


def fitted(X, y):
    """The pipeline, and the range of the targets that it knows."""
    return build(len(y)).fit(X, y@fitting@), (y.min(), y.max())


def target_of(table):
    """The target."""
    return table[TARGET].to_numpy(float)''',
}

_SCRIPT = '''"""@label@ for @target@: trial @trial@ of an AutoMeta run, as it can be fitted again without AutoMeta.

    python pipeline.py                 the folds of the search again, and the score
    python pipeline.py model.joblib    and the pipeline fitted on all rows, in a file that joblib reads

table.parquet holds the columns as AutoMeta read them, and folds.npz the rows of each fold. It was written with
@needs@
"""

from __future__ import annotations

@imports@

HERE = Path(__file__).resolve().parent
@constants@
EXPECTED = @expected@  # what the search found, before probabilities were calibrated@of_rows@


def build(n_rows):
    """The pipeline, unfitted."""
    return Pipeline(
        [
@steps@
        ]
    )


@prediction@


def score(y, p):
    """Larger is better."""
    return @how@


def main():
    """Scores the pipeline on the folds of the search; with a name, fits it on all rows into a file."""
    table = pd.read_parquet(HERE / "table.parquet")
    X, y, folds = table.drop(columns=TARGET), target_of(table), np.load(HERE / "folds.npz")
    scores = []
    for train, test in zip(folds["train"], folds["test"]):
        model, known = fitted(X[train], y[train])
        scores.append(score(y[test], predict(model, known, X[test])))
    print(f"{METRIC}: {np.mean(scores):.12g} (the search found {EXPECTED})")
    if len(sys.argv) > 1:
        joblib.dump(fitted(X[:LEARNED], y[:LEARNED])[0], sys.argv[1])


# ------------------------------------------------------------------- what of AutoMeta (BSD-3-Clause) the pipeline uses

@copies@


if __name__ == "__main__":
    main()
'''
