"""Is shipped experience in a library's own words worth more than an empty start, and than what others ship?

    python benchmarks/libraries.py                                   every cell; may be stopped and started again
    python benchmarks/libraries.py --libraries svm --tables 4 --trials 10
    python benchmarks/libraries.py --report                          results/libraries.md from what was measured

A study tunes one library's own parameters, in ranges as people write them, on a real table (../shared/data: 300 to
3,000 rows, at most 30 columns and 4 classes, sampled down to 600 rows, each of a family of its own, none of those on
which the design was chosen): three folds, ROC AUC for two classes, log loss for more, root mean squared error for
numbers. Methods:

    warm      `WarmStartSampler("shipped", space=LIBRARY, task=(X, y))`, whose memory is without the table's family
    defaults  TPE, after `enqueue_trial` of the library's defaults, clipped into the ranges; only if asked for
    tpe       Optuna's TPE as it comes
    flaml     first FLAML's zero-shot configuration as it stands (at most 3,000 rounds), which TPE is then told
    tuner     Optuna's `LightGBMTunerCV` on the same folds: its own steps, with 100 rounds at a learning rate of 0.1

`flaml` and `tuner` need the packages flaml and optuna-integration, which nothing else here does; without them they are
left out. Reported is the regret of the incumbent after 1, 3, 5, 10 and 25 trials, 0 the best that any method found on
the table, 1 the median of TPE's first ten trials, which are random; means with bootstrap intervals over tables, and
Wilcoxon's test of `warm` against each other method (Holm over methods and trials). A method that is not yet measured on
all tables of a library is left out of its report.

Letters:  t tables · n rows.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import time
import warnings
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold

from autometa.bench.ranking import holm
from autometa.bench.results import read_lines
from autometa.sampler import WarmStartSampler
from autometa.store import Exclusion

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RESULTS = Path(__file__).resolve().parent / "results"
AT = (1, 3, 5, 10, 25)
ROWS = 600  # of a table, at most
EACH = {"binary": 7, "multiclass": 7, "regression": 6}  # tables
METHODS = ("warm", "defaults", "tpe", "flaml", "tuner")
SEED = 5  # of the tables, their samples and their folds
RANDOM = 10  # first trials of TPE
TOGETHER = "all libraries together"
# On these it was chosen that boosted trees learn from LightGBM's evaluations and random forests from extra trees', and
# that configurations of one table alone count too.
CHOSEN_ON = (
    "aer_CreditCard", "wholesale-region", "lungcancer_shedden", "breast-w", "wine-quality-red",
    "concrete_compressive_strength", "ilpd", "ecoli", "cps_85_wages", "anes96_vote", "eucalyptus", "solar_flare_regr",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One library on one table."""

    library: str
    table: str
    kind: str
    family: str

    @property
    def seed(self) -> int:
        """The same for every method."""
        return zlib.crc32(f"{self.library} {self.table}".encode()) % 2**31

    @property
    def direction(self) -> str:
        """Of the study."""
        return "maximize" if self.kind == "binary" else "minimize"

    @cached_property
    def data(self) -> tuple[pd.DataFrame, NDArray[Any]]:
        """At most `ROWS` rows, with the target as codes or values."""
        frame = pd.read_parquet(DATA / "tabular" / f"{self.table}.parquet").dropna(subset=["target"])
        y = frame.pop("target")
        frame = frame.dropna(axis=1, how="all")
        codes = y.to_numpy(float) if self.kind == "regression" else pd.factorize(y, sort=True)[0]
        if self.kind != "regression":
            common = np.flatnonzero(np.bincount(codes) >= 12)  # every class is in every fold
            keep = np.isin(codes, common)
            frame, codes = frame[keep], np.unique(codes[keep], return_inverse=True)[1]
        rows = np.random.default_rng(SEED).permutation(len(codes))[:ROWS]
        codes = codes[rows] if self.kind == "regression" else np.unique(codes[rows], return_inverse=True)[1]
        return frame.iloc[rows].reset_index(drop=True), codes

    @cached_property
    def folds(self) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Three, of the rows."""
        X, y = self.data
        splits = KFold(3, shuffle=True, random_state=SEED)
        if self.kind != "regression":
            splits = StratifiedKFold(3, shuffle=True, random_state=SEED)
        return list(splits.split(X, y))

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """What the learner sees: categories as codes, for kernels as columns and everything standardised."""
        X, _ = self.data
        nominal = [c for c in X if not pd.api.types.is_numeric_dtype(X[c]) or pd.api.types.is_bool_dtype(X[c])]
        numbers = X.drop(columns=nominal).astype(float)
        if self.library not in ("svm", "sklearn_mlp"):
            codes = [pd.factorize(X[c].astype(str).where(X[c].notna()), sort=True)[0].astype(float) for c in nominal]
            return np.column_stack([numbers.to_numpy(), *(np.where(c < 0, np.nan, c) for c in codes)])
        shown = [pd.get_dummies(X[c].astype(str)).iloc[:, :30].astype(float) for c in nominal]
        wide = pd.concat([numbers.fillna(numbers.median()), *shown], axis=1).to_numpy(float)
        spread = wide.std(axis=0)
        return (wide[:, spread > 0] - wide[:, spread > 0].mean(axis=0)) / spread[spread > 0]

    def score(self, make: Callable[[], Any]) -> float:
        """The mean over the folds of what `make()` predicts."""
        from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error

        X, y, found = self.matrix, self.data[1], []
        for train, test in self.folds:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = make().fit(X[train], y[train])
                if self.kind == "regression":
                    found.append(root_mean_squared_error(y[test], model.predict(X[test])))
                elif self.kind == "binary":
                    decided = hasattr(model, "decision_function") and not hasattr(model, "predict_proba")
                    p = model.decision_function(X[test]) if decided else model.predict_proba(X[test])[:, 1]
                    found.append(roc_auc_score(y[test], p))
                else:
                    found.append(log_loss(y[test], model.predict_proba(X[test]), labels=np.unique(y)))
        return float(np.mean(found))

    def worth(self, parameters: dict[str, Any]) -> float:
        """Of a configuration under scikit-learn's names."""
        return self.score(lambda: MAKERS[self.library](self.kind, dict(parameters)))


# the learners, and what people tune of them --------------------------------------------------------------------------


def _lightgbm(kind: str, parameters: dict[str, Any]) -> Any:
    import lightgbm

    learner = lightgbm.LGBMRegressor if kind == "regression" else lightgbm.LGBMClassifier
    return learner(**{"subsample_freq": 1, "n_jobs": 1, "random_state": 0, "verbosity": -1} | parameters)


def _xgboost(kind: str, parameters: dict[str, Any]) -> Any:
    import xgboost

    learner = xgboost.XGBRegressor if kind == "regression" else xgboost.XGBClassifier
    return learner(**{"n_jobs": 1, "random_state": 0, "verbosity": 0} | parameters)


def _random_forest(kind: str, parameters: dict[str, Any]) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    learner = RandomForestRegressor if kind == "regression" else RandomForestClassifier
    return learner(**{"n_estimators": 50, "n_jobs": 1, "random_state": 0} | parameters)


def _svm(kind: str, parameters: dict[str, Any]) -> Any:
    from sklearn.svm import SVC, SVR

    if kind == "regression":
        return SVR(max_iter=50_000, **parameters)
    return SVC(max_iter=50_000, probability=kind == "multiclass", random_state=0, **parameters)


def _sklearn_mlp(kind: str, parameters: dict[str, Any]) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    learner = MLPRegressor if kind == "regression" else MLPClassifier
    layers = (parameters.pop("n_units"),) * parameters.pop("n_layers")
    return learner(hidden_layer_sizes=layers, max_iter=60, early_stopping=True, random_state=0, **parameters)


MAKERS = {
    "lightgbm": _lightgbm,
    "xgboost": _xgboost,
    "random_forest": _random_forest,
    "svm": _svm,
    "sklearn_mlp": _sklearn_mlp,
}
# scikit-learn's name -> the name that the objective asks for, its distribution, and the library's default.
_real, _whole = optuna.distributions.FloatDistribution, optuna.distributions.IntDistribution
SPACES: dict[str, dict[str, tuple[str, optuna.distributions.BaseDistribution, Any]]] = {
    "lightgbm": {
        "n_estimators": ("num_boost_round", _whole(20, 200), 100),
        "learning_rate": ("learning_rate", _real(0.01, 0.3, log=True), 0.1),
        "num_leaves": ("num_leaves", _whole(4, 64, log=True), 31),
        "min_child_samples": ("min_data_in_leaf", _whole(5, 100), 20),
        "subsample": ("bagging_fraction", _real(0.5, 1.0), 1.0),
        "colsample_bytree": ("feature_fraction", _real(0.4, 1.0), 1.0),
        "reg_alpha": ("lambda_l1", _real(1e-8, 10.0, log=True), 0.0),
        "reg_lambda": ("lambda_l2", _real(1e-8, 10.0, log=True), 0.0),
    },
    "xgboost": {
        "n_estimators": ("num_boost_round", _whole(20, 200), 100),
        "learning_rate": ("eta", _real(0.01, 0.3, log=True), 0.3),
        "max_depth": ("max_depth", _whole(2, 9), 6),
        "min_child_weight": ("min_child_weight", _real(0.5, 20.0, log=True), 1.0),
        "subsample": ("subsample", _real(0.5, 1.0), 1.0),
        "colsample_bytree": ("colsample_bytree", _real(0.4, 1.0), 1.0),
        "reg_lambda": ("lambda", _real(1e-3, 10.0, log=True), 1.0),
        "reg_alpha": ("alpha", _real(1e-8, 10.0, log=True), 0.0),
        "gamma": ("gamma", _real(1e-8, 5.0, log=True), 0.0),
    },
    "random_forest": {
        "max_depth": ("rf_max_depth", _whole(3, 30), 30),
        "max_features": ("rf_max_features", _real(0.1, 1.0), None),
        "min_samples_leaf": ("rf_min_samples_leaf", _whole(1, 20, log=True), 1),
        "min_samples_split": ("rf_min_samples_split", _whole(2, 20, log=True), 2),
        "max_samples": ("rf_max_samples", _real(0.4, 1.0), 1.0),
    },
    "svm": {"C": ("C", _real(1e-2, 1e3, log=True), 1.0), "gamma": ("gamma", _real(1e-4, 10.0, log=True), None)},
    "sklearn_mlp": {
        "n_layers": ("n_layers", _whole(1, 3), 1),
        "n_units": ("n_units", _whole(16, 128, log=True), 100),
        "learning_rate_init": ("learning_rate_init", _real(1e-4, 1e-1, log=True), 1e-3),
        "alpha": ("alpha", _real(1e-6, 1e-1, log=True), 1e-4),
    },
}


def objective(cell: Cell) -> Callable[[optuna.Trial], float]:
    """What a person would write."""

    def value(trial: optuna.Trial) -> float:
        asked = {own: trial._suggest(name, d) for own, (name, d, _) in SPACES[cell.library].items()}
        return cell.worth(asked)

    return value


def into(cell: Cell, parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters under scikit-learn's names in the objective's names and ranges; what it lacks is missing."""
    space, out = SPACES[cell.library], {}
    for own, value in parameters.items():
        if own in space and isinstance(value, (int, float)):
            name, d, _ = space[own]
            out[name] = min(max(value, d.low), d.high)  # type: ignore[attr-defined]
    return out


def defaults(cell: Cell) -> dict[str, Any]:
    """The library's defaults in the objective's names and ranges."""
    columns = cell.matrix.shape[1]
    told = {own: default for own, (_, _, default) in SPACES[cell.library].items()}
    if cell.library == "svm":
        told["gamma"] = 1.0 / columns
    if cell.library == "random_forest":
        told["max_features"] = 1.0 if cell.kind == "regression" else columns**-0.5
    return into(cell, told)


# the methods ----------------------------------------------------------------------------------------------------------


def run(cell: Cell, method: str, trials: int) -> list[float]:
    """The values of a study's trials, in order."""
    tpe = optuna.samplers.TPESampler(seed=cell.seed)
    if method == "tuner":
        return tuner(cell, trials)
    if method == "warm":
        exclude = Exclusion(families=frozenset({cell.family}))
        task = _task(cell)
        tpe = WarmStartSampler("shipped", space=cell.library, task=task, exclude=exclude, seed=cell.seed)
    study = optuna.create_study(direction=cell.direction, sampler=tpe)
    if method == "defaults":
        study.enqueue_trial(defaults(cell))
    if method == "flaml":
        study.add_trial(zero_shot(cell))
    study.optimize(objective(cell), trials - len(study.trials) * (method == "flaml"))
    return [float(trial.value) for trial in study.trials if trial.value is not None]


def _task(cell: Cell) -> Any:
    """What a person would hand over."""
    X, y = cell.data
    if cell.library in ("svm", "sklearn_mlp"):
        X = pd.DataFrame(cell.matrix, columns=[f"x{i}" for i in range(cell.matrix.shape[1])])
    return X, (y if cell.kind == "regression" else y.astype(str))


def zero_shot(cell: Cell) -> optuna.trial.FrozenTrial:
    """FLAML's configuration as a finished trial: its value as it stands, its parameters as the space has them."""
    from flaml.default import suggest_hyperparams

    names = {"lightgbm": "lgbm", "xgboost": "xgb_limitdepth"}
    X, y = cell.data
    kind = "regression" if cell.kind == "regression" else "classification"
    told, *_ = suggest_hyperparams(kind, X, pd.Series(y), names[cell.library])
    silent = ("verbose", "verbosity", "random_state", "n_jobs")
    told = {name: value for name, value in told.items() if name not in silent}
    told["n_estimators"] = min(told.get("n_estimators", 100), 3000)
    value = cell.worth({"subsample_freq": 0, **told} if cell.library == "lightgbm" else told)
    params = defaults(cell) | into(cell, told)
    kinds = {name: d for name, d, _ in SPACES[cell.library].values()}
    return optuna.trial.create_trial(value=value, params=params, distributions=kinds)


def tuner(cell: Cell, trials: int) -> list[float]:
    """The first trials of `LightGBMTunerCV`; its steps are 68 trials in all."""
    import lightgbm
    from optuna_integration.lightgbm import LightGBMTunerCV

    X, y = cell.matrix, cell.data[1]
    told = {
        "binary": {"objective": "binary", "metric": "auc"},
        "multiclass": {"objective": "multiclass", "metric": "multi_logloss", "num_class": int(np.max(y)) + 1},
        "regression": {"objective": "regression", "metric": "rmse"},
    }[cell.kind]
    told = told | {"verbosity": -1, "num_threads": 1, "deterministic": True}
    study = optuna.create_study(direction=cell.direction)

    def enough(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if len(study.trials) >= trials:
            raise _EnoughTrials

    tuning = LightGBMTunerCV(
        told, lightgbm.Dataset(X, y, free_raw_data=False), num_boost_round=100, folds=cell.folds, study=study,
        optuna_seed=cell.seed, show_progress_bar=False, optuna_callbacks=[enough],
    )  # fmt: skip
    with contextlib.suppress(_EnoughTrials):
        tuning.run()
    return [float(trial.value) for trial in study.trials if trial.value is not None][:trials]


class _EnoughTrials(Exception):
    """The tuner knows no number of trials."""


# what is measured, and what is said of it -----------------------------------------------------------------------------


def cells(libraries: list[str], most: int | None, validation: bool) -> Iterator[Cell]:
    """The tables in an order of their own, one kind after another; all libraries on each."""
    catalog = pd.read_csv(DATA / "catalog.csv")
    catalog = catalog.assign(order=[zlib.crc32(f"{SEED} {family}".encode()) for family in catalog.family])
    known = catalog.family.isin(catalog.family[catalog["name"].isin(CHOSEN_ON)])
    if validation:
        catalog = catalog[catalog["name"].isin(CHOSEN_ON)]
    else:
        fits = catalog.n_rows.between(300, 3000) & catalog.n_features.between(4, 30) & ~(catalog.n_classes > 4)
        catalog = catalog[fits & (catalog.origin == "real") & ~known]
    kinds = []
    for kind, count in EACH.items():
        own: pd.DataFrame = catalog[catalog.task == kind].sort_values(["order", "name"]).drop_duplicates("family")
        kinds.append([(row["name"], kind, row["family"]) for _, row in own.head(count).iterrows()])
    by_turns = [row for place in range(max(EACH.values())) for kind in kinds for row in kind[place : place + 1]]
    for table, kind, family in by_turns[:most]:
        for library in libraries:
            yield Cell(library, table, kind, family)


def able(cell: Cell, method: str) -> bool:
    """Whether a method knows the library, and is installed."""
    if method == "flaml":
        return cell.library in ("lightgbm", "xgboost") and _installed("flaml")
    if method == "tuner":
        return cell.library == "lightgbm" and _installed("optuna-integration")
    return True


def _installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def regrets(lines: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, NDArray[np.float64]]]]:
    """Library -> method -> table -> regret of the incumbent after each trial."""
    runs: dict[tuple[str, str], dict[str, NDArray[np.float64]]] = defaultdict(dict)
    for line in lines:
        sign = 1.0 if line["kind"] == "binary" else -1.0
        runs[line["library"], line["table"]][line["method"]] = sign * np.array(line["values"])
    out: dict[str, dict[str, dict[str, NDArray[np.float64]]]] = defaultdict(lambda: defaultdict(dict))
    for (library, table), methods in runs.items():
        if "tpe" not in methods:
            continue
        best, usual = max(map(np.max, methods.values())), np.median(methods["tpe"][:RANDOM])
        for method, values in methods.items():
            regret = (best - np.maximum.accumulate(values)) / max(best - usual, 1e-12)
            out[library][method][table] = regret
            if method in ("warm", "tpe"):
                out[TOGETHER][method][f"{library} on {table}"] = regret
    return dict(sorted(out.items(), key=lambda one: one[0] == TOGETHER))


def report(lines: list[dict[str, Any]]) -> str:
    """The tables, as Markdown."""
    from scipy.stats import wilcoxon

    out = [
        "# Shipped experience in the words of the libraries\n",
        "By `python benchmarks/libraries.py`. Mean regret of the incumbent [95 %] over tables, 0 the best that any",
        "method found there, 1 the median of TPE's ten random trials; * differs from `warm` (Wilcoxon, Holm",
        "over methods and trials, p < .05). The shipped memory is without the family of the table.\n",
    ]
    for library, methods in regrets(lines).items():
        tables = sorted(set(methods.get("warm", ())) & set(methods.get("tpe", ())))
        methods = {name: runs for name, runs in methods.items() if set(tables) <= set(runs)}
        at = [t for t in AT if tables and t <= min(len(runs[name]) for runs in methods.values() for name in tables)]
        if len(tables) < 2:
            continue
        found = {m: np.array([[runs[name][a - 1] for a in at] for name in tables]) for m, runs in methods.items()}
        pairs = [(m, k) for m in found if m != "warm" for k in range(len(at))] if "warm" in found else []
        p = [float(wilcoxon(found["warm"][:, k], found[m][:, k], zero_method="zsplit").pvalue) for m, k in pairs]
        apart = {pair for pair, value in zip(pairs, holm(p) if p else [], strict=True) if value < 0.05}
        of = "pairs of a library and a table" if library == TOGETHER else f"of {sum(EACH.values())} tables"
        out += [f"## {library}: {len(tables)} {of}", "", "| after trials | " + " | ".join(map(str, at)) + " |"]
        out.append("|---|" + "---|" * len(at))
        for method in [m for m in METHODS if m in found]:
            columns = found[method].T
            row = [f"{c.mean():.2f}{'*' * ((method, k) in apart)} {interval(c)}" for k, c in enumerate(columns)]
            out.append(f"| {method} | " + " | ".join(row) + " |")
        if {"warm", "tpe"} <= set(found):
            for says, sign in (("ahead of", 1.0), ("behind", -1.0)):
                better = (sign * (found["tpe"] - found["warm"]) > 1e-9).mean(axis=0)
                out.append(f"| warm {says} tpe | " + " | ".join(f"{b:.0%}" for b in better) + " |")
        out.append("")
    return "\n".join(out)


def interval(values: NDArray[np.float64]) -> str:
    """The 95 % bootstrap interval of a mean."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(2000, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"[{low:.2f}, {high:.2f}]"


def main() -> None:
    """Measures what is not measured yet, and writes the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "--libraries", nargs="+", choices=list(SPACES), default=["lightgbm", "xgboost", "svm", "random_forest"]
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["warm", "tpe", "flaml", "tuner"])
    parser.add_argument("--tables", type=int, default=None, help="the first so many; all twenty by default")
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--validation", action="store_true", help="other tables, on which constants are chosen")
    parser.add_argument("--out", default="libraries", help="name of the files in results/")
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    path = RESULTS / f"{arguments.out}.jsonl"
    lines = read_lines(path) if path.exists() else []
    known = {(line["library"], line["table"], line["method"]) for line in lines}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore")
    for cell in () if arguments.report else cells(arguments.libraries, arguments.tables, arguments.validation):
        for method in arguments.methods:
            if (cell.library, cell.table, method) in known or not able(cell, method):
                continue
            began = time.perf_counter()
            values = run(cell, method, arguments.trials)
            line = {
                "library": cell.library, "table": cell.table, "kind": cell.kind, "family": cell.family,
                "method": method, "values": values, "seconds": round(time.perf_counter() - began, 1), **stamp(),
            }  # fmt: skip
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(
                f"{cell.library} {cell.table} {method}: {values[0]:.4g} {values[-1]:.4g} {line['seconds']} s",
                flush=True,
            )
    text = report(read_lines(path))
    path.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
    print(text)


def stamp() -> dict[str, Any]:
    """What every line says of where it was measured."""
    names = ("autometa-ml", "optuna", "lightgbm", "xgboost-cpu", "scikit-learn")
    return {"versions": {name: version(name) for name in names}, "python": platform.python_version()}


if __name__ == "__main__":
    main()
