"""Heads on embeddings beside what people put there: logistic regression, nearest neighbours, LightGBM.

    python benchmarks/embeddings.py              judges; what is measured is never repeated
    python benchmarks/embeddings.py --quick      two sets, one cut, no search
    python benchmarks/embeddings.py --report     results/embeddings.md

Eight sets of vectors that something else made: scikit-learn's digits and twenty characters of Omniglot by the encoder
that is built in (histograms of gradients), four sets of features that others computed of handwritten numerals (mfeat),
texture descriptors of leaves of a hundred plants, and short texts (cnae-9) by TF-IDF and SVD. Of each, 1, 5, 20 or 50
examples of every class are drawn to learn from, as many as leave ten of each to be judged by (1,000 at most).

Single learners have their default configuration: those of the family `few_shot` with the head that is named, `linear`,
`knn` and `lightgbm`. `fit` is a search of 12 trials over these families and their ensemble, cold. Reported are accuracy
and log loss (probabilities clipped at .001), the mean over cuts, then over sets; p-values are Wilcoxon's over sets and
shots, with Holm's correction, of the search against each; the last row is against the best of each cell, which is
chosen by the rows that judge (uncorrected).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.bench.ranking import holm
from autometa.bench.results import read_lines
from autometa.bench.run import machine
from autometa.families import build, cash_space
from autometa.task import Columns, read_table

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "embeddings.jsonl"
SHOTS, QUERY, LEFT, TRIALS = (1, 5, 20, 50), 1000, 10, 12
HEADS = ("mahalanobis", "logistic", "ridge", "means")
METHODS = (*HEADS, "linear", "knn", "lightgbm", "fit")
SEARCHED = ("few_shot", "linear", "knn", "lightgbm")
Vectors = tuple[NDArray[Any], NDArray[Any]]  # (n, p), (n,)


def digits(data: Path) -> Vectors:
    """scikit-learn's, by the encoder that is built in."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return _gradients(np.kron(x.reshape(-1, 8, 8) * 15.9, np.ones((8, 8)))), y


def omniglot(data: Path) -> Vectors:
    """Twenty characters, twenty drawings of each, by the encoder that is built in."""
    with np.load(data.parent / "fewshot" / "omniglot28.npz") as file:
        x = file[next(name for name in file.files if file[name].ndim >= 3)]
    x = x.reshape(-1, 20, 28, 28)[:: max(1, x.reshape(-1, 20, 28, 28).shape[0] // 20)][:20]
    strokes = np.kron((x > 0) * 255.0, np.ones((2, 2)))
    strokes = 255.0 - strokes if strokes.mean() > 127 else strokes
    padded = np.pad(strokes, ((0, 0), (0, 0), (4, 4), (4, 4))).reshape(-1, 64, 64)
    return _gradients(padded), np.arange(len(x)).repeat(20)


def _gradients(images: NDArray[Any]) -> NDArray[Any]:  # (n, 64, 64) of 0..255
    from autometa.fewshot.encoders import gradients

    return gradients(np.repeat(images[:, None], 3, axis=1).astype(np.uint8))


def table(name: str) -> Callable[[Path], Vectors]:
    """A shared table of numbers, as it is."""

    def read(data: Path) -> Vectors:
        frame, _ = read_table(data / "tabular" / f"{name}.parquet")
        target = "target" if "target" in frame else frame.columns[-1]
        _, y = np.unique(frame[target].astype(str), return_inverse=True)
        return frame.drop(columns=[target]).to_numpy(float), y

    return read


def texts(data: Path) -> Vectors:
    """Words of cnae-9 by TF-IDF and SVD to a hundred numbers, which no label is needed for."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfTransformer

    counts, y = table("cnae-9")(data)
    return TruncatedSVD(100, random_state=0).fit_transform(TfidfTransformer().fit_transform(counts)), y


SETS: dict[str, Callable[[Path], Vectors]] = {
    "digits": digits,
    "omniglot": omniglot,
    "mfeat-fourier": table("mfeat-fourier"),
    "mfeat-karhunen": table("mfeat-karhunen"),
    "mfeat-factors": table("mfeat-factors"),
    "mfeat-zernike": table("mfeat-zernike"),
    "plants-texture": table("one-hundred-plants-texture"),
    "cnae-9": texts,
}


def cut(y: NDArray[Any], shot: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Rows to learn from and rows to be judged by; None where classes are too small."""
    if np.bincount(y).min() < shot + (LEFT if shot > 5 else 5):
        return None
    rng = np.random.default_rng(seed)
    support = np.concatenate([rng.permutation(np.flatnonzero(y == k))[:shot] for k in np.unique(y)])
    return support, rng.permutation(np.setdiff1d(np.arange(len(y)), support))[:QUERY]


def judge(x: NDArray[Any], y: NDArray[Any], shot: int, seed: int, method: str) -> dict[str, Any] | None:
    """One method on one cut."""
    sides = cut(y, shot, seed)
    if sides is None or (method == "fit" and shot == 1):  # a search holds rows out
        return None
    support, query = sides
    frame = pd.DataFrame(x, columns=[f"emb_{k}" for k in range(x.shape[1])])
    began = time.process_time()
    p = _searched if method == "fit" else _single
    probabilities = p(frame.iloc[support], y[support], frame.iloc[query], method, seed)
    chosen = probabilities[np.arange(len(query)), y[query]]
    return {
        "accuracy": round(float((probabilities.argmax(1) == y[query]).mean()), 5),
        "log_loss": round(float(-np.log(np.clip(chosen, 1e-3, 1)).mean()), 5),
        "cpu_seconds": round(time.process_time() - began, 3),
    }


def _single(X: pd.DataFrame, y: NDArray[Any], new: pd.DataFrame, method: str, seed: int) -> NDArray[Any]:
    family = "few_shot" if method in HEADS else method
    space = cash_space("multiclass", [family])
    chosen = {"few_shot.head": method} if method in HEADS else {}
    config = space.complete({"family": family, **chosen})
    model = build(config, Columns(tuple(X)), "multiclass", n_rows=len(y), seed=seed).fit(X, y)
    found: NDArray[Any] = model.predict_proba(new)
    return found


def _searched(X: pd.DataFrame, y: NDArray[Any], new: pd.DataFrame, method: str, seed: int) -> NDArray[Any]:
    from autometa.fitting import fit_table
    from autometa.search import Settings, load_model

    settings = Settings(trials=TRIALS, families=SEARCHED, cold=True, remember=False, seed=seed, jobs=1, folds=3)
    with tempfile.TemporaryDirectory() as folder:
        result = fit_table(
            X.reset_index(drop=True), y, settings=settings, run=Path(folder) / "run", metric="neg_log_loss"
        )
        found: NDArray[Any] = load_model(result.model).predict_proba(new)
    return found


def run(options: argparse.Namespace) -> None:
    """Everything that has no result yet."""
    done = {(r["set"], r["shot"], r["cut"], r["method"]) for r in read_lines(options.results)}
    where, names = machine(), list(SETS)[:2] if options.quick else options.sets
    for name in names:
        wanted = [
            (s, k, m)
            for s in options.shots
            for k in range(1 if options.quick else options.cuts)
            for m in options.methods
            if (name, s, k, m) not in done and not (options.quick and m == "fit")
        ]
        if not wanted:
            continue
        x, y = SETS[name](options.data)
        for shot, k, method in wanted:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = judge(x, y, shot, k, method)
            if found is None:
                continue
            line = {"set": name, "shot": shot, "cut": k, "method": method, **found}
            print(json.dumps(line), flush=True)
            if not options.no_record:
                options.results.parent.mkdir(parents=True, exist_ok=True)
                with options.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({**line, "machine": where["processor"]}) + "\n")


def report(records: list[dict[str, Any]]) -> str:
    """Markdown: a table per measure."""
    from scipy.stats import wilcoxon

    cells: dict[tuple[str, int], dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for r in records:
        cells[r["set"], r["shot"]][r["method"]].append(r)
    lines = ["# embeddings.py", ""]
    for measure, sign, title in (("accuracy", 1, "Accuracy"), ("log_loss", -1, "Log loss")):
        lines += [f"## {title}, mean over sets", "", "| examples a class | sets | " + " | ".join(METHODS) + " |"]
        lines.append("|---|---|" + "---|" * len(METHODS))
        for s in SHOTS:
            own = [c for (_, shot), c in cells.items() if shot == s]
            full = [c for c in own if set(METHODS[:-1]) <= set(c)]
            if not full:
                continue
            means = [_mean(full, m, measure) if all(m in c for c in full) else np.nan for m in METHODS]
            best = int(np.nanargmax(sign * np.array(means)))
            shown = ["" if np.isnan(v) else f"**{v:.3f}**" if j == best else f"{v:.3f}" for j, v in enumerate(means)]
            lines.append(f"| {s} | {len(full)} | " + " | ".join(shown) + " |")
        both = [c for c in cells.values() if set(METHODS) <= set(c)]
        if len(both) > 2:
            gaps = [sign * np.array([_of(c, "fit", measure) - _of(c, m, measure) for c in both]) for m in METHODS[:-1]]
            p = holm([wilcoxon(gap).pvalue if np.abs(gap).sum() else 1.0 for gap in gaps])
            lines += ["", f"| `fit` against, {len(both)} cells | better by | wins / ties / losses | p (Holm) |"]
            lines.append("|---|---|---|---|")
            for m, gap, value in zip(METHODS[:-1], gaps, p, strict=True):
                wins = f"{(gap > 0).sum()} / {(gap == 0).sum()} / {(gap < 0).sum()}"
                lines.append(f"| {m} | {gap.mean():+.3f} | {wins} | {value:.2g} |")
            best_gap = np.min(gaps, axis=0)  # each cell's best, which nobody knows before
            wins = f"{(best_gap > 0).sum()} / {(best_gap == 0).sum()} / {(best_gap < 0).sum()}"
            lines.append(
                f"| the best of each cell | {best_gap.mean():+.3f} | {wins} | {wilcoxon(best_gap).pvalue:.2g} |"
            )
        lines.append("")
    seconds = {m: np.median([r["cpu_seconds"] for r in records if r["method"] == m] or [np.nan]) for m in METHODS[:-1]}
    lines.append("CPU seconds to fit and answer, median: " + ", ".join(f"{m} {v:.2f}" for m, v in seconds.items()))
    return "\n".join([*lines, ""])


def _of(cell: dict[str, list[dict[str, Any]]], method: str, measure: str) -> float:
    return float(np.mean([r[measure] for r in cell[method]]))


def _mean(cells: list[dict[str, list[dict[str, Any]]]], method: str, measure: str) -> float:
    return float(np.mean([_of(c, method, measure) for c in cells]))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--shots", nargs="+", type=int, choices=SHOTS, default=list(SHOTS))
    parser.add_argument("--cuts", type=int, default=2, help="of each set and number of examples")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--quick", action="store_true", help="two sets, one cut, no search")
    parser.add_argument("--no-record", action="store_true")
    options = parser.parse_args()
    if options.report:
        text = report(read_lines(options.results))
        options.results.with_suffix(".md").write_text(text, encoding="utf-8")
        print(text)
    else:
        run(options)


if __name__ == "__main__":
    main()
