"""Do probabilities mean what they say? Predicted against observed rates of held-back rows, on twenty tables.

    python benchmarks/probabilities.py                      what is not in the results yet; may be stopped at any time
    python benchmarks/probabilities.py --quick              three tables at 5 s
    python benchmarks/probabilities.py --report             results/probabilities.md

Half of the rows (3,000 at most) are learned from, the other half (10,000 at most) judge. `autometa` has `--time`
seconds, one job, its default metric and the memory that ships, less the table's family; beside it stand a logistic
regression and LightGBM with their defaults, each calibrated by scikit-learn (`CalibratedClassifierCV`, isotonic from
1,000 rows on, Platt's below). The tables are real ones of families that are all different, drawn with a fixed seed and
never by result, every second one with a class below a tenth of the rows.

What an older version says is measured by the same program with that version in front: ``PYTHONPATH=../before python
benchmarks/probabilities.py --label before``.

Of the rarest class: *gap*, the mean probability less the share of the rows, and *ECE*, the expected calibration error
in 15 bins of equally many rows (of several classes, the mean over the classes). *Loss* is log loss, *base* that of
the shares alone.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.bench.results import read_lines

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "probabilities.jsonl"
SINGLE = ("logistic regression", "lightgbm")
MOST_TRAIN, MOST_TEST, BINS, RARE = 3_000, 10_000, 15, 0.1


def choose(catalog: Path, most: int) -> list[tuple[str, str]]:
    """Names and families of real tables, of 600 to 20,000 rows, no family twice; with rare classes and not, in turn."""
    with catalog.open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["origin"] == "real" and r["task"] != "regression"]
    rows = [r for r in rows if 600 <= int(r["n_rows"]) <= 20_000 and int(r["n_features"]) <= 100]
    rows = [r for r in rows if int(r["n_classes"]) <= 10 and float(r["minority_fraction"]) * int(r["n_rows"]) >= 20]
    rows.sort(key=lambda r: r["name"])
    random.Random(0).shuffle(rows)
    families: set[str] = set()
    chosen: list[tuple[str, str]] = []
    for turn in range(most):
        free = [r for r in rows if r["family"] not in families]
        wanted = [r for r in free if (float(r["minority_fraction"]) < RARE) == (turn % 2 == 0)]
        first = (wanted or free)[0]
        families.add(first["family"])
        chosen.append((first["name"], first["family"]))
    return chosen


def halves(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """To learn from, and to be judged by; every class in both, in its share."""
    from sklearn.model_selection import train_test_split

    frame = frame.assign(target=frame["target"].astype(str))
    train, test = train_test_split(frame, test_size=0.5, random_state=0, stratify=frame["target"])
    if len(train) > MOST_TRAIN:
        train, _ = train_test_split(train, train_size=MOST_TRAIN, random_state=0, stratify=train["target"])
    return train.reset_index(drop=True), test.iloc[:MOST_TEST].reset_index(drop=True)


def judged(y: NDArray[np.intp], p: NDArray[np.float64]) -> dict[str, float]:
    """Gap, calibration error, log loss and accuracy of probabilities (n, c) for classes (n,)."""
    c = p.shape[1]
    shares = np.bincount(y, minlength=c) / len(y)
    rarest = int(shares.argmin())
    errors = []
    for k in [rarest] if c == 2 else range(c):
        parts = np.array_split(np.argsort(p[:, k], kind="stable"), BINS)
        errors.append(sum(abs(p[part, k].sum() - (y[part] == k).sum()) for part in parts if len(part)) / len(y))
    own = np.clip(p[np.arange(len(y)), y], 1e-15, 1.0)
    return {
        "rate": float(shares[rarest]),
        "gap": float(p[:, rarest].mean() - shares[rarest]),
        "ece": float(np.mean(errors)),
        "loss": float(-np.log(own).mean()),
        "base": float(-(shares * np.log(shares)).sum()),
        "accuracy": float((p.argmax(axis=1) == y).mean()),
    }


def single(name: str, X: pd.DataFrame, y: NDArray[Any]) -> Any:
    """A model with its defaults, calibrated by scikit-learn."""
    from lightgbm import LGBMClassifier
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (OneHotEncoder(handle_unknown="ignore", min_frequency=5), make_column_selector(dtype_exclude="number")),
    )
    model = LogisticRegression(max_iter=1000) if name == SINGLE[0] else LGBMClassifier(verbose=-1, n_jobs=1)
    method = "isotonic" if len(y) >= 1000 else "sigmoid"
    return CalibratedClassifierCV(make_pipeline(columns, model), method=method, cv=5).fit(X, y)


def searched(X: pd.DataFrame, y: NDArray[Any], family: str, seconds: float) -> tuple[Any, int]:
    """The model of a search with the memory that ships, less the table's family, and the number of its trials."""
    from autometa.fitting import fit_table
    from autometa.search import Settings, load_model
    from autometa.store import Exclusion

    with tempfile.TemporaryDirectory() as folder:
        exclude = Exclusion(families=frozenset({family}))
        store = str(Path(folder) / "store.db")
        settings = Settings(seconds=seconds, jobs=1, remember=False, exclude=exclude, store=store)
        result = fit_table(X, y, kind="classification", settings=settings, run=Path(folder) / "run")
        return load_model(result.run), len(result.trials)


def cell(path: Path, family: str, method: str, seconds: float) -> dict[str, Any]:
    """One method on one table."""
    train, test = halves(pd.read_parquet(path))
    X, y = train.drop(columns="target"), train["target"].to_numpy()
    began = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if method in SINGLE:
            model = single(method, X, y)
        else:
            model, trials = searched(X, y, family, seconds)
        took = time.monotonic() - began
        p = model.predict_proba(test.drop(columns="target"))
    classes = model.classes_ if method in SINGLE else model.classes
    codes = np.searchsorted(np.asarray(classes, dtype=str), test["target"].to_numpy(dtype=str))
    trials = {} if method in SINGLE else {"trials": trials}
    return {"rows": len(train), "classes": p.shape[1], "seconds": round(took, 1), **trials, **judged(codes, p)}


def read() -> dict[tuple[str, str], dict[str, Any]]:
    """What was measured so far, by table and method."""
    return {(line["table"], line["method"]): line for line in read_lines(RESULTS)}


def report() -> str:
    """Markdown: means over the tables that every method has, and each table."""
    found = read()
    methods = list(dict.fromkeys(method for _, method in found))
    tables = [t for t in dict.fromkeys(t for t, _ in found) if all((t, m) in found for m in methods)]
    text = ["# probabilities.py", "", f"{len(tables)} tables, {', '.join(methods)}.", ""]
    text += ["| | mean gap | largest gap | ECE | log loss | accuracy |", "|---|---|---|---|---|---|"]
    for method in methods:
        own = [found[t, method] for t in tables]
        gaps = [abs(one["gap"]) for one in own]
        means = [f"{np.mean([one[name] for one in own]):.4f}" for name in ("ece", "loss", "accuracy")]
        text.append(f"| {method} | {np.mean(gaps):.4f} | {max(gaps):.4f} | {' | '.join(means)} |")
    best = [min(found[t, m]["ece"] for m in SINGLE) for t in tables if all((t, m) in found for m in SINGLE)]
    if best:
        text.append(f"| the better single one of each table | | | {np.mean(best):.4f} | | |")
    text += ["", "Gap and ECE of each table:", "", "| table | rows | classes | rate | " + " | ".join(methods) + " |"]
    text.append("|---" * (4 + len(methods)) + "|")
    for table in tables:
        one = found[table, methods[0]]
        cells = [f"{found[table, m]['gap']:+.4f}, {found[table, m]['ece']:.4f}" for m in methods]
        text.append(f"| {table} | {one['rows']} | {one['classes']} | {one['rate']:.3f} | {' | '.join(cells)} |")
    return "\n".join(text) + "\n"


def main() -> None:
    """Measures what is missing, or reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--tables", type=int, default=20)
    parser.add_argument("--time", type=float, default=15.0, help="seconds of a fit")
    parser.add_argument("--label", default="autometa", help="what the version that is measured is called")
    parser.add_argument("--quick", action="store_true", help="three tables at 5 s")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if options.report:
        RESULTS.with_suffix(".md").write_text(report(), encoding="utf-8")
        print(report())
        return
    tables, seconds = (3, 5.0) if options.quick else (options.tables, options.time)
    for table, family in choose(options.data / "catalog.csv", tables):
        for method in (options.label, *SINGLE):
            if (table, method) in read():
                continue
            found = {"table": table, "method": method, "time": seconds}
            found |= cell(options.data / "tabular" / f"{table}.parquet", family, method, seconds)
            print(json.dumps(found), flush=True)
            RESULTS.parent.mkdir(exist_ok=True)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
