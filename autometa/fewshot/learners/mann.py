"""MANN: a memory-augmented network that reads a task as a sequence.

At each step an LSTM controller sees an example together with the label of the *one before*, so it has to bind what it
saw to what it hears next, in an external memory. A step's key is compared by cosine with the memory as the step before
left it, and what is read there answers; then the key is written, to where the step before left its own key or to the
least used row (least recently used access). Each query is one step more after the support, on a copy of memory and
state, so queries know nothing of each other. The rows to overwrite are chosen by rank, through which no gradient flows.

Three things matter that the paper leaves open. An answer is read *before* the step's key is written, or the key finds
itself: accuracy stayed near 50 %. Where the next step writes is found *after* it, where the key now is: only so does a
label, which comes one step late, reach the row of its example (before, five shots were no better than one). And
a row of little content is like nothing (`mann_row_floor`): cosines alone take a trace of a key for the key, so traces
in all rows drew the reading, and rows in use were erased for rows that were not. Weights that were trained without the
last two lack `BINDS`, and answer as they did.

Letters:  s support · q query · r rows of memory · v numbers of a row · k heads · h hidden · c classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor

from autometa.fewshot.bodies import flat, flat_size, flat_weights
from autometa.fewshot.episode import Episode, EpisodeKind, EpisodeSpec, Examples, one_hot
from autometa.fewshot.learner import TaskOutcome, Training, query_loss
from autometa.fewshot.lstm import lstm_cell, lstm_weights
from autometa.fewshot.networks import RUNNING, Weights
from autometa.fewshot.options import OPTIONS

BINDS = f"{RUNNING}binds"  # is among the weights of a network that learned to write where the example is


class MemoryState(NamedTuple):
    """What is carried from one step of the sequence to the next."""

    hidden: Tensor  # (n, h)
    cell: Tensor  # (n, h)
    memory: Tensor  # (n, r, v)
    written: Tensor  # (n, k, r) where the last step's keys are
    usage: Tensor  # (n, r)
    label: Tensor  # (n, c) of the step before


@dataclass(frozen=True, slots=True)
class Mann:
    """Memory-augmented neural network with least recently used access."""

    kinds: ClassVar[tuple[EpisodeKind, ...]] = ("classification",)
    source: ClassVar[str] = "Santoro et al., 2016"
    transductive: ClassVar[bool] = False

    problem: EpisodeSpec
    # Defaults are the paper's.
    rows: int = 128  # of memory
    row_width: int = 40
    heads: int = 4  # that read, and write
    hidden: int = 200

    @property
    def training(self) -> Training:
        """Sixteen sequences a step, short ones among them."""
        return Training(tasks=16, clip=10.0, query=2, fewer_shots=True)

    def initialise(self, generator: Generator) -> Weights:
        """Controller, keys, gates, and an output from hidden state and what was read."""
        p, c = flat_size(self.problem), self.problem.outputs
        weights = lstm_weights("controller", self.hidden, self.hidden, generator)
        read = self.heads * self.row_width

        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator) / math.sqrt(shape[0])

        return (
            weights
            | flat_weights(self.problem)
            | {
                "enter": normal(p, self.hidden),
                "head_enter": normal(c, self.hidden),  # a row for each class
                "enter_bias": torch.zeros(self.hidden),
                "keys": normal(self.hidden, read),
                "keys_bias": torch.zeros(read),
                "gate": normal(self.hidden, self.heads),
                "gate_bias": torch.zeros(self.heads),
                "head": normal(self.hidden + read, c).T.contiguous(),
                "head_bias": torch.zeros(c),
                BINDS: torch.ones(()),
            }
        )

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, TaskOutcome]:
        """Cross-entropy of the queries, each asked after the whole support."""
        return query_loss(self, weights, self.adapt(weights, task.support), task)

    def adapt(self, weights: Weights, support: Examples) -> MemoryState:
        """Memory and state after the support, in its order."""
        x = flat(self.problem, weights, support)
        labels = one_hot(support.y, self.problem.outputs, x)
        state = self._blank(x)
        for i in range(len(x)):
            new, _ = self._step(weights, x[i : i + 1], state)
            new = new._replace(label=labels[i : i + 1])
            there = support.mask[i] > 0
            state = MemoryState(*(torch.where(there, a, b) for a, b in zip(new, state, strict=True)))
        return state

    def predict(self, weights: Weights, adapted: MemoryState, query: Examples) -> Tensor:
        """Logits: one step more for each query, on a copy of memory and state."""
        x = flat(self.problem, weights, query)
        state = MemoryState(*(a.expand(len(x), *a.shape[1:]) for a in adapted))
        return self._step(weights, x, state)[1]

    def _blank(self, x: Tensor) -> MemoryState:
        def full(value: float, *shape: int) -> Tensor:
            return torch.full((1, *shape), value, dtype=x.dtype, device=x.device)

        return MemoryState(
            full(0.0, self.hidden), full(0.0, self.hidden), full(OPTIONS.mann_floor, self.rows, self.row_width),
            full(0.0, self.heads, self.rows), full(0.0, self.rows), full(0.0, self.problem.outputs),
        )  # fmt: skip

    def _step(self, weights: Weights, x: Tensor, state: MemoryState) -> tuple[MemoryState, Tensor]:  # (n, p) -> (n, c)
        entering = x @ weights["enter"] + state.label @ weights["head_enter"] + weights["enter_bias"]
        hidden, cell = lstm_cell(weights, "controller", entering, (state.hidden, state.cell))
        keys = (hidden @ weights["keys"] + weights["keys_bias"]).tanh().unflatten(1, (self.heads, self.row_width))
        gate = (hidden @ weights["gate"] + weights["gate_bias"]).sigmoid()[:, :, None]  # (n, k, 1)
        binds = BINDS in weights
        read = _found(keys, state.memory, faint=binds)  # (n, k, r)
        order = state.usage.argsort(dim=-1, stable=True).argsort(dim=-1)  # rank of each row, 0 the least used
        # One row for each head; the heads of the paper share those rows.
        spare = (order[:, None, :] == torch.arange(self.heads, device=x.device)[:, None]).to(x.dtype)  # (n, k, r)
        write = gate * state.written + (1 - gate) * spare  # (n, k, r)
        memory = state.memory * (1 - spare.sum(1))[:, :, None]  # what is overwritten is forgotten first
        memory = memory + torch.einsum("nkr,nkv->nrv", write, keys)
        found = torch.einsum("nkr,nrv->nkv", read, memory).flatten(1)
        usage = OPTIONS.mann_usage_decay * state.usage + (read + write).sum(1).detach()
        outputs = torch.cat([hidden, found], -1) @ weights["head"].T + weights["head_bias"]
        written = _found(keys, memory, faint=True) if binds else read
        return MemoryState(hidden, cell, memory, written, usage, state.label), outputs


def _found(keys: Tensor, memory: Tensor, *, faint: bool) -> Tensor:  # (n, k, v), (n, r, v) -> (n, k, r)
    """How much of each row every key finds: a softmax of cosines, and if `faint` those of faint rows count less."""
    floor = OPTIONS.mann_row_floor if faint else OPTIONS.mann_floor
    size = (memory.square().sum(-1) + floor**2).sqrt()  # (n, r)
    key_size = (keys.square().sum(-1) + OPTIONS.mann_floor**2).sqrt()  # (n, k)
    cosine = torch.einsum("nkv,nrv->nkr", keys, memory) / (key_size[:, :, None] * size[:, None, :])
    return (cosine * OPTIONS.mann_sharpness).softmax(-1)
