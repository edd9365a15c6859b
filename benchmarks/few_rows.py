"""Would tasks of few rows be worth something to the shipped memory? With and without them, families left out.

    python benchmarks/few_rows.py                   judges; what is measured is never repeated
    python benchmarks/few_rows.py --report          results/few_rows.md

``results/few_rows.db`` is a store of 238 of the real tables, all that have more than 400 rows, as samples of 250: three
folds, in the median 77 configurations of a table, the defaults of boosting (but CatBoost) and of forests, all presets
and then a filling of the spaces of linear models, support vectors, neighbours, discriminant analysis, naive Bayes and
additive models. Collected in this order (and LightGBM's default, by a round that was begun),

    autometa collect TABLES --catalog meta_db/tables.csv --store collected.db --rows 250 --folds 3 --trial-time 10s \
        --seed 0 --jobs 1 --families extra_trees,random_forest,xgboost,hist_gradient_boosting --configs 4
    autometa collect TABLES --catalog meta_db/tables.csv --store collected.db --rows 250 --folds 3 --trial-time 10s \
        --seed 0 --jobs 1 --families linear,svm,knn,discriminant,naive_bayes,additive --configs 72

in a copy of the shipped memory, which has these tables with up to 1,000 rows; on a machine that was slower: of 88
configurations that the memory knows, collected anew, the median took 3.20 times as long (a tenth at most 1.5 times, a
tenth 6.2 and more, as it was not always equally slow), by which the seconds in the file are divided.

For each such table, its family of data sets left out, the recommender is asked for three of the configurations that
were tried on it; from all other tasks, and from those of more rows alone. A regret is what the best of the first so
many lacks of the best that was tried, as a share of the best's distance from the median. It is asked for both sizes:
few rows are to help where rows are few, and to harm nowhere.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from made_tables import in_cells, part, regrets

from autometa.bench.results import read_lines
from autometa.families import cash_space
from autometa.store import MetaStore
from autometa.task import DEFAULT_METRICS

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "few_rows.jsonl"
ROWS, MORE = 250, 1_000


def both(folder: str) -> MetaStore:
    """A store of the tasks that ship and of those of few rows."""
    store = MetaStore(f"{folder}/both.db")
    for part_of_it in (REPOSITORY / "meta_db" / "memory.db", RESULTS.with_suffix(".db")):
        store.merge(MetaStore(part_of_it))
    return store


def judge(store: MetaStore, every: int) -> None:
    """Adds a line for each task, of one family in `every`."""
    done = {(line["table"], line["rows"]) for line in read_lines(RESULTS)}
    for kind, metric in DEFAULT_METRICS.items():
        past, space = store.past(kind=kind, metric=metric), cash_space(kind)
        families = sorted({record.family or record.name for record in past.records})[::every]
        sizes = np.array([record.n_rows for record in past.records])
        twice = {record.name for record in past.records if record.n_rows == ROWS and record.source == "collect"}
        for t, record in enumerate(past.records):
            asked = record.name in twice and record.n_rows <= MORE and (record.family or record.name) in families
            if not asked or record.metafeatures is None or (record.name, record.n_rows) in done:
                continue
            tried = np.isfinite(past.scores[t])
            others = np.array([other.family != record.family for other in past.records])
            line = {"table": record.name, "rows": record.n_rows, "family": record.family, "kind": kind}
            for name, kept in (("all", others), ("more", others & (sizes > ROWS))):
                line[name] = regrets(part(past, kept, tried), space, record.metafeatures, past.scores[t, tried])
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(line)


def report() -> str:
    """A line for each size, and one for both."""
    text = ["# few_rows.py", "", "Regret after one, two and three configurations.", ""]
    text += ["| rows | tasks | all others know | those of more rows alone | p |", "|---|---|---|---|---|"]
    lines = read_lines(RESULTS)
    for title, some in (
        (f"{ROWS}", [line for line in lines if line["rows"] == ROWS]),
        (f"more, up to {MORE:,}", [line for line in lines if line["rows"] > ROWS]),
        ("both", lines),
    ):
        if not some:
            continue
        compared = in_cells(*([line[name] for line in some] for name in ("all", "more")))
        text.append(f"| {title} | {len(some)} | {compared} |")
    return "\n".join([*text, ""])


def main() -> None:
    """Judges, or reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=4, help="one family of so many (default 4)")
    parser.add_argument("--report", action="store_true", help="results/few_rows.md alone")
    asked = parser.parse_args()
    if not asked.report:
        with tempfile.TemporaryDirectory() as folder:
            judge(both(folder), asked.every)
    RESULTS.with_suffix(".md").write_text(report(), encoding="utf-8")
    print(report())


if __name__ == "__main__":
    main()
