"""What tasks of few rows are worth to the shipped memory: recommendations with and without them, families left out.

    python benchmarks/few_rows.py                   the memory that ships; what is measured is never repeated
    python benchmarks/few_rows.py --report          results/few_rows.md

Many real tables stand in the memory twice: with up to 1,000 rows, and with a sample of 250 (`meta_db/README.md`). For
each such table, its family of data sets left out, the recommender is asked for three of the configurations that were
tried on it; from all other tasks, and from those of more rows alone. A regret is what the best of the first so many
lacks of the best that was tried, as a share of the best's distance from the median. It is asked for both sizes: few
rows are to help where rows are few, and to harm nowhere.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from made_tables import part, regrets
from scipy.stats import wilcoxon

from autometa.bench.results import read_lines
from autometa.families import cash_space
from autometa.store import MetaStore
from autometa.task import DEFAULT_METRICS

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "few_rows.jsonl"
ROWS, MORE = 250, 1_000


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
    """A line for each size."""
    text = ["# few_rows.py", "", "Regret after one, two and three configurations.", ""]
    text += ["| rows | tasks | all others know | those of more rows alone | p |", "|---|---|---|---|---|"]
    lines = read_lines(RESULTS)
    for title, some in (
        (f"{ROWS}", [line for line in lines if line["rows"] == ROWS]),
        (f"more, up to {MORE:,}", [line for line in lines if line["rows"] > ROWS]),
    ):
        if not some:
            continue
        means = [np.mean([line[name] for line in some], axis=0) for name in ("all", "more")]
        cells = [" ".join(f"{one:.3f}".removeprefix("0") for one in mean) for mean in means]
        gained = [np.mean(line["more"]) - np.mean(line["all"]) for line in some]
        p = wilcoxon(gained).pvalue if np.any(gained) else 1.0
        text.append(f"| {title} | {len(some)} | {cells[0]} | {cells[1]} | {p:.2g} |")
    return "\n".join([*text, ""])


def main() -> None:
    """Judges, or reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, default=REPOSITORY / "meta_db" / "memory.db")
    parser.add_argument("--every", type=int, default=3, help="one family of so many (default 3)")
    parser.add_argument("--report", action="store_true", help="results/few_rows.md alone")
    asked = parser.parse_args()
    if not asked.report:
        judge(MetaStore(asked.store), asked.every)
    RESULTS.with_suffix(".md").write_text(report(), encoding="utf-8")
    print(report())


if __name__ == "__main__":
    main()
