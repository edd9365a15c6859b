"""Is the Gaussian process as good as boosting, forests and support vectors on regression tables, and how fast is it?

    python benchmarks/gaussian_process.py             judges; what is measured is never repeated
    python benchmarks/gaussian_process.py --quick     every sixth table
    python benchmarks/gaussian_process.py --report    results/gaussian_process.md

Every regression table whose family is not one of `warm_start_validation.txt` (on those the process was built), cut to
at most `--rows` rows, of which 80 % learn and 20 % judge; all methods with the defaults of `fit` on one thread, and
*library* is scikit-learn's process as `fit` had it before (Gaussian kernel with one length scale and noise, learned on
500 rows, exact, up to 3,000 rows). Loss is RMSE over that of a constant. Ratios are geometric means over families,
intervals bootstraps over them, p-values Wilcoxon's over them, with Holm's correction.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recommend import interval, wilcoxon
from sklearn.compose import TransformedTargetRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from autometa.bench.ranking import holm
from autometa.bench.results import append, read_lines
from autometa.bench.run import machine
from autometa.families import build, cash_space
from autometa.families.learners.preprocess import preprocessing
from autometa.task import Task, read_task

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "gaussian_process.jsonl"
OURS, LIBRARY = "gaussian_process", "library"
RIVALS = ("lightgbm", "catboost", "random_forest", "svm")
SIZES = (("up to 1,000", 0, 1_000), ("1,001 to 3,000", 1_000, 3_000), ("more", 3_000, 10**9))
LIBRARY_ROWS = 3_000


class Library(GaussianProcessRegressor):
    """scikit-learn's, its kernel learned on 500 rows and used on all."""

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Library:
        """X: (n, p) standardised; y: (n,) standardised."""
        kernel = ConstantKernel(1.0, (1e-3, 1e3)) * RBF(np.sqrt(X.shape[1]), (1e-2, 1e4)) + WhiteKernel(0.1)
        some = np.random.default_rng(0).permutation(len(y))[:500]
        learned = GaussianProcessRegressor(kernel).fit(X[some], y[some])
        super().__init__(learned.kernel_, optimizer=None, alpha=1e-8)
        return super().fit(X, y)


def model(method: str, task: Task, n_rows: int) -> Any:
    """An unfitted pipeline."""
    if method != LIBRARY:
        config = cash_space("regression", [method]).default
        return build(config, task.columns, "regression", n_rows=n_rows, seed=0, threads=1)
    steps = preprocessing(task.columns, "regression", categories="onehot", scale="standard", seed=0)
    return make_pipeline(steps, TransformedTargetRegressor(Library(), transformer=StandardScaler()))


def tables(data: Path, each: int) -> list[dict[str, str]]:
    """Regression tables of the families that were not looked at."""
    seen = set((HERE / "warm_start_validation.txt").read_text(encoding="utf-8").split())
    with (data / "catalog.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["task"] == "regression" and r["origin"] == "real"]
    return sorted((r for r in rows if not {r["family"], r["name"]} & seen), key=lambda r: r["name"])[::each]


def judge(data: Path, rows: int, each: int) -> None:
    """Every table by every method."""
    chosen = tables(data, each)
    done = {(line["table"], line["method"]) for line in read_lines(RESULTS) if line["rows"] == rows}
    for number, row in enumerate(chosen):
        task = read_task(data / "tabular" / f"{row['name']}.parquet")
        kept = np.random.default_rng(0).permutation(task.n)[:rows]
        learn, judged = train_test_split(kept, test_size=0.2, random_state=0)
        for method in (OURS, LIBRARY, *RIVALS):
            if (row["name"], method) in done or (method == LIBRARY and len(learn) > LIBRARY_ROWS):
                continue
            began = time.process_time()
            with warnings.catch_warnings(), threadpool_limits(1):
                warnings.simplefilter("ignore")
                fitted = model(method, task, len(learn)).fit(task.X.iloc[learn], task.y[learn])
                seconds = time.process_time() - began
                said = fitted.predict(task.X.iloc[judged])
            y = task.y[judged]
            loss = float(np.sqrt(np.mean((said - y) ** 2) / np.mean((task.y[learn].mean() - y) ** 2)))
            key = {"table": row["name"], "family": row["family"], "method": method, "rows": rows}
            append(RESULTS, key | {"learned": len(learn), "loss": loss, "seconds": seconds, "machine": machine()})
        print(f"[{number + 1}/{len(chosen)}] {row['name']}", flush=True)


def report() -> str:
    """Markdown: our process beside each other method, by size."""
    lines: list[dict[str, Any]] = list(read_lines(RESULTS))
    out = ["# gaussian_process.py", ""]
    out += ["| rows to learn from | beside | families | loss, ratio | better / worse | p (Holm) | seconds, ratio |"]
    out += ["|---|---|---|---|---|---|---|"]
    for label, least, most in SIZES:
        of_size = [line for line in lines if least < line["learned"] <= most]
        found = {method: compared(of_size, method) for method in (LIBRARY, *RIVALS)}
        found = {method: pair for method, pair in found.items() if len(pair[0])}
        p_values = holm([wilcoxon(losses[:, None], 0 * losses[:, None])[0] for losses, _ in found.values()])
        for (method, (losses, seconds)), p in zip(found.items(), p_values, strict=True):
            low, high = np.exp(interval(losses, 0))
            out.append(
                f"| {label} | {method} | {len(losses)} | {np.exp(losses.mean()):.3f} [{low:.3f}, {high:.3f}] "
                f"| {(losses < 0).sum()} / {(losses > 0).sum()} | {p:.2g} | {np.exp(seconds.mean()):.2f} |"
            )
    return "\n".join([*out, ""])


def compared(lines: list[dict[str, Any]], method: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logs of our loss and of our seconds over another method's, the means of each family."""
    by = {(line["table"], line["method"]): line for line in lines}
    families: dict[str, list[tuple[float, float]]] = {}
    for (table, which), theirs in by.items():
        ours = by.get((table, OURS))
        if which == method and ours is not None:
            ratios = [np.log(max(ours[k], 1e-6) / max(theirs[k], 1e-6)) for k in ("loss", "seconds")]
            families.setdefault(theirs["family"], []).append((ratios[0], ratios[1]))
    means = np.array([np.mean(pairs, axis=0) for pairs in families.values()]).reshape(-1, 2)
    return means[:, 0], means[:, 1]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if options.report:
        RESULTS.with_suffix(".md").write_text(text := report(), encoding="utf-8")
        print(text)
    else:
        judge(options.data, options.rows, 6 if options.quick else 1)


if __name__ == "__main__":
    main()
