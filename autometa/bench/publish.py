"""Runs for OpenML: the predictions of finished cells as what the server wants, and their upload.

A run holds the predictions of one method for every fold of a task, so only a task whose folds are all finished can be
published; of the others it is said what they lack. `offer` finds what there is, `publish` sends it, and tells what it
sends when it is dry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autometa.bench.methods import METHODS
from autometa.bench.results import Record, append, read_lines
from autometa.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

PUBLISHED = "published.jsonl"  # what was sent, so that it is not sent twice

Split = tuple[int, int, Any, Any]  # repeat, fold, rows learned from, rows predicted


@dataclass(frozen=True, slots=True)
class Offer:
    """A method on a task, with a result for at least one fold."""

    task_id: int
    name: str
    method: str
    budget: float
    records: tuple[Record, ...]  # of its cells


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of an offer: sent, or shown by a dry run, or why it cannot be sent."""

    offer: Offer
    url: str | None  # of the run; None if it was not sent
    why: str  # why not; empty for what was sent or, in a dry run, could be
    predictions: int  # rows

    def to_dict(self) -> dict[str, Any]:
        """What ``autometa bench --publish --json`` prints of it."""
        one = self.offer
        return {"task": one.task_id, "method": one.method, "url": self.url, "why": self.why, "rows": self.predictions}


def offer(records: Iterable[Record], methods: Sequence[str], out: Path, *, cores: int, seed: int) -> list[Offer]:
    """What there is of OpenML's tasks, by task and method.

    Args:
        records: Of finished cells.
        methods: Names.
        out: The folder of the results; what was sent from there already is left out.
        cores: Only cells on so many,
        seed: and of this seed.
    """
    before = {(r["task_id"], r["method"], r["budget"], r["cores"], r["seed"]) for r in read_lines(out / PUBLISHED)}
    found: dict[tuple[int, str, float], list[Record]] = {}
    for record in records:
        if record["task_id"] is not None and record["cores"] == cores and record["seed"] == seed:
            key = record["task_id"], record["method"], record["budget"]
            if record["method"] in methods and (*key, cores, seed) not in before:
                found.setdefault(key, []).append(record)
    return [Offer(key[0], own[0]["name"], *key[1:], tuple(own)) for key, own in sorted(found.items())]


def publish(
    client: Any,
    offers: Sequence[Offer],
    out: Path,
    *,
    dry: bool = True,
    tell: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> list[Sent]:
    """Sends every offer that is whole; a dry run builds the same documents and sends nothing.

    Args:
        client: An `autometa.openml.OpenML`.
        offers: From `offer`.
        out: Folder of the results, where the predictions are.
        dry: Send nothing.
        tell: Told how many are done, of how many, and which is next.
    """
    sent = []
    for done, one in enumerate(offers):
        tell(done, len(offers), f"{one.method} on {one.name}")
        try:
            predictions = predictions_of(one, client.task(one.task_id).splits, out)
            answer = client.publish(
                task_id=one.task_id,
                flow=f"autometa.bench.{one.method}",
                version=_version(one.records[0]),
                description=f"{METHODS[one.method].title}, as `autometa bench` runs it.",
                parameters={"seconds": one.budget, "cores": one.records[0]["cores"], "seed": one.records[0]["seed"]},
                predictions=predictions,
                dry=dry,
            )
        except InputError as error:
            sent.append(Sent(one, None, str(error).splitlines()[0], 0))
        else:
            sent.append(Sent(one, answer.url, "", answer.predictions))
            if not dry:
                values = {"task_id": one.task_id, "method": one.method, "budget": one.budget, "url": answer.url}
                append(out / PUBLISHED, values | {name: one.records[0][name] for name in ("cores", "seed")})
    if offers:
        tell(len(offers), len(offers), "")
    return sent


def predictions_of(one: Offer, splits: Iterable[Split], out: Path) -> pd.DataFrame:
    """One row for each row that a fold predicts: ``repeat``, ``fold``, ``row``, ``prediction`` and ``proba_LABEL``.

    Raises:
        InputError: Folds that have no result, or whose prediction is not there: all of them.
    """
    import pandas as pd

    by_fold: Mapping[tuple[int, int], Record] = {(r["repeat"], r["fold"]): r for r in one.records}
    problems, parts = [], []
    lacking = []
    for repeat, fold, _, test in splits:
        record = by_fold.get((repeat, fold))
        if record is None or record["score"] is None:
            lacking.append(f"{fold}" if repeat == 0 else f"{repeat}.{fold}")
            continue
        path = out / record["prediction"]
        if not path.is_file():
            problems.append(Problem(str(path), "is not there"))
            continue
        with np.load(path) as content:
            classes, values = content["classes"], content["prediction"].astype(np.float64)
        if len(values) != len(test):
            what = f"{len(values)} predictions for the {len(test)} rows of fold {fold}"
            problems.append(Problem(one.name, what, "Rows without a label were left out; OpenML wants them all."))
            continue
        part: dict[str, Any] = {"repeat": repeat, "fold": fold, "row": np.asarray(test)}
        if len(classes):
            values /= values.sum(axis=1, keepdims=True)
            part["prediction"] = classes[values.argmax(axis=1)]
            part |= {f"proba_{label}": values[:, k] for k, label in enumerate(classes)}
        else:
            part["prediction"] = values
        parts.append(pd.DataFrame(part))
    if lacking:
        what = f"{one.method} has no result for {'fold' if len(lacking) == 1 else 'folds'} {', '.join(lacking)}"
        problems.insert(0, Problem(one.name, what, "OpenML takes a run of all folds of a task."))
    if problems:
        raise InputError(problems)
    return pd.concat(parts, ignore_index=True).fillna(0.0)  # a class that a fold never saw has no probability there


def _version(record: Record) -> str:
    """The software that ran, as ``name==version``: the method's own first."""
    versions = record.get("versions", {})
    own = {"flaml": "flaml", "autogluon": "autogluon.tabular", "rf": "scikit-learn", "lightgbm": "lightgbm"}
    first = own.get(record["method"].removesuffix("-best"), "autometa")
    names = [first, *(name for name in ("scikit-learn", "optuna", "lightgbm") if name != first)]
    return ",".join(f"{name}=={versions[name]}" for name in names if name in versions) or record["version"]
