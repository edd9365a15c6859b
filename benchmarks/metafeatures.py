"""Whether meta-features have pymfe's values, how much faster they come, and how long large tables take.

    python benchmarks/metafeatures.py            10,000 x 50 beside pymfe, and 50,000 x 100
    python benchmarks/metafeatures.py --quick    2,000 x 20 and 10,000 x 50
    python benchmarks/metafeatures.py --shared   every dataset of --data as well, in some minutes

One thread; processor seconds, which others on the machine hardly disturb. Both take turns on the same table; a ratio is
the median over the turns of pymfe's seconds to ours. Ours are those of whole groups, features that pymfe does not have
among them; pymfe's are of the features both have.

`whole`    the groups that look at the whole table: same values, at least 10 times faster is the goal
`small`    the tree and the landmarks, pymfe given the small sample that ours are computed from: same values
`landmark` the same, pymfe given the whole table, as it is meant to be used: what the sample saves, values differ
"""

from __future__ import annotations

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # before NumPy loads

import argparse
import importlib.metadata
import json
import math
import time
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fit import REPOSITORY, machine, revision
from numpy.typing import NDArray

from autometa.metafeatures import FEATURE_NAMES, GROUPS, PYMFE, VERSION, MetaFeatures, describe
from autometa.metafeatures.landmarking import landmark_sample
from autometa.metafeatures.model import small_sample
from autometa.metafeatures.view import View
from autometa.task import Task, make_task

RESULTS = REPOSITORY / "benchmarks" / "results" / "metafeatures.jsonl"
WHOLE, SMALL = ("simple", "statistical", "information"), ("model", "landmarking")
ALWAYS = 1e9  # seconds
SEED = 0

Record = dict[str, Any]


def table(rows: int, columns: int, classes: int) -> Task:
    """Correlated, skewed and discrete numeric columns and a target that depends on them; with `classes` 0, a number."""
    rng = np.random.default_rng(SEED)
    X = rng.normal(size=(rows, columns)) @ rng.normal(size=(columns, columns))
    X[:, columns // 2 :] = np.exp(X[:, columns // 2 :] / columns)
    X[:, : columns // 10] = np.round(X[:, : columns // 10])
    noise = rng.normal(size=(rows, max(classes, 1)))
    scores = np.tanh(X) @ rng.normal(size=(columns, max(classes, 1))) / columns**0.5 + noise
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(columns)])
    return make_task(frame, y=scores.argmax(axis=1).astype(str) if classes else scores[:, 0])


def pymfe_values(X: NDArray[np.float64], y: NDArray[np.int64], names: Collection[str]) -> dict[str, float]:
    """The same features by pymfe."""
    from pymfe.mfe import MFE

    wanted = {name: PYMFE[name] for name in names}
    extractor = MFE(
        groups="all",
        features=sorted({feature for feature, _ in wanted.values()}),
        summary=["nanmean", *sorted({summary for _, summary in wanted.values() if summary not in (None, "nanmean")})],
        num_cv_folds=3,
        score="balanced-accuracy",
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        extractor.fit(X, y, cat_cols=None, check_bool=False, rescale="standard")
        found = dict(zip(*extractor.extract(), strict=True))
    return {name: found[f if f in found else f"{f}.{summary}"] for name, (f, summary) in wanted.items()}


def both(groups: Collection[str]) -> list[str]:
    """The features of these groups that pymfe has too."""
    return [feature.__name__ for group in groups for feature in GROUPS[group] if feature.__name__ in PYMFE]


def difference(ours: MetaFeatures, theirs: dict[str, float]) -> float:
    """The largest relative difference; infinite where only one is defined."""
    pairs = [(ours[name], float(value)) for name, value in theirs.items()]
    assert all(math.isfinite(value) for pair in pairs for value in pair)
    return max(abs(a - b) / max(abs(a), abs(b), 1e-300) if a != b else 0.0 for a, b in pairs)


def turns(task: Task, groups: Collection[str], theirs: Callable[[], dict[str, float]], repeats: int) -> Record:
    """Both in turns: median seconds, median ratio, largest difference."""
    seconds = []
    for _ in range(repeats + 1):
        started = time.process_time()
        ours = describe(task, seconds=ALWAYS, groups=groups)
        between = time.process_time()
        values = theirs()
        seconds.append((between - started, time.process_time() - between))
    measured = np.array(seconds[1:])  # the first turn loads libraries
    return {
        "rows": task.n,
        "columns": task.p,
        "features": len(values),
        "seconds": float(np.median(measured[:, 0])),
        "pymfe_seconds": float(np.median(measured[:, 1])),
        "ratio": float(np.median(measured[:, 1] / measured[:, 0])),
        "difference": difference(ours, values),
    }


def beside_pymfe(arguments: argparse.Namespace) -> Iterator[Record]:
    """Values and seconds of the features both have."""
    task = table(2_000, 20, 3) if arguments.quick else table(10_000, 50, 3)
    repeats = 3 if arguments.quick else 9
    X, view = task.X.to_numpy(np.float64), View(task)
    yield {"measure": "whole"} | turns(task, WHOLE, lambda: pymfe_values(X, task.y, both(WHOLE)), repeats)
    samples = {"model": small_sample(view), "landmarking": landmark_sample(view)}

    def of_the_samples() -> dict[str, float]:
        return {k: v for group, sample in samples.items() for k, v in pymfe_values(*sample, both([group])).items()}

    yield {"measure": "small"} | turns(task, SMALL, of_the_samples, repeats)
    yield {"measure": "landmark"} | turns(task, SMALL, lambda: pymfe_values(X, task.y, both(SMALL)), 1)


def large(arguments: argparse.Namespace) -> Iterator[Record]:
    """Seconds of large tables, by group, and what the first feature of a shared part paid."""
    rows, columns = (10_000, 50) if arguments.quick else (50_000, 100)
    for kind, classes in {"binary": 2, "multiclass": 10, "regression": 0}.items():
        task = table(rows, columns, classes)
        described = [describe(task, seconds=ALWAYS).seconds for _ in range(4)]
        cost = min(described[1:], key=lambda cost: sum(cost.values()))
        groups = {group: sum(cost[feature.__name__] for feature in features) for group, features in GROUPS.items()}
        yield {
            "measure": "large",
            "kind": kind,
            "rows": rows,
            "columns": columns,
            "seconds": sum(cost.values()),
            "groups": groups,
            "cost": cost,
        }


def shared(arguments: argparse.Namespace) -> Iterator[Record]:
    """Every dataset of --data: seconds, and for how many a feature is undefined."""
    seconds, undefined = {}, Counter[str]()
    for path in sorted((arguments.data / "tabular").glob("*.parquet")):
        found = describe(make_task(pd.read_parquet(path), target="target", name=path.stem), seconds=ALWAYS)
        seconds[path.stem] = sum(found.seconds.values())
        undefined.update(name for name in FEATURE_NAMES if math.isnan(found[name]))
    at = (0.5, 0.9, 0.99, 1.0)
    yield {
        "measure": "shared",
        "datasets": len(seconds),
        "quantiles": dict(zip(map(str, at), np.quantile(list(seconds.values()), at).tolist(), strict=True)),
        "slowest": max(seconds, key=seconds.__getitem__),
        "undefined": dict(undefined),
    }


def report(records: list[Record]) -> str:
    """Tables in Markdown."""
    lines = [
        "| pymfe beside ours | table | features | pymfe, s | ours, s | times faster | largest relative difference |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in records:
        if "ratio" in r:
            differs = "(not of the same rows)" if r["measure"] == "landmark" else f"{r['difference']:.1e}"
            lines.append(
                f"| {r['measure']} | {r['rows']:,} x {r['columns']} | {r['features']} | {r['pymfe_seconds']:.3f} "
                f"| {r['seconds']:.3f} | {r['ratio']:.1f} | {differs} |"
            )
    lines += ["", f"| table | seconds | {' | '.join(GROUPS)} |", "|---" * (2 + len(GROUPS)) + "|"]
    for r in records:
        if r["measure"] == "large":
            cells = " | ".join(f"{seconds:.3f}" for seconds in r["groups"].values())
            lines.append(f"| {r['kind']}, {r['rows']:,} x {r['columns']} | {r['seconds']:.3f} | {cells} |")
    for r in records:
        if r["measure"] == "shared":
            within = ", ".join(f"{float(share):.0%} within {seconds:.3f}" for share, seconds in r["quantiles"].items())
            lines += ["", f"{r['datasets']} datasets, seconds: {within}; slowest {r['slowest']}."]
    return "\n".join(lines)


def main() -> None:
    """Measures, appends to the results and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--shared", action="store_true")
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "pandas", "scikit-learn", "pymfe")}
    context = {
        "metafeatures": VERSION,
        "versions": versions,
        "seed": SEED,
        "machine": machine() | {"threads": 1, "load": os.getloadavg()[0]},
        "revision": revision(),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    records = []
    with arguments.results.open("a", encoding="utf-8") as file:
        for measure in (beside_pymfe, large, shared) if arguments.shared else (beside_pymfe, large):
            for record in measure(arguments):
                records.append(record)
                file.write(json.dumps(record | context) + "\n")
                file.flush()
    print(report(records))


if __name__ == "__main__":
    main()
