"""The published rows of few-shot learning on a GPU, in minutes; `benchmarks/fewshot.py --gpu` runs it.

    python benchmarks/fewshot.py --gpu --seconds 540                  in this order, so that a cut loses the least
    python benchmarks/fewshot.py --gpu --seconds 60 --device cpu      the same on a CPU, to see that it works

First whether the device gives the processor's gradients, then how many episodes a second it learns from (launched part
by part, and recorded: a CUDA graph), then one training after another with its papers' sizes, each judged at once. The
seconds are shared as `PLAN` says; what one leaves over is the next ones'. `results/fewshot_gpu.jsonl` gets a line after
each, so a run that is cut keeps what it did. Steps are the papers' where the time allows; a line says how many it were.

No figure of this stands in the documentation yet: no GPU has run it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fewshot import fastest
from torch.utils._pytree import tree_map

from autometa.bench.results import append
from autometa.fewshot import TrainingSettings, evaluate, find_learner, make, train
from autometa.fewshot.accelerate import meta_gradient_of, precision, precision_of
from autometa.fewshot.backends import meta_gradient
from autometa.fewshot.data.source import Data

RESULTS = Path(__file__).resolve().parent / "results" / "fewshot_gpu.jsonl"
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-3}  # relative, of a meta-gradient in full precision


@dataclass(frozen=True)
class Row:
    """A training of a paper, its share of the time, and what it is judged by."""

    learner: str
    share: float  # of the seconds; those of all rows and of the measurements before them are one
    way: int
    shot: int
    steps: int
    training: dict[str, Any]
    judged: tuple[tuple[int, int], ...]  # ways and shots
    published: dict[tuple[int, int], str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


PLAN = (
    Row("protonet", 0.12, 60, 1, 20_000, {"way": 60, "query": 5, "schedule": "halving", "half_life": 2000},
        ((5, 1), (5, 5), (20, 1), (20, 5)), {(5, 1): "98.8", (5, 5): "99.7", (20, 1): "96.0", (20, 5): "98.9"}),
    Row("matching", 0.08, 20, 1, 10_000, {"tasks": 4, "query": 5},
        ((5, 1), (5, 5), (20, 1), (20, 5)), {(5, 1): "98.1", (5, 5): "98.9", (20, 1): "93.8", (20, 5): "98.5"}),
    Row("maml", 0.28, 5, 1, 20_000, {"tasks": 32, "query": 5}, ((5, 1),), {(5, 1): "98.7"},
        {"steps": 1, "rate": 0.4}),
    Row("maml", 0.11, 5, 5, 6_000, {"tasks": 32, "query": 5}, ((5, 5),), {(5, 5): "99.9"},
        {"steps": 1, "rate": 0.4}),
    Row("maml", 0.15, 20, 1, 6_000, {"tasks": 16, "query": 5}, ((20, 1),), {(20, 1): "95.8"},
        {"steps": 5, "rate": 0.1}),
    Row("fomaml", 0.06, 5, 1, 20_000, {"tasks": 32, "query": 5}, ((5, 1),), {(5, 1): "98.3"},
        {"steps": 1, "rate": 0.4}),
    Row("reptile", 0.06, 5, 1, 20_000, {}, ((5, 1), (20, 1)), {(5, 1): "97.7", (20, 1): "89.4"}),
    Row("mann", 0.04, 5, 5, 20_000, {"tasks": 16}, ((5, 5),), {(5, 5): "94.9"}),
)  # fmt: skip
MEASURED = 1 - sum(row.share for row in PLAN)  # of the seconds, for gradients and speed


def gradients(data: Data, device: str) -> Iterator[dict[str, Any]]:
    """How far a device's meta-gradients are from the processor's, at its own and at full precision."""
    for name in ("maml", "protonet", "mann"):
        learner = make(find_learner(name), data.train.problem(5), None)
        rng = np.random.default_rng(0)
        episode = data.train.episode(rng, data.train.propose(rng, 2, 5), 1, 5)
        weights = learner.initialise(torch.Generator().manual_seed(0))
        for kind, tolerance in TOLERANCE.items():
            here = tree_map(partial(_as_kind, kind=kind, device="cpu"), (weights, episode))
            there = tree_map(partial(_as_kind, kind=kind, device=device), (weights, episode))
            wanted, found = (meta_gradient(learner, *given, "vmap")[1] for given in (here, there))
            off = max(
                float((found[k].cpu() - w).abs().max() / w.abs().max().clamp_min(1e-12)) for k, w in wanted.items()
            )
            yield {"what": "gradient", "learner": name, "type": str(kind), "off": off, "good": off < tolerance}


def _as_kind(a: torch.Tensor, *, kind: torch.dtype, device: str) -> torch.Tensor:
    return (a.to(kind) if a.is_floating_point() else a).to(device)


def speed(data: Data, device: str, until: float) -> Iterator[dict[str, Any]]:
    """Episodes a second of the meta-gradient by learner, tasks and queries, launched part by part and recorded."""
    source = data.train.to(device)
    for name in ("maml", "fomaml", "protonet"):
        learner = make(find_learner(name), data.train.problem(5), None)
        weights = {k: w.to(device) for k, w in learner.initialise(torch.Generator().manual_seed(0)).items()}
        for tasks, query in ((4, 1), (32, 1), (32, 5), (32, 15), (256, 5)):
            if time.monotonic() > until:
                return
            rng = np.random.default_rng(0)
            episode = source.episode(rng, source.propose(rng, tasks, 5), 1, query)
            took: dict[str, float] = {}
            for recorded in (False, True):
                step = meta_gradient_of(recorded=recorded, device=device, say=print)
                with precision(learner, device):
                    took["recorded" if recorded else "launched"] = fastest(
                        lambda step=step, n=learner, w=weights, e=episode: step(n, w, e, "vmap"), device
                    )
            yield {
                "what": "speed", "learner": name, "tasks": tasks, "query": query,
                **{f"{key}_episodes_per_second": round(tasks / value, 1) for key, value in took.items()},
            }  # fmt: skip


def trained(row: Row, data: Data, device: str, seconds: float, episodes: int) -> Iterator[dict[str, Any]]:
    """One training, and what it is worth on test episodes, a line for each protocol."""
    way = min(row.way, data.train.offered()) if hasattr(data.train, "offered") else row.way
    judged = [(w, s) for w, s in row.judged if not data.test.check(w, s + 15)]
    judging = min(way, max((w for w, _ in judged), default=5)) if row.learner in ("protonet", "matching") else way
    learner = make(find_learner(row.learner), data.train.problem(judging), row.options)
    training = replace(learner.training, **({**row.training, "way": way} if "way" in row.training else row.training))
    settings = TrainingSettings(
        row.steps, way=min(judging, 5) if row.learner in ("protonet", "matching") else way, shot=row.shot,
        look_every=1_000, seconds=seconds, patience=1_000, backend="vmap", compile=True,
    )  # fmt: skip
    began = time.monotonic()
    state = train(learner, data, settings, training=training, device=device, say=print)
    took = time.monotonic() - began
    for ways, shot in judged:
        asked = make(find_learner(row.learner), data.test.problem(ways), row.options)
        found = evaluate(asked, state.best, data.test.to(device), episodes=episodes, way=ways, shot=shot)
        yield {
            "what": "published row", "learner": row.learner, "way": ways, "shot": shot,
            "accuracy": round(100 * found.mean, 2), "interval": round(100 * found.interval, 2),
            "published": row.published.get((ways, shot)), "steps": state.step, "of": row.steps,
            "seconds": round(took, 1), "precision": precision_of(learner, device),
        }  # fmt: skip


def conduct(
    data: Data,
    *,
    device: str,
    seconds: float,
    keep: Callable[[dict[str, Any]], None],
    plan: tuple[Row, ...] = PLAN,
    episodes: int = 1_000,
) -> None:
    """All of it within the seconds, in order; `keep` gets each line as soon as it is known."""
    began = time.monotonic()
    for line in gradients(data, device):
        keep(line)
    for line in speed(data, device, began + MEASURED * seconds):
        keep(line)
    for k, row in enumerate(plan):
        left = seconds - (time.monotonic() - began)
        share = row.share / sum(one.share for one in plan[k:])
        if left <= 0:
            keep({"what": "cut", "learner": row.learner, "way": row.way, "shot": row.shot})
            continue
        for line in trained(row, data, device, 0.85 * left * share, episodes):  # the rest is for judging
            keep(line)


def keeper(device: str, where: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Writes a line with what it was measured on, and shows it."""
    name = torch.cuda.get_device_name(0) if device.startswith("cuda") else "CPU"

    def keep(line: dict[str, Any]) -> None:
        line = {"benchmark": "fewshot gpu", **line, "device": name, **where}
        append(RESULTS, line)
        print(json.dumps(line), flush=True)

    return keep
