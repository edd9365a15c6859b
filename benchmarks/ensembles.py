"""Which selection of an ensemble errs least on rows never seen? Offline, on the trials of real searches.

    python benchmarks/ensembles.py --pool FOLDER     searches tables that FOLDER has no pool of yet; may be stopped
    python benchmarks/ensembles.py --pool FOLDER --larger    tables of `larger.py`: 4,000 rows, 3 folds, 24 trials
    python benchmarks/ensembles.py --pool FOLDER --judge     every way of choosing on every pool, into the results
    python benchmarks/ensembles.py --report          a line for each way, and for each kind of newcomer

A pool is a search of `TRIALS` trials on at most `MOST_ROWS` rows of a table (those of `patience.py`, by the same halves
of the families) with the memory that ships, less the table's family: of each trial the out-of-fold predictions, and
what the mean of its fold models answers of at most 2,000 rows that were not learned from. It stays in FOLDER, outside
the repository. Choosing is then free: each way picks weights by the out-of-fold predictions of the first 8, 16 or all
trials, and the other rows judge. Errors are relative to the best single trial by its own cross-validation: the ratio of
losses (1 - score of what is better when larger), in the geometric mean over tables.

The ways:
    single       the best trial alone
    greedy       as the search does: Caruana's selection with replacement, 40 rounds, up to the best score seen
    steps N      the same, with N rounds
    bagged       Caruana's remedy: the mean of 20 selections, each of a random half of the candidates
    halves       the mean of 20 selections, each by a random half of the rows
    shrunk S     greedy's weights and equal weights of the best eight, mixed S to 1 - S
    equal N      the best N, equal weights
    proper       greedy by log loss, or squared error, whatever the metric is
    held out     greedy, ended at the round that is best on folds that it was not chosen by
    mirror N     mirror descent on the simplex (exponentiated gradient, Kivinen and Warmuth 1997) of log loss or squared
                 error, N steps from equal weights

*Newcomers*: what one more trial adds to the ensemble of the first so many, by the out-of-fold predictions and on unseen
rows, as a share of the ensemble's loss; of trials whose family was tried among those, and of new families.
"""

from __future__ import annotations

import argparse
import json
import pickle
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from larger import choose as larger_tables
from larger import loss
from numpy.typing import NDArray
from patience import choose, codes, cut_in_two, half

from autometa.bench.results import read_lines
from autometa.search.ensemble import greedy_ensemble

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "ensembles.jsonl"
TRIALS, MOST_ROWS = 30, 600
FIRST = (8, 16, TRIALS)

Array = NDArray[np.float64]
Judge = Callable[[Array], float]


def pool(path: Path, family: str, most: int = MOST_ROWS, trials: int = TRIALS, folds: int = 5) -> dict[str, Any]:
    """The trials of one search: what each said of rows held out, and of rows never seen."""
    from autometa.evaluation import Freedom, fit_calibration, fit_model, predict_aligned
    from autometa.search import Settings, search
    from autometa.search.result import leaderboard
    from autometa.search.run import Run

    task, unseen, exclude = cut_in_two(path, family, most)
    settings = Settings(
        seconds=None, trials=trials, jobs=1, folds=folds, remember=False, exclude=exclude, patience="off"
    )
    with tempfile.TemporaryDirectory() as folder:
        result = search(task, settings, Path(folder) / "run")
        run = Run.open(result.run)
        X, truth = task.schema.apply(unseen.drop(columns="target")), codes(task, unseen["target"])
        inside = truth >= 0 if task.kind != "regression" else np.isfinite(truth)
        y, said = np.asarray(task.y), []
        truths = [y[one] for one in np.asarray(run.splits.test)]
        for one in leaderboard(result.trials, task.metric):
            oof = run.oof(one.number)
            if oof is None:
                continue
            model = fit_model(task, one.evaluation.config, np.arange(task.n), seed=0)
            held, later = run.splits.by_fold(oof[None]), predict_aligned(model, X, task.kind, task.c)[inside]
            if task.kind != "regression":  # as the search does before it chooses
                calibration = fit_calibration(np.concatenate(held), np.concatenate(truths), Freedom.OFFSETS)
                held, later = [calibration.apply(fold) for fold in held], calibration.apply(later)
            said.append({"number": one.number, "config": one.evaluation.config, "folds": held, "later": later})
    return {
        "table": path.stem, "family": family, "kind": task.kind, "metric": task.metric, "classes": task.c,
        "rows": task.n, "truths": truths, "unseen": truth[inside], "trials": said,
    }  # fmt: skip


class Choosing:
    """What the ways choose from: the trials of a pool up to a number, the best first."""

    def __init__(self, pool: dict[str, Any], first: int) -> None:
        self.pool, self.truths = pool, pool["truths"]
        trials = [one for one in pool["trials"] if one["number"] < first]
        self.trials = sorted(trials, key=lambda one: -self.score(one["folds"]))
        self.said = [np.concatenate(one["folds"]) for one in self.trials]
        self.ends = np.cumsum([len(truth) for truth in self.truths])[:-1]

    def score(self, folds: list[Array], metric: str = "", rows: list[NDArray[Any]] | None = None) -> float:
        """The mean over folds, as a trial is judged; of `rows` of each only, where they are given."""
        from autometa.evaluation import score

        found = []
        for k, (truth, said) in enumerate(zip(self.truths, folds, strict=True)):
            some = slice(None) if rows is None else rows[k]
            found.append(score(metric or self.pool["metric"], truth[some], said[some], self.pool["classes"]))
        return float(np.nanmean(found))

    def judge(self, **how: Any) -> Judge:
        """Of predictions of all folds, end to end."""
        return lambda pooled: self.score(np.split(pooled, self.ends), **how)

    def greedy(self, rounds: int = 40) -> Array:
        """As the search chooses."""
        return greedy_ensemble(self.said, self.judge(), rounds=rounds)

    def single(self) -> Array:
        """The best alone."""
        return np.eye(len(self.said))[0]

    def equal(self, most: int) -> Array:
        """The best few, equal weights."""
        weights = np.arange(len(self.said)) < most
        return weights / weights.sum()

    def bagged(self, times: int = 20) -> Array:
        """Caruana's section 2.3: the mean of selections from random halves of the candidates, the best always there."""
        rng, m = np.random.default_rng(0), len(self.said)
        total = np.zeros(m)
        for _ in range(times):
            some = np.sort(np.append(rng.permutation(m - 1)[: m // 2] + 1, 0)) if m > 1 else np.zeros(1, int)
            if rng.random() < 0.5 and len(some) > 1:  # as any other candidate, the best is there every other time
                some = some[1:]
            total[some] += greedy_ensemble([self.said[k] for k in some], self.judge())
        return total / times

    def halves(self, times: int = 20) -> Array:
        """The mean of selections by random halves of the rows of each fold."""
        rng, total = np.random.default_rng(0), np.zeros(len(self.said))
        for _ in range(times):
            rows = [rng.permutation(len(truth))[: (len(truth) + 1) // 2] for truth in self.truths]
            total += greedy_ensemble(self.said, self.judge(rows=rows))
        return total / times

    def shrunk(self, share: float, most: int = 8) -> Array:
        """Between greedy's weights and equal ones."""
        return share * self.greedy() + (1 - share) * self.equal(most)

    def proper(self) -> Array:
        """By a proper loss whatever the metric is."""
        metric = "neg_root_mean_squared_error" if self.pool["kind"] == "regression" else "neg_log_loss"
        return greedy_ensemble(self.said, self.judge(metric=metric))

    def mirror(self, steps: int) -> Array:
        """Exponentiated gradient from equal weights of all."""
        y, said = np.concatenate(self.truths), np.stack(self.said)  # (m, n) or (m, n, c)
        weights = np.full(len(said), 1 / len(said))
        for _ in range(steps):
            mixed = np.tensordot(weights, said, axes=1)
            if said.ndim == 2:
                slope = 2 * ((mixed - y) * said).mean(axis=1) / max(float(np.var(y)), 1e-12)
            else:
                own = np.arange(len(y)), y.astype(int)
                slope = -(said[:, *own] / np.maximum(mixed[own], 1e-9)).mean(axis=1)
            weights *= np.exp(-(slope - slope.min()))
            weights /= weights.sum()
        return weights

    def held_out(self) -> Array:
        """Greedy, ended at the number of rounds that is best on folds that it was not chosen by."""
        rounds = (1, 2, 4, 8, 16, 40)
        folds = len(self.truths)
        gained = np.zeros(len(rounds))
        for k in range(min(folds, 5)):
            inside = [np.arange(len(t)) if f % 5 != k else np.zeros(0, int) for f, t in enumerate(self.truths)]
            outside = [np.arange(len(t)) if f % 5 == k else np.zeros(0, int) for f, t in enumerate(self.truths)]
            learn, check = self._of(inside), self._of(outside)
            for i, most in enumerate(rounds):
                weights = greedy_ensemble(self.said, learn, rounds=most)
                gained[i] += check(sum(w * said for w, said in zip(weights, self.said, strict=True)))
        return self.greedy(rounds[int(np.argmax(gained))])

    def _of(self, rows: list[NDArray[Any]]) -> Judge:
        """Judges by the folds of which rows are given."""
        from autometa.evaluation import score

        which = [k for k, some in enumerate(rows) if len(some)]
        metric, c = self.pool["metric"], self.pool["classes"]

        def judged(pooled: Array) -> float:
            folds = np.split(pooled, self.ends)
            return float(np.nanmean([score(metric, self.truths[k], folds[k], c) for k in which]))

        return judged


WAYS: dict[str, Callable[[Choosing], Array]] = {
    "single": Choosing.single,
    "greedy": Choosing.greedy,
    "steps 5": partial(Choosing.greedy, rounds=5),
    "steps 15": partial(Choosing.greedy, rounds=15),
    "bagged": Choosing.bagged,
    "halves": Choosing.halves,
    "shrunk 0.7": partial(Choosing.shrunk, share=0.7),
    "shrunk 0.4": partial(Choosing.shrunk, share=0.4),
    "equal 4": partial(Choosing.equal, most=4),
    "equal 8": partial(Choosing.equal, most=8),
    "proper": Choosing.proper,
    "held out": Choosing.held_out,
    "mirror 5": partial(Choosing.mirror, steps=5),
    "mirror 20": partial(Choosing.mirror, steps=20),
    "mirror 80": partial(Choosing.mirror, steps=80),
}


def judged(pool: dict[str, Any]) -> list[dict[str, Any]]:
    """The loss on unseen rows of each way, after so many trials."""
    from autometa.evaluation import score

    lines = []
    for first in FIRST:
        choosing = Choosing(pool, first)
        losses = {}
        for name, way in WAYS.items():
            weights = way(choosing)
            later = np.asarray(sum(w * one["later"] for w, one in zip(weights, choosing.trials, strict=True)))
            losses[name] = loss(score(pool["metric"], pool["unseen"], later, pool["classes"]))
        line = {key: pool[key] for key in ("table", "family", "metric", "rows")}
        lines.append({**line, "half": half(pool["family"]), "trials": first, "losses": losses})
    return lines


def newcomers(pool: dict[str, Any]) -> dict[str, Any]:
    """What a trial adds to the ensemble of the first 5, 8, 12, ... trials: the means over all that come later."""
    from autometa.evaluation import score

    gains: dict[str, list[tuple[float, float]]] = {"new": [], "again": []}
    families = {one["number"]: one["config"]["family"] for one in pool["trials"]}
    for first in (5, 8, 12, 17, 23):
        before = Choosing(pool, first)
        known = {families[one["number"]] for one in before.trials}

        def ensemble(trials: list[dict[str, Any]], before: Choosing = before) -> tuple[float, float]:
            ranked = sorted(trials, key=lambda one: -before.score(one["folds"]))
            said = [np.concatenate(one["folds"]) for one in ranked]
            weights = greedy_ensemble(said, before.judge(), rounds=20)
            inside = sum(w * one for w, one in zip(weights, said, strict=True))
            later = sum(w * one["later"] for w, one in zip(weights, ranked, strict=True))
            unseen = score(pool["metric"], pool["unseen"], np.asarray(later), pool["classes"])
            return loss(before.judge()(np.asarray(inside))), loss(unseen)

        has = ensemble(before.trials) if before.trials else (0.0, 0.0)
        for one in pool["trials"]:
            if one["number"] >= first and min(has) > 0:
                kind = "again" if families[one["number"]] in known else "new"
                gained = [1 - now / then for now, then in zip(ensemble([*before.trials, one]), has, strict=True)]
                gains[kind].append((gained[0], gained[1]))
    means = {kind: [*np.mean(found, axis=0).tolist(), len(found)] for kind, found in gains.items() if found}
    line = {key: pool[key] for key in ("table", "family", "metric", "rows")}
    return {**line, "half": half(pool["family"]), "newcomers": means}


def report() -> str:
    """A line for each way: the geometric mean of its loss over that of the best single trial."""
    text = ["# ensembles.py", ""]
    for which in ("validation", "held-back"):
        lines = [line for line in read_lines(RESULTS) if line["half"] == which and "losses" in line]
        if not lines:
            continue
        tables = {line["table"] for line in lines}
        text += [f"## {which}: {len(tables)} tables", ""]
        text += [
            "| chosen by | " + " | ".join(f"{first} trials" for first in FIRST) + " | better / worse than greedy |"
        ]
        text += ["|---|" + "---|" * (len(FIRST) + 1)]
        for way in WAYS:
            cells = []
            for first in FIRST:
                some = [line["losses"] for line in lines if line["trials"] == first]
                ratios = [np.log(max(one[way], 1e-6) / max(one["single"], 1e-6)) for one in some]
                cells.append(f"{np.exp(np.mean(ratios)):.4f}")
            all_of = [line["losses"] for line in lines]
            won = sum(one[way] < one["greedy"] - 1e-9 for one in all_of)
            lost = sum(one[way] > one["greedy"] + 1e-9 for one in all_of)
            text.append(f"| {way} | " + " | ".join(cells) + f" | {won} / {lost} |")
        text.append("")
    text += ["## Newcomers", "", "| one more trial | tables | trials | less loss, out of fold: mean, median | unseen |"]
    text += ["|---|---|---|---|---|"]
    told = [line for line in read_lines(RESULTS) if "newcomers" in line]
    for kind, title in (("new", "of a new family"), ("again", "of a family that was tried")):
        for size, low, high in (("600 rows at most", 0, MOST_ROWS), ("more rows", MOST_ROWS + 1, 10**9)):
            own = [
                line["newcomers"][kind] for line in told if kind in line["newcomers"] and low <= line["rows"] <= high
            ]
            if own:
                values = 100 * np.array([one[:2] for one in own])
                cells = [f"{np.mean(v):.2f} %, {np.median(v):.2f} %" for v in values.T]
                trials = sum(one[2] for one in own)
                text.append(f"| {title}, {size} | {len(own)} | {trials:,} | {cells[0]} | {cells[1]} |")
    text.append("")
    return "\n".join(text)


def main() -> None:
    """Makes pools, judges them, or reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data", help="has catalog.csv")
    parser.add_argument("--pool", type=Path, help="where the predictions are, outside the repository")
    parser.add_argument("--tables", type=int, default=30, help="at most, of each half")
    parser.add_argument("--larger", action="store_true")
    parser.add_argument("--judge", action="store_true")
    parser.add_argument("--report", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    if asked.report:
        RESULTS.with_suffix(".md").write_text(report(), encoding="utf-8")
        print(report())
        return
    if asked.pool is None:
        parser.error("name a folder with --pool")
    if asked.judge:
        pools = (pickle.loads(path.read_bytes()) for path in sorted(asked.pool.glob("*.pkl")))
        lines = [line for one in pools for line in (*judged(one), newcomers(one))]
        here = {(line["table"], line["rows"]) for line in lines}  # of others, what was judged elsewhere stays
        kept = [line for line in read_lines(RESULTS) if (line["table"], line["rows"]) not in here]
        RESULTS.write_text("".join(json.dumps(line) + "\n" for line in [*kept, *lines]), encoding="utf-8")
        print(report())
        return
    asked.pool.mkdir(parents=True, exist_ok=True)
    halves = [choose(asked.data / "catalog.csv", which)[: asked.tables] for which in ("validation", "held-back")]
    rows = [row for pair in zip(*halves, strict=False) for row in pair]  # in turn, so that both grow alike
    size: dict[str, int] = {}
    if asked.larger:
        rows, size = (
            larger_tables(asked.data / "catalog.csv")[: asked.tables],
            {"most": 4_000, "trials": 24, "folds": 3},
        )
    for row in rows:
        path = asked.pool / f"{row['name']}.pkl"
        if path.exists():
            continue
        began = time.monotonic()
        made = pool(asked.data / "tabular" / f"{row['name']}.parquet", row["family"], **size)
        path.with_suffix(".part").write_bytes(pickle.dumps(made, protocol=5))
        path.with_suffix(".part").rename(path)
        print(f"{row['name']}: {len(made['trials'])} trials, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
