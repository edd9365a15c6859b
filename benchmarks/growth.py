"""Do past tables say what a configuration takes with more rows, better than in proportion to the rows?

    python benchmarks/growth.py                   the shipped memory, into results/growth.jsonl and growth.md
    python benchmarks/growth.py --store MY.db     another one

Of every table that the memory knows at two numbers of rows of `curve_rows` and more, what each configuration takes on
the larger sample is forecast from the smaller one: in proportion to the rows, and by the power of its family that the
tables of other families of data sets tell (`transfer.growth`). The error is the factor by which the forecast is off,
in the geometric mean; `too long` is how often it says more than one and a half times what it took, which keeps a
configuration from going on with more rows.

    python benchmarks/growth.py --scores          prints whether scores can be forecast likewise, family by family

Scores of a table are put on one scale (0 the median of the smaller sample, 1 a quartile's distance above). What a
family gains by more rows beyond the others is the mean over tables of other families of data sets, drawn towards 0 as
if four had gained nothing. The regret is what the best quarter of the smaller sample, or its best, lacks of the best on
the larger one, as a share of the best's distance from the median: by the scores as they are, and by the forecasts.

Letters:  t tables · m configurations.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from made_tables import part
from numpy.typing import NDArray

from autometa.bench.results import read_lines
from autometa.space import family_in
from autometa.store import MetaStore, PastTasks
from autometa.task import DEFAULT_METRICS
from autometa.transfer.growth import growth, samples
from autometa.transfer.options import OPTIONS

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "growth.jsonl"
FEWEST = 8  # configurations that both samples of a table know
Array = NDArray[np.float64]


def forecasts(past: PastTasks) -> list[dict[str, Any]]:
    """One line for each configuration and pair of samples: how far off both forecasts are, as logarithms."""
    lines = []
    for (name, family), places in samples(past, OPTIONS.curve_rows).items():
        if len(places) < 2:
            continue
        one, other = places[0], places[-1]
        powers = growth(part(past, np.array([record.family != family for record in past.records])))
        more = np.log(past.records[other].n_rows / past.records[one].n_rows)
        done = np.isfinite(past.scores[[one, other]]).all(axis=0)
        for column in np.flatnonzero(done & (past.seconds[[one, other]] > 0).all(axis=0)):
            model = family_in(past.configs[column])
            grew = float(np.log(past.seconds[other, column] / past.seconds[one, column]))
            by_powers = powers.get(model, 1.0) * float(more) - grew
            lines.append({
                "table": name, "family": model, "rows": [past.records[k].n_rows for k in (one, other)],
                "seconds": round(float(past.seconds[one, column]), 3), "power": round(grew / float(more), 3),
                "proportional": round(float(more) - grew, 4), "powers": round(by_powers, 4),
            })  # fmt: skip
    return lines


def pairs(past: PastTasks) -> list[tuple[str | None, float, Array, Array]]:
    """Family of the data set, logarithm of the rows' ratio, scores on two samples of a table: (m,), NaN if not both."""
    found = []
    for (_, family), places in samples(past).items():
        one, other = places[0], places[-1]
        both = np.isfinite(past.scores[[one, other]]).all(axis=0)
        if one != other and both.sum() >= FEWEST:
            small = past.scores[one, both]
            unit = max(float(np.subtract(*np.quantile(small, [0.75, 0.25]))), 1e-12)
            scaled = (np.where(both, past.scores[[one, other]], np.nan) - np.median(small)) / unit
            more = float(np.log(past.records[other].n_rows / past.records[one].n_rows))
            found.append((family, more, *np.clip(scaled, -5, 5)))
    return found


def forecast_scores(past: PastTasks) -> list[list[float]]:
    """For each table the regrets of the best quarter and of the best, by the scores as they are and as forecast."""
    models, known, lines = np.array([family_in(config) for config in past.configs]), pairs(past), []
    for family, more, small, large in known:
        gain = np.zeros(len(models))
        for model in np.unique(models):
            said = []
            for elsewhere, ratio, one, other in known:
                rose = (other - one - np.nanmean(other - one)) / ratio
                if elsewhere != family and np.isfinite(rose[models == model]).any():
                    said.append(np.nanmean(rose[models == model]))
            gain[models == model] = np.sum(said) / (len(said) + OPTIONS.curve_prior)
        tried = np.flatnonzero(np.isfinite(small))
        best, middle = large[tried].max(), np.median(large[tried])
        line = []
        for forecast in (small, small + more * gain):
            ranked = tried[np.argsort(-forecast[tried], kind="stable")]
            chosen = (ranked[: max(len(ranked) // 4, 1)], ranked[:1])
            line += [float(min((best - large[some].max()) / max(best - middle, 1e-12), 1.0)) for some in chosen]
        lines.append(line)
    return lines


def report() -> str:
    """A line for each model family."""
    lines = read_lines(RESULTS)
    text = ["# growth.py", "", f"{len({line['table'] for line in lines})} tables at two numbers of rows.", ""]
    text += ["| family | forecasts | power, median | off by: in proportion | by powers | too long | by powers |"]
    text += ["|---|---|---|---|---|---|---|"]
    for family in ("all", *sorted({line["family"] for line in lines})):
        some = [line for line in lines if family in ("all", line["family"])]
        cells = [f"{np.exp(np.mean([abs(line[way]) for line in some])):.2f}" for way in ("proportional", "powers")]
        late = [f"{np.mean([line[way] > np.log(1.5) for line in some]):.0%}" for way in ("proportional", "powers")]
        middle = f"{np.median([line['power'] for line in some]):.2f}"
        text.append(f"| {family} | {len(some)} | {middle} | {' | '.join(cells)} | {' | '.join(late)} |")
    return "\n".join([*text, ""])


def main() -> None:
    """Forecasts and reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, default=REPOSITORY / "meta_db" / "memory.db")
    parser.add_argument("--scores", action="store_true")
    asked = parser.parse_args()
    store, lines = MetaStore(asked.store), list[dict[str, Any]]()
    if asked.scores:
        print("kind        tables  best quarter: as it is, forecast   best: as it is, forecast")
        for kind, metric in DEFAULT_METRICS.items():
            regrets = np.array(forecast_scores(store.past(kind=kind, metric=metric)))
            mean = regrets.mean(axis=0)
            print(f"{kind:12}{len(regrets):6}{mean[0]:25.3f}{mean[2]:10.3f}{mean[1]:17.3f}{mean[3]:10.3f}")
        return
    for kind, metric in DEFAULT_METRICS.items():
        lines += forecasts(store.past(kind=kind, metric=metric))
    RESULTS.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    RESULTS.with_suffix(".md").write_text(report(), encoding="utf-8")
    print(report())


if __name__ == "__main__":
    main()
