"""Episodes of made-up tables as people have them: any share of classes, 16 rows or hundreds, columns of every type.

Each task is a table drawn from a random mechanism, a structural causal model in the sense of TabPFN (Hollmann et al.,
2023): columns are nodes of a random network over random causes (or plainly independent), and the class follows from
some of them through another network, through trees, linearly, or is the cloud a row was drawn from. Noise, skew, ties,
truth values, missing cells and wrong labels come on top.

Unlike ``prior``, whose episodes have as many examples of every class, a support here is a random part of a table:
`shot` times the classes bounds its rows, and each episode draws how many there are (16 or more, all sizes as likely
on a logarithmic scale). A table may have fewer classes than the episode has ways; every class is in the support.

Letters:  t tasks · n rows · p columns · c classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from autometa.fewshot.data.source import Choice, Data, Description, whole_option
from autometa.fewshot.data.tables import MadeUp, standardised
from autometa.fewshot.episode import Episode, Examples
from autometa.fewshot.options import OPTIONS

MECHANISMS = ("network", "trees", "linear", "clusters")
MECHANISM_SHARES = (0.4, 0.3, 0.1, 0.2)
Matrix = NDArray[np.float64]


class Synthetic(MadeUp):
    """A source of made-up tables of any shares of classes, sizes and types of columns."""

    @property
    def domains(self) -> tuple[str, ...]:
        """The mechanisms by which a row gets its class."""
        return MECHANISMS

    def propose(self, rng: Generator, count: int, way: int, domain: str | None = None) -> list[Choice]:
        """A mechanism, a seed, and how many classes: half of the tables have two."""
        chosen = []
        for _ in range(count):
            k = MECHANISMS.index(domain) if domain is not None else int(rng.choice(len(MECHANISMS), p=MECHANISM_SHARES))
            c = 2 if way == 2 or rng.random() < 0.5 else int(rng.integers(3, way + 1))
            chosen.append(Choice(MECHANISMS[k], (k, way, int(rng.integers(2**31)), c)))
        return chosen

    def describe(self, choices: Sequence[Choice]) -> Description:
        """By mechanism and number of classes; the more classes, the harder."""
        keys = np.array([(choice.key[0], choice.key[3] / 10) for choice in choices], dtype=float)
        return Description(keys, keys[:, 1])

    def episode(self, rng: Generator, choices: Sequence[Choice], shot: int, query: int) -> Episode:
        """Rows at random, at least one of each class in the support."""
        way = int(choices[0].key[1])
        most = max(way * shot, OPTIONS.synthetic_rows)
        support = max(round(math.exp(rng.uniform(math.log(OPTIONS.synthetic_rows), math.log(most)))), way)
        wanted = way * query
        parts: list[list[NDArray[Any]]] = [[], [], [], []]
        for choice in choices:
            own = np.random.default_rng([int(choice.key[2]), int(rng.integers(2**31))])
            x, y = table(own, MECHANISMS[int(choice.key[0])], support + wanted, int(choice.key[3]), self.columns)
            labels = own.permutation(way)[y]  # which of the ways the classes are
            _, first = np.unique(labels, return_index=True)
            order = np.concatenate([first, own.permutation(np.setdiff1d(np.arange(len(y)), first))])
            a, b = own.permutation(order[:support]), order[support:]
            for kept, new in zip(parts, (*standardised(x[a], x[b], self.columns), labels[a], labels[b]), strict=True):
                kept.append(new)
        sx, qx, sy, qy = (torch.from_numpy(np.stack(part)).to(self.device) for part in parts)
        ones = (torch.ones(y.shape, device=self.device) for y in (sy, qy))
        classes = torch.full((len(choices), way), -1, device=self.device)
        return Episode(Examples(sx, sy, next(ones)), Examples(qx, qy, next(ones)), classes)


def synthetic(path: str | None, options: dict[str, Any]) -> Data:
    """Made-up tables as people have them; no path is needed, the option ``columns`` is the most of a table."""
    source = Synthetic(whole_option("synthetic", options, "columns", OPTIONS.synthetic_columns))
    return Data("synthetic", source, source, source)


def table(rng: Generator, mechanism: str, n: int, c: int, columns: int) -> tuple[Matrix, NDArray[np.int64]]:
    """A table of 2 to `columns` columns (NaN where missing) and its labels; every class occurs."""
    while True:
        p = round(math.exp(rng.uniform(math.log(2), math.log(columns))))
        x, y = _clusters(rng, n, p, c) if mechanism == "clusters" else _caused(rng, mechanism, n, p, c)
        for j in range(p):
            x[:, j] = _typed(rng, x[:, j])
        if rng.random() < 0.15:
            x[rng.random(x.shape) < rng.uniform(0, 0.15)] = np.nan
        if rng.random() < 0.2:
            wrong = rng.random(n) < rng.uniform(0, 0.15)
            y[wrong] = rng.permutation(y[wrong])
        if len(np.unique(y)) == c:
            return x, y


def _caused(rng: Generator, mechanism: str, n: int, p: int, c: int) -> tuple[Matrix, NDArray[np.int64]]:
    causes = rng.normal(size=(n, int(rng.integers(1, p + 3))))
    if rng.random() < 0.3:
        causes /= np.sqrt(rng.chisquare(3, size=causes.shape) / 3)  # heavy tails
    x = rng.normal(size=(n, p))
    if rng.random() < 0.7:
        x = _network(rng, causes, p, int(rng.integers(1, 4)), rng.uniform(0.1, 1.0)) + rng.exponential(0.3) * x
    z = _standard(x)[:, rng.permutation(p)[: max(1, math.ceil(p * rng.uniform(0.1, 1.0)))]]
    outputs = 1 if c == 2 or rng.random() < 0.5 else c
    if mechanism == "network":
        value = _network(rng, z, outputs, int(rng.integers(1, 4)), 0.0)
    elif mechanism == "trees":
        trees = int(rng.integers(1, 12))
        value = np.stack(
            [sum(_tree(rng, z, int(rng.integers(1, 5))) for _ in range(trees)) for _ in range(outputs)], axis=1
        )
    else:
        value = z @ (rng.normal(size=(z.shape[1], outputs)) * rng.exponential(size=(z.shape[1], 1)))
    value = _standard(value)
    value += rng.exponential(rng.choice([0.03, 0.2, 0.6])) * rng.normal(size=value.shape)
    if outputs > 1:
        return x, (value + 0.5 * rng.normal(size=outputs)).argmax(axis=1)
    cuts = np.sort(rng.uniform(0.08, 0.92, c - 1)) if rng.random() < 0.6 else np.arange(1, c) / c
    y = np.searchsorted(np.quantile(value[:, 0], cuts), value[:, 0])
    return x, rng.permutation(c)[y]


def _clusters(rng: Generator, n: int, p: int, c: int) -> tuple[Matrix, NDArray[np.int64]]:
    """Classes of one to several stretched clouds, of any size."""
    m = int(rng.integers(c, 4 * c))
    centres = rng.normal(size=(m, p)) * rng.exponential(size=p) * rng.uniform(0.3, 2.0)
    labels = np.concatenate([np.arange(c), rng.integers(c, size=m - c)])
    cloud = rng.choice(m, n, p=rng.dirichlet(np.full(m, 2.0)))
    x = centres[cloud] + rng.normal(size=(n, p)) * rng.uniform(0.3, 1.5, size=(m, p))[cloud]
    return x, labels[cloud]


BENDS: tuple[Callable[[Matrix], Matrix], ...] = (
    np.tanh,
    np.sin,
    np.abs,
    lambda a: np.maximum(a, 0),
    lambda a: (a > 0).astype(float),
    lambda a: a,
)


def _network(rng: Generator, h: Matrix, outputs: int, layers: int, noise: float) -> Matrix:  # (n, p) -> (n, outputs)
    for layer in range(layers):
        last = layer == layers - 1
        width = outputs if last else int(rng.integers(3, 24))
        weights = rng.normal(size=(h.shape[1], width)) * (rng.random((h.shape[1], width)) < rng.uniform(0.2, 1.0))
        h = h @ weights / math.sqrt(max(1.0, 0.6 * h.shape[1])) + 0.3 * rng.normal(size=width)
        if not last or rng.random() < 0.5:
            h = BENDS[int(rng.integers(len(BENDS)))](h * rng.uniform(0.5, 2.0))
        h = h + noise * rng.exponential(0.3) * rng.normal(size=h.shape)
    return h


def _tree(rng: Generator, x: Matrix, depth: int) -> Matrix:  # (n, p) -> (n,)
    """A random value for each leaf of a tree whose nodes split a random column."""
    n, p = x.shape
    node = np.zeros(n, dtype=int)
    likely = rng.dirichlet(np.full(p, rng.choice([0.2, 0.5, 1.0, 3.0])))
    for level in range(depth):
        columns = rng.choice(p, 2**level, p=likely)
        cuts = np.array([np.quantile(x[:, j], rng.uniform(0.15, 0.85)) for j in columns])
        node = 2 * node + (x[np.arange(n), columns[node]] > cuts[node])
    return rng.normal(size=2**depth)[node]


def _typed(rng: Generator, values: Matrix) -> Matrix:  # (n,)
    """Truth values, a few levels, a skewed number; mostly as it is."""
    draw = rng.random()
    if draw < 0.15:
        return (values > np.quantile(values, rng.uniform(0.1, 0.9))).astype(float)
    if draw < 0.3:
        cuts = np.sort(rng.uniform(0, 1, int(rng.integers(2, 8))))
        return np.searchsorted(np.quantile(values, cuts), values).astype(float)
    if draw < 0.4:
        return np.exp(np.clip(_standard(values), -4, 4) * rng.uniform(0.5, 1.5))
    return values


def _standard(values: Matrix) -> Matrix:
    return (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-9)
