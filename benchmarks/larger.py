"""What does a minute on one core make of a table of some thousand rows, and who should answer in the end?

    python benchmarks/larger.py                     tables that the results lack for this revision; may be stopped
    python benchmarks/larger.py --names pol texture --time 60
    python benchmarks/larger.py --report            results/larger.md: revisions beside one another, and who answers

Tables of 4,500 to 20,000 rows and at most 64 columns, one of each family of the validation half (`patience.py`), in an
order that is no result's, 75 % of the rows to learn from, with the memory that ships, less the table's family. The
other rows judge the model of the whole budget (`patience="off"`), and what it would be if of each member the model that
was fitted on all rows had more of the say, or less, than those of its folds: `say` 1 and 0. Members for which there was
no time have models of folds only. Errors are losses: log loss, RMSE, and 1 less AUC.

A change is judged by the ratio of losses, revision against revision, on the tables that both played.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fit import revision, score, split
from patience import half

from autometa.bench.results import read_lines

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "larger.jsonl"
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def choose(catalog: Path) -> list[dict[str, str]]:
    """The tables, one of each family."""
    with catalog.open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["origin"] == "real" and 4_500 <= int(r["n_rows"]) <= 20_000]
    rows = [r for r in rows if int(r["n_features"]) <= 64 and int(r["n_classes"]) <= 12]
    rows = [r for r in rows if half(r["family"]) == "validation"]
    rows.sort(key=lambda r: hashlib.sha256(r["name"].encode()).hexdigest())
    first = {r["family"]: r for r in reversed(rows)}
    return [r for r in rows if first[r["family"]] is r]


def measure(row: dict[str, str], data: Path, seconds: float) -> dict[str, Any]:
    """One search, and its model on unseen rows."""
    from autometa.search import Settings, search
    from autometa.store import Exclusion
    from autometa.task import make_task

    train, test = split(pd.read_parquet(data / "tabular" / f"{row['name']}.parquet"), row["task"])
    task = make_task(train, target="target", name=row["name"], family=row["family"])
    exclude = Exclusion(families=frozenset({row["family"]}), fingerprints=frozenset({task.fingerprint}))
    settings = Settings(seconds=seconds, jobs=1, remember=False, exclude=exclude, patience="off")
    with tempfile.TemporaryDirectory() as folder:
        result = search(task, settings, Path(folder) / "run")
        return {"table": row["name"], "rows": task.n, "budget": seconds} | judged(Path(folder) / "run", test) | {
            "seconds": round(result.seconds, 1)
        }  # fmt: skip


def judged(folder: Path, test: pd.DataFrame) -> dict[str, Any]:
    """The loss of the model of a run, and with other shares for the models that were fitted on all rows."""
    from autometa.evaluation import predict_aligned
    from autometa.search import load_model, open_run
    from autometa.search.run import Run

    result, run = open_run(folder), Run.open(folder)
    model, task = load_model(folder), run.task
    X, truth = model.schema.apply(test.drop(columns="target")), test["target"].to_numpy()
    classes = np.array([str(name) for name in task.classes])

    def lost(said: Any) -> float:
        return float(loss(score(task.kind, truth if task.kind == "regression" else truth.astype(str), classes, said)))

    means = [
        [np.mean([predict_aligned(one, X, task.kind, task.c) for one in models], axis=0) for models in member.models]
        for member in model.members
    ]
    by_share = {}
    for share in SHARES:
        whole: Any = 0.0
        for member, own in zip(model.members, means, strict=True):
            said = own[0] if len(own) == 1 else share * own[0] + (1 - share) * own[1]
            whole = whole + member.weight * (said if task.kind == "regression" else member.calibration.apply(said))
        by_share[str(share)] = lost(whole if task.kind == "regression" else model.calibration.apply(whole))
    said = model.predict(test.drop(columns="target")) if task.kind == "regression" else model.predict_proba(test)
    families = {row.number: row.evaluation.config["family"] for row in result.trials}
    return {
        "metric": task.metric, "folds": run.splits.n_folds, "loss": lost(said), "by_share": by_share,
        "members": len(model.members), "fold_models": sum(len(own) > 1 for own in means),
        "families": len({families[member.number] for member in model.members}), "trials": len(result.trials),
        "tried": len(set(families.values())),
    }  # fmt: skip


def loss(value: float) -> float:
    """1 less a score whose best is 1; what is negative already, the other way round."""
    return -value if value <= 0 else 1 - value


def report() -> str:
    """Revisions against the first, and who should answer."""
    lines = {(line["revision"], line["table"]): line for line in read_lines(RESULTS)}
    revisions = list(dict.fromkeys(name for name, _ in lines))
    text = ["# larger.py", "", "## Revisions", ""]
    text += ["| revision | tables | loss, ratio to the first | better / worse | families tried | in the ensemble |"]
    text += ["|---|---|---|---|---|---|"]
    for name in revisions:
        both = [table for own, table in lines if own == name and (revisions[0], table) in lines]
        ratio = np.log([lines[name, table]["loss"] / lines[revisions[0], table]["loss"] for table in both])
        better = f"{(ratio < 0).sum()} / {(ratio > 0).sum()}" if name != revisions[0] else ""
        tried, inside = (np.mean([lines[name, table][key] for table in both]) for key in ("tried", "families"))
        error = 1.96 * ratio.std(ddof=1) / np.sqrt(len(both)) if len(both) > 1 else np.nan
        spread = f" [{np.exp(ratio.mean() - error):.3f}, {np.exp(ratio.mean() + error):.3f}]" if better else ""
        text.append(
            f"| {name} | {len(both)} | {np.exp(ratio.mean()):.3f}{spread} | {better} | {tried:.1f} | {inside:.1f} |"
        )
    text += [
        "",
        "## Who answers",
        "",
        "| say of the refitted model | loss, ratio to half | better / worse |",
        "|---|---|---|",
    ]
    with_both = [line for line in lines.values() if line["fold_models"]]
    for share in SHARES:
        ratio = np.log([line["by_share"][str(share)] / line["by_share"]["0.5"] for line in with_both])
        text.append(f"| {share:g} | {np.exp(ratio.mean()):.4f} | {(ratio < 0).sum()} / {(ratio > 0).sum()} |")
    return "\n".join([*text, ""])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data", help="has catalog.csv")
    parser.add_argument("--tables", type=int, default=12)
    parser.add_argument("--names", nargs="+", help="these tables instead")
    parser.add_argument("--time", type=float, default=60.0, help="seconds of each search")
    parser.add_argument("--report", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    if not asked.report:
        where = revision()
        known = {(line["revision"], line["table"], line["budget"]) for line in read_lines(RESULTS)}
        rows = choose(asked.data / "catalog.csv")
        named = [row for row in rows if row["name"] in asked.names] if asked.names else rows[: asked.tables]
        for row in named:
            if (where, row["name"], asked.time) in known:
                continue
            line = measure(row, asked.data, asked.time) | {"revision": where, "when": time.strftime("%Y-%m-%d")}
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{row['name']}: {line['loss']:.5g}, {line['trials']} trials", flush=True)
    RESULTS.with_suffix(".md").write_text(report(), encoding="utf-8")
    print(report())


if __name__ == "__main__":
    main()
