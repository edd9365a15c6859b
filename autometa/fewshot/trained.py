"""A trained learner, put to work: a support set in, answers to queries out.

For researchers `learner` and `weights` are there as they are; `answer` and `explain` take and give NumPy arrays.

Letters:  s support · q query · c classes · o outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from autometa.errors import InputError, Problem
from autometa.fewshot.checkpoint import Checkpoint
from autometa.fewshot.data import TABULAR
from autometa.fewshot.data.tables import standardised
from autometa.fewshot.episode import EpisodeSpec, Examples
from autometa.fewshot.explain import change, evidence, kind_of_evidence
from autometa.fewshot.learner import Learner, make, with_outputs
from autometa.fewshot.learners import find_learner
from autometa.fewshot.networks import Weights
from autometa.fewshot.options import OPTIONS


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A learner with its weights, ready to adapt and answer.

    See Also:
        `Checkpoint`, `autometa.FewShotClassifier`.

    Example:
        >>> import numpy as np
        >>> from autometa.fewshot import TrainingSettings, find_learner, load_data, make, train
        >>> digits = load_data("digits")
        >>> learner = make(find_learner("protonet"), digits.train.problem(5), {"width": 8})
        >>> settings = TrainingSettings(2, query=2, look_every=2, look_episodes=2, backend="vmap")
        >>> trained = Trained.of(train(learner, digits, settings))
        >>> support = np.stack([np.zeros((8, 8)), np.ones((8, 8))])  # one example of each of two classes
        >>> trained.answer(support, ["dark", "light"], support).argmax(1)  # each is nearest to itself
        array([0, 1])
    """

    learner: Learner
    weights: Weights
    device: torch.device | str = "cpu"
    tabular: bool = False  # whether examples are rows of a table, to be standardised by the support

    @classmethod
    def load(cls, path: Path | str, *, device: torch.device | str = "cpu", learner: str | None = None) -> Trained:
        """From a checkpoint (`checkpoint.Checkpoint.load` says what is refused)."""
        return cls.of(Checkpoint.load(Path(path), device=device, learner=learner), device)

    @classmethod
    def of(cls, state: Checkpoint, device: torch.device | str = "cpu") -> Trained:
        """From a training's state, whose best weights are used."""
        learner = make(find_learner(state.learner), state.problem, state.options)
        return cls(learner, state.best, device, state.data.get("name") in TABULAR)

    @property
    def any_way(self) -> bool:
        """Whether it can tell any number of classes apart; others have one output for each."""
        return not any(name.rsplit(".", 1)[-1].startswith("head") for name in self.weights)

    def answer(self, support_x: ArrayLike, support_y: ArrayLike, query_x: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (q, c) of the classes in the order of ``np.unique(support_y)``, or values (q, o).

        Args:
            support_x: ``(s, *shape)`` numbers as in training; images as uint8, or numbers in 0..1; a row may be flat.
            support_y: (s,) labels of any type, or (s, o) values.
            query_x: ``(q, *shape)``.

        Raises:
            InputError: With everything that is wrong.
        """
        learner, support, query, c = self._asked(support_x, support_y, query_x)
        with torch.no_grad():
            outputs = learner.predict(self.weights, learner.adapt(self.weights, support), query)
        return _answers(learner, outputs, c)

    def explain(self, support_x: ArrayLike, support_y: ArrayLike, query_x: ArrayLike) -> list[dict[str, Any]]:
        """For each query: the answer, the support examples that drove it, and what adaptation changed.

        Keys: ``prediction``, ``probability``, ``kind`` (what the evidence is), ``support``: (index, label, evidence) of
        the strongest; for gradient learners ``before`` (the answer without adaptation), ``support_loss`` (before,
        after) and ``moved`` (relative distance of each weight); for `dynamic` ``gates`` (how far its blocks are open).
        """
        learner, support, query, c = self._asked(support_x, support_y, query_x)
        labels = np.asarray(support_y)
        known = np.unique(labels) if learner.problem.kind == "classification" else None
        with torch.no_grad():
            adapted = learner.adapt(self.weights, support)
            outputs = learner.predict(self.weights, adapted, query)
        answers = _answers(learner, outputs, c)
        drove = evidence(learner, self.weights, support, query).double().cpu().numpy()  # (q, s)
        changed = change(learner, self.weights, support, query)
        before = None if changed is None else _answers(learner, changed["before"], c)
        explanations = []
        for i, row in enumerate(answers):
            strongest = np.argsort(-np.abs(drove[i]), kind="stable")[: OPTIONS.explained]
            one: dict[str, Any] = {
                "prediction": _plain(row if known is None else known[row.argmax()]),
                "kind": kind_of_evidence(learner),
                "support": [(int(k), _plain(labels[k]), float(drove[i, k])) for k in strongest],
            }
            if known is not None:
                one["probability"] = float(row.max())
            if changed is not None and before is not None:
                one["before"] = _plain(before[i] if known is None else known[before[i].argmax()])
                one |= {"support_loss": changed["support_loss"], "moved": changed["moved"]}
            if isinstance(adapted, dict) and "gates" in adapted:
                one["gates"] = _plain(adapted["gates"])
            explanations.append(one)
        return explanations

    def _asked(self, support_x: ArrayLike, support_y: ArrayLike, query_x: ArrayLike) -> _Asked:
        """What is asked, checked and as tensors."""
        problem, wrong = self.learner.problem, []
        if self.tabular:
            support_x, query_x = _rows(support_x, query_x, problem.shape[0])
        shapes = shaped("support", support_x, problem), shaped("query", query_x, problem)
        for found in shapes:
            wrong += [] if isinstance(found, np.ndarray) else found
        y, s, c = np.asarray(support_y), len(np.asarray(support_x)), problem.outputs
        if len(y) != s:
            wrong.append(Problem("support", f"{s} examples and {len(y)} labels"))
        if problem.kind == "classification":
            wrong += self._label_problems(y)
        if wrong:
            raise InputError(wrong)
        learner = self.learner
        if problem.kind == "classification":
            known, y = np.unique(y, return_inverse=True)
            c = len(known)
            learner = with_outputs(learner, c) if self.any_way else learner
        else:
            y = y.astype(np.float32).reshape(len(y), -1)
        like = next(iter(self.weights.values()))
        x, q = (torch.from_numpy(found).to(self.device, like.dtype) for found in shapes)
        blank = torch.zeros(len(q), dtype=torch.int64, device=self.device)
        support = Examples(x, torch.from_numpy(y).to(self.device), _ones(x))
        return _Asked(learner, support, Examples(q, blank, _ones(q)), c)

    def _label_problems(self, y: NDArray[Any]) -> list[Problem]:
        """Why the learner cannot tell these classes apart."""
        if y.ndim != 1:
            return [Problem("support", f"labels of shape {y.shape}", "One label for each example.")]
        if y.dtype.kind == "f" and np.isnan(y).any():
            return [Problem("support", "labels are missing (NaN)")]
        c, most = len(np.unique(y)), self.learner.problem.outputs
        if c < 2:
            return [Problem("support", f"{c} class", "At least two are needed to tell apart.")]
        if not self.any_way and c > most:
            return [Problem("support", f"{c} classes", f"This learner was trained to tell {most} apart.")]
        return []


class _Asked(NamedTuple):
    """A task for a trained learner."""

    learner: Learner  # for as many classes as there are, if it can tell any number apart
    support: Examples  # (s, ...)
    query: Examples  # (q, ...) whose labels are blank
    classes: int  # in the support


def shaped(where: str, x: ArrayLike, problem: EpisodeSpec) -> NDArray[np.float32] | list[Problem]:
    """Examples in the shape that a learner was built for, images in 0..1; or what is wrong with them."""
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        return [Problem(where, f"holds {array.dtype}, not numbers")]
    if not len(array):
        return [Problem(where, "is empty")]
    numbers = array.astype(np.float32) / np.float32(255 if array.dtype == np.uint8 else 1)
    wrong = []
    if tuple(array.shape[1:]) != problem.shape:
        size = int(np.prod(problem.shape))
        same = [side for side in array.shape[1:] if side != 1] == [side for side in problem.shape if side != 1]
        if same or array.shape[1:] == (size,):
            numbers = numbers.reshape(len(array), *problem.shape)
        else:
            wrong.append(Problem(where, f"examples of shape {array.shape[1:]}", f"It was trained on {problem.shape}."))
    lost = ~np.isfinite(numbers).reshape(len(array), -1).all(1)
    if lost.any():
        rows = ", ".join(map(str, np.flatnonzero(lost)[:5]))
        wrong.append(
            Problem(where, f"NaN or infinity in {int(lost.sum())} examples (row {rows})", "Fill or drop them.")
        )
    return wrong or numbers


def _rows(support: ArrayLike, query: ArrayLike, columns: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows of a table as the learner saw them in training; missing cells are allowed."""
    s, q = (np.asarray(x) for x in (support, query))
    wrong = [
        Problem(where, f"rows of shape {x.shape[1:]} and type {x.dtype}", "A table of numbers is needed.")
        for where, x in (("support", s), ("query", q))
        if x.ndim != 2 or x.dtype.kind not in "fiub"
    ]
    if not wrong and s.shape[1] != q.shape[1]:
        wrong.append(Problem("query", f"{q.shape[1]} columns where the support has {s.shape[1]}"))
    if not wrong and s.shape[1] > columns:
        wrong.append(Problem("support", f"{s.shape[1]} columns; this learner was trained on at most {columns}"))
    if wrong:
        raise InputError(wrong)
    return standardised(s.astype(float), q.astype(float), columns)


def _answers(learner: Learner, outputs: Tensor, c: int) -> NDArray[np.float64]:
    """Probabilities of the classes that are there, or values."""
    if learner.problem.kind == "regression":
        return outputs.double().cpu().numpy()
    return outputs[:, :c].double().softmax(-1).cpu().numpy()


def _ones(x: Tensor) -> Tensor:  # (n, ...) -> (n,)
    """The mask of examples none of which is padding."""
    return torch.ones(len(x), dtype=x.dtype, device=x.device)


def _plain(value: Any) -> Any:
    """A NumPy or torch value as Python's own."""
    return value.tolist() if hasattr(value, "tolist") else value


def support_labels(labels: ArrayLike) -> list[Any]:
    """The classes in the order of `answer`'s columns."""
    return [_plain(label) for label in np.unique(np.asarray(labels))]
