"""Episodes of examples that belong to classes: images, or vectors.

The examples stay where they are put (uint8 on the device, if they are images), and are chosen, turned and scaled there.
With `turns`, each class counts four times, turned by 0, 90, 180 and 270 degrees, as is the custom for Omniglot.

Letters:  t tasks · c classes · k examples of a class · n all examples.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from autometa.errors import Problem
from autometa.fewshot.data.source import Choice, Description
from autometa.fewshot.episode import Episode, EpisodeSpec, Examples
from autometa.fewshot.options import OPTIONS

ANY = "any"  # the domain of a task whose classes come from several


@dataclass(frozen=True, eq=False)
class Classes:
    """A source of examples that belong to classes, which belong to domains."""

    x: Tensor  # (n, channels, height, width) uint8, or (n, p) float32
    rows: tuple[NDArray[np.int64], ...]  # (c,) which examples belong to each class
    names: tuple[str, ...]  # (c,)
    domain_of: tuple[str, ...]  # (c,)
    turns: int = 1  # 1, 2 or 4 quarter turns that count as classes of their own

    @cached_property
    def domains(self) -> tuple[str, ...]:
        """The domains, in the order of their first class."""
        return tuple(dict.fromkeys(self.domain_of))

    def problem(self, way: int) -> EpisodeSpec:
        """Classification; every class, turned or not, is known by its number."""
        return EpisodeSpec("classification", tuple(self.x.shape[1:]), way, len(self.rows) * self.turns)

    def check(self, way: int, examples: int) -> list[Problem]:
        """Too few classes, or too few examples in some."""
        wrong = []
        few = [(name, len(rows)) for name, rows in zip(self.names, self.rows, strict=True) if len(rows) < examples]
        if few:
            listed = ", ".join(f"{name} ({n})" for name, n in few[:5]) + (", ..." if len(few) > 5 else "")
            wrong.append(
                Problem(
                    "examples",
                    f"{len(few)} of {len(self.rows)} classes have fewer than the {examples} that support and query "
                    f"take: {listed}",
                    "Lower --shot or --query, or leave these classes out.",
                )
            )
        if way > len(self.rows) * self.turns:
            wrong.append(
                Problem("classes", f"{way} ways asked, {len(self.rows) * self.turns} classes there", "Lower --way.")
            )
        return wrong

    def propose(self, rng: Generator, count: int, way: int, domain: str | None = None) -> list[Choice]:
        """Classes without repetition; with a domain, of that alone."""
        pool = np.arange(len(self.rows)) if domain is None else self._of(domain)
        pool = (pool + len(self.rows) * np.arange(self.turns)[:, None]).ravel()
        if way > len(pool):
            raise ValueError(f"{domain} has {len(pool)} classes, fewer than {way}")
        return [
            Choice(domain or ANY, tuple(int(k) for k in rng.choice(pool, way, replace=False))) for _ in range(count)
        ]

    @cached_property
    def fingerprint(self) -> str:
        """A number that tells other examples, classes or turns; the place they were read from does not count."""
        x = self.x.cpu().contiguous().numpy()
        domains = [self.domains.index(domain) for domain in self.domain_of]  # some are named by a folder
        names = repr((self.names, domains, self.turns, tuple(x.shape), [len(rows) for rows in self.rows]))
        crc = zlib.crc32(memoryview(x).cast("B"), zlib.crc32(names.encode()))
        return f"{zlib.crc32(np.concatenate(self.rows).astype('<i8').tobytes(), crc):08x}"

    def offered(self, domain: str | None = None) -> int:
        """How many classes there are, or in one domain."""
        return self.turns * (len(self.rows) if domain is None else len(self._of(domain)))

    def describe(self, choices: Sequence[Choice]) -> Description:
        """By the mean thumbnails of the classes: their mean and spread; tasks of look-alike classes are hard."""
        thumbs = self.thumbnails
        picked = [thumbs[np.array(choice.key, dtype=int)] for choice in choices]
        features = np.stack([np.concatenate([p.mean(0), p.std(0)]) for p in picked])
        apart = [np.sqrt(((p[:, None] - p[None]) ** 2).sum(-1))[np.triu_indices(len(p), 1)] for p in picked]
        return Description(features, -np.array([a.mean() if a.size else 0.0 for a in apart]))

    def episode(self, rng: Generator, choices: Sequence[Choice], shot: int, query: int) -> Episode:
        """Distinct examples of each class; the support in a random order, which some learners see."""
        keys = np.array([choice.key for choice in choices], dtype=np.int64)  # (t, c)
        (t, c), k = keys.shape, shot + query
        if self.x.is_cuda:
            generator = torch.Generator(self.x.device).manual_seed(int(rng.integers(2**63)))
            x, order = self.drawn(torch.from_numpy(keys).to(self.x.device), shot, k, generator)
        else:
            rows = np.stack([rng.choice(self.rows[i % len(self.rows)], k, replace=False) for i in keys.ravel()])
            x = self.x[torch.from_numpy(rows).to(self.x.device)]  # (t c, k, ...)
            for turn in range(1, self.turns):
                turned = torch.from_numpy(np.flatnonzero(keys.ravel() // len(self.rows) == turn)).to(x.device)
                if len(turned):
                    x[turned] = torch.rot90(x[turned], turn, (-2, -1))
            order = torch.from_numpy(rng.random((t, c * shot)).argsort(1)).to(x.device)
        x = scaled(x).unflatten(0, (t, c))  # (t, c, k, ...)
        y = torch.arange(c, device=x.device)[None, :, None].expand(t, c, k)
        place = torch.arange(t, device=x.device)[:, None]
        support_x, support_y = x[:, :, :shot].flatten(1, 2)[place, order], y[:, :, :shot].flatten(1)[place, order]
        query_x, query_y = x[:, :, shot:].flatten(1, 2), y[:, :, shot:].flatten(1)
        return Episode(
            Examples(support_x, support_y, torch.ones(support_y.shape, device=x.device)),
            Examples(query_x, query_y, torch.ones(query_y.shape, device=x.device)),
            torch.from_numpy(keys).to(x.device),
        )

    def drawn(
        self, keys: Tensor, shot: int, k: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:  # (t, c) -> (t c, k, ...), (t, c * shot)
        """`k` distinct examples of each class and an order of the support, without leaving the device.

        On a GPU a step waits for what is drawn on the processor and copied; the seed of `generator` is all it needs.
        """
        table, counts, turned = self._on_device
        (t, c), flat = keys.shape, keys.flatten()
        place = flat % len(self.rows)
        chance = torch.rand((len(flat), table.shape[1]), generator=generator, device=keys.device)
        beyond = torch.arange(table.shape[1], device=keys.device) >= counts[place, None]
        picked = chance.masked_fill(beyond, 2.0).argsort(1)[:, :k]
        x = self.x[table[place].gather(1, picked)]
        if self.turns > 1:
            where = turned[flat // len(self.rows)]  # (t c, h w)
            pixels = x.flatten(-2)
            where = where.view(len(flat), *(1 for _ in pixels.shape[1:-1]), -1).expand_as(pixels)
            x = pixels.gather(-1, where).view_as(x)
        order = torch.rand((t, c * shot), generator=generator, device=keys.device).argsort(1)
        return x, order

    @cached_property
    def _on_device(self) -> tuple[Tensor, Tensor, Tensor]:  # (classes, most), (classes,), (turns, h w)
        """The rows of each class, padded; how many they are; and which pixel stands where after each turn."""
        most = max(map(len, self.rows))
        table = np.stack([np.pad(rows, (0, most - len(rows))) for rows in self.rows])
        counts = np.array([len(rows) for rows in self.rows])
        device = self.x.device
        if self.turns > 1:
            side = self.x.shape[-2:]
            pixels = torch.arange(side[0] * side[1]).view(side)
            turned = torch.stack([torch.rot90(pixels, turn).flatten() for turn in range(self.turns)])
        else:
            turned = torch.zeros((1, 0), dtype=torch.int64)
        return torch.from_numpy(table).to(device), torch.from_numpy(counts).to(device), turned.to(device)

    def to(self, device: torch.device | str) -> Classes:
        """The same source with its examples on another device."""
        return replace(self, x=self.x.to(device))

    def _of(self, domain: str) -> NDArray[np.int64]:
        return np.flatnonzero(np.array(self.domain_of) == domain)

    @cached_property
    def thumbnails(self) -> NDArray[np.float64]:  # (c * turns, f)
        """The mean example of each class, turned or not, made small."""
        means = torch.stack([scaled(self.x[torch.from_numpy(r).to(self.x.device)]).mean(0) for r in self.rows])
        if means.ndim == 4:
            turned = torch.cat([torch.rot90(means, turn, (-2, -1)) for turn in range(self.turns)])
            means = torch.nn.functional.adaptive_avg_pool2d(turned, min(OPTIONS.thumbnail, *turned.shape[-2:]))
        return means.flatten(1).double().cpu().numpy()


def scaled(x: Tensor) -> Tensor:
    """Images as numbers in 0..1; vectors as they are."""
    return x.float().div_(255) if x.dtype == torch.uint8 else x


def grouped(label: NDArray[Any], keep: NDArray[np.bool_]) -> dict[int, NDArray[np.int64]]:
    """The rows of each class, of those that are kept."""
    kept = np.flatnonzero(keep)
    if not len(kept):
        return {}
    order = kept[np.argsort(label[kept], kind="stable")]
    classes, starts = np.unique(label[order], return_index=True)
    return {int(k): part for k, part in zip(classes, np.split(order, starts[1:]), strict=True)}
