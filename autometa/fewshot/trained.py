"""A trained learner, put to work: a support set in, answers to queries out.

`Trained.adapt` takes a support set once, and what it gives answers any number of queries; `answer` and `explain` do
both. They take and give NumPy arrays and tables; for researchers `learner` and `weights` are there as they are.

Letters:  s support · q query · c classes · o outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from autometa.errors import InputError, Problem
from autometa.fewshot.checkpoint import Checkpoint
from autometa.fewshot.data import DRAWINGS, PIXELS, TABULAR
from autometa.fewshot.data.tables import standardised
from autometa.fewshot.episode import EpisodeSpec, Examples
from autometa.fewshot.explain import change, evidence, kind_of_evidence
from autometa.fewshot.labels import aligned, column_names, label_array, value_array
from autometa.fewshot.learner import Learner, completed, make, with_outputs
from autometa.fewshot.learners import known_learner
from autometa.fewshot.networks import Weights
from autometa.fewshot.none import NoneOfThese
from autometa.fewshot.options import OPTIONS


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A learner with its weights, ready to adapt and answer.

    See Also:
        `Checkpoint`, `AdaptedLearner`, `autometa.FewShotClassifier`.

    Example:
        >>> import numpy as np
        >>> from autometa.fewshot import TrainingSettings, find_learner, load_data, make, train
        >>> digits = load_data("digits")
        >>> learner = make(find_learner("protonet"), digits.train.problem(5), {"width": 8})
        >>> settings = TrainingSettings(2, query=2, look_every=2, look_episodes=2, backend="vmap")
        >>> trained = Trained.of(train(learner, digits, settings))
        >>> support = np.stack([np.zeros((8, 8)), np.eye(8)])  # one example of each of two classes
        >>> trained.answer(support, ["blank", "line"], support).argmax(1)  # each is nearest to itself
        array([0, 1])
    """

    learner: Learner
    weights: Weights
    device: torch.device | str = "cpu"
    tabular: bool = False  # whether examples are rows of a table, to be standardised by the support
    pixels: bool = False  # whether it learned from images in 0..1
    drawings: bool = False  # whether these were bright strokes on black

    def __setstate__(self, state: list[Any]) -> None:
        """From a pickle, which may be older than some fields."""
        values = dict(zip((field.name for field in fields(self)), state, strict=False))
        for field in fields(self):
            object.__setattr__(self, field.name, values.get(field.name, field.default))
        completed(self.learner)

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        device: torch.device | str = "cpu",
        learner: str | None = None,
        encoder: nn.Module | None = None,
    ) -> Trained:
        """From a checkpoint (`checkpoint.Checkpoint.load` says what is refused)."""
        return cls.of(Checkpoint.load(Path(path), device=device, learner=learner, encoder=encoder), device)

    @classmethod
    def of(cls, state: Checkpoint, device: torch.device | str = "cpu") -> Trained:
        """From a training's state, whose best weights are used."""
        learner = make(known_learner(state.learner), state.problem, state.options)
        name = state.data.get("name")
        weights = {key: w.to(device) for key, w in state.best.items()}
        return cls(learner, weights, device, name in TABULAR, name in PIXELS, name in DRAWINGS)

    @property
    def any_way(self) -> bool:
        """Whether it can tell any number of classes apart; others have one output for each."""
        return not any(name.rsplit(".", 1)[-1].startswith("head") for name in self.weights)

    def adapt(self, support_x: ArrayLike, support_y: ArrayLike) -> AdaptedLearner:
        """What it learns from a support set, once for all queries; `answer` says what can be given.

        Raises:
            InputError: With everything that is wrong.
        """
        made, wrong = self._support(support_x, support_y)
        if made is None:
            raise InputError(wrong)
        return made

    def answer(self, support_x: ArrayLike, support_y: ArrayLike, query_x: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (q, c) of the classes in the order of ``np.unique(support_y)``, or values (q, o).

        Args:
            support_x: ``(s, *shape)`` numbers as in training; images as uint8, or numbers in 0..1; a row may be flat.
                Tables whose columns have names are aligned by them.
            support_y: (s,) labels of one type, or (s, o) values.
            query_x: ``(q, *shape)``.

        Raises:
            InputError: With everything that is wrong.
        """
        return self._asked(support_x, support_y, query_x).answer(query_x)

    def explain(self, support_x: ArrayLike, support_y: ArrayLike, query_x: ArrayLike) -> list[dict[str, Any]]:
        """Why each query is answered so, as `AdaptedLearner.explain` says it."""
        return self._asked(support_x, support_y, query_x).explain(query_x)

    def _asked(self, support_x: ArrayLike, support_y: ArrayLike, query_x: ArrayLike) -> AdaptedLearner:
        """The support, adapted to; what is wrong with either is told together."""
        made, wrong = self._support(support_x, support_y)
        if made is not None:
            return made
        names = column_names(support_x)
        found = aligned(query_x, column_names(query_x), names)
        wrong += found if isinstance(found, list) and found and isinstance(found[0], Problem) else []
        if not self.tabular:
            shape = self._numbers("query", query_x)
            wrong += shape if isinstance(shape, list) else []
        raise InputError(wrong)

    def _numbers(self, where: str, x: ArrayLike) -> NDArray[np.float32] | list[Problem]:
        return shaped(where, x, self.learner.problem, pixels=self.pixels, drawings=self.drawings)

    def _support(self, x: ArrayLike, y: ArrayLike) -> tuple[AdaptedLearner | None, list[Problem]]:
        """The learner, adapted; or what is wrong with the support."""
        problem, wrong = self.learner.problem, []
        rows: NDArray[np.float64] | None = None
        numbers: NDArray[np.float32] | list[Problem]
        if self.tabular:
            table = _rows("support", x, problem.shape[0])
            numbers = table if isinstance(table, list) else standardised(table, table, problem.shape[0])[0]
            rows = None if isinstance(table, list) else table
        else:
            numbers = self._numbers("support", x)
        wrong += numbers if isinstance(numbers, list) else []
        found = label_array(y) if problem.kind == "classification" else value_array(y)
        if isinstance(found, list):
            wrong += found
        else:
            if len(found) != len(x):  # type: ignore[arg-type]
                wrong.append(Problem("support", f"{len(x)} examples and {len(found)} labels"))  # type: ignore[arg-type]
            if problem.kind == "classification":
                wrong += self._class_problems(found)
        if wrong or isinstance(numbers, list) or isinstance(found, list):
            return None, wrong
        learner, known = self.learner, None
        if problem.kind == "classification":
            known, found = np.unique(found, return_inverse=True)
            learner = with_outputs(learner, len(known)) if self.any_way else learner
        inside = torch.from_numpy(numbers).to(self.device, self._type)
        support = Examples(inside, torch.from_numpy(found).to(self.device), _ones(inside))
        with torch.no_grad():
            state = learner.adapt(self.weights, support)
        return AdaptedLearner(self, learner, support, state, known, found, column_names(x), rows), []

    def _class_problems(self, y: NDArray[Any]) -> list[Problem]:
        """Why the learner cannot tell these classes apart."""
        c, most = len(np.unique(y)), self.learner.problem.outputs
        if c < 2:
            return [Problem("support", f"{c} class", "At least two are needed to tell apart.")]
        if not self.any_way and c > most:
            return [Problem("support", f"{c} classes", f"This learner was trained to tell {most} apart.")]
        return []

    @property
    def _type(self) -> torch.dtype:
        return next((w.dtype for w in self.weights.values() if w.is_floating_point()), torch.float32)


@dataclass(frozen=True, slots=True, eq=False)
class AdaptedLearner:
    """A trained learner that has taken one support set, which is embedded once, whatever is asked afterwards.

    See Also:
        `Trained.adapt`.

    Example:
        >>> from autometa.fewshot import TrainingSettings, find_learner, load_data, make, train
        >>> digits = load_data("digits")
        >>> learner = make(find_learner("protonet"), digits.train.problem(3), {"width": 8})
        >>> settings = TrainingSettings(2, way=3, query=2, look_every=2, look_episodes=2, backend="vmap")
        >>> support = np.stack([np.zeros((8, 8)), np.eye(8)])
        >>> adapted = Trained.of(train(learner, digits, settings)).adapt(support, ["blank", "line"])
        >>> adapted.classes, adapted.answer(support[:1]).shape
        (['blank', 'line'], (1, 2))
    """

    trained: Trained
    learner: Learner  # for as many classes as there are, if it can tell any number apart
    support: Examples  # (s, ...)
    state: Any  # what `Learner.adapt` gave
    known: NDArray[Any] | None  # (c,) the classes, sorted; None where values are predicted
    found: NDArray[Any]  # (s,) which of them each example is, or (s, o) values
    columns: tuple[str, ...] | None  # names of the support's columns, if it has any
    rows: NDArray[np.float64] | None  # (s, p) a table as it was given, by which queries are standardised

    def __setstate__(self, state: list[Any]) -> None:
        """From a pickle, whose learner may be older than some of its options."""
        for field, value in zip(fields(self), state, strict=True):
            object.__setattr__(self, field.name, value)
        completed(self.learner)

    @property
    def classes(self) -> list[Any]:
        """The classes in the order of `answer`'s columns."""
        return [] if self.known is None else [_plain(label) for label in self.known]

    def answer(self, query_x: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (q, c) in the order of `classes`, or values (q, o); `Trained.answer` says what can be given.

        Raises:
            InputError: With everything that is wrong.
        """
        query = self._query(query_x)
        with torch.no_grad():
            return self._answers(self.learner.predict(self.trained.weights, self.state, query))

    def none(self, query_x: ArrayLike) -> NDArray[np.float64]:  # (q,)
        """The probability that a query is of none of these classes (`none.NoneOfThese`).

        Raises:
            InputError: The query cannot be used, or the support has too few examples to tell.
        """
        query = self._query(query_x)
        if self.known is None:
            raise InputError(Problem("none of these", "values are predicted; there are no classes"))
        judge = NoneOfThese.of(self.learner, self.trained.weights, self.support)
        with torch.no_grad():
            outputs = self.learner.predict(self.trained.weights, self.state, query)
        return judge.probability(outputs[:, : len(self.known)])

    def explain(self, query_x: ArrayLike) -> list[dict[str, Any]]:
        """For each query: the answer, the support examples that drove it, and what adaptation changed.

        Keys: ``prediction``, ``probability``, ``kind`` (what the evidence is), ``support``: (index, label, evidence) of
        the strongest; for gradient learners ``before`` (the answer without adaptation), ``support_loss`` (before,
        after) and ``moved`` (relative distance of each weight); for `dynamic` ``gates`` (how far its blocks are open).
        """
        learner, weights, query, known = self.learner, self.trained.weights, self._query(query_x), self.known
        labels = self.found if known is None else known[self.found]
        with torch.no_grad():
            outputs = learner.predict(weights, self.state, query)
        answers = self._answers(outputs)
        drove = evidence(learner, weights, self.support, query, self.state, outputs).double().cpu().numpy()  # (q, s)
        changed = change(learner, weights, self.support, query, self.state)
        before = None if changed is None else self._answers(changed["before"])
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
            if isinstance(self.state, dict) and "gates" in self.state:
                one["gates"] = _plain(self.state["gates"])
            explanations.append(one)
        return explanations

    def _query(self, query_x: ArrayLike) -> Examples:
        """What is asked, checked and as tensors."""
        found = aligned(query_x, column_names(query_x), self.columns)
        if isinstance(found, list) and found and isinstance(found[0], Problem):
            raise InputError(found)
        numbers: NDArray[np.float32] | list[Problem]
        if self.rows is not None:
            columns = self.learner.problem.shape[0]
            table = _rows("query", found, columns)
            if isinstance(table, list):
                numbers = table
            else:
                if table.shape[1] != self.rows.shape[1]:
                    what = f"{table.shape[1]} columns where the support has {self.rows.shape[1]}"
                    raise InputError(Problem("query", what))
                numbers = standardised(self.rows, table, columns)[1]
        else:
            numbers = self.trained._numbers("query", found)
        if isinstance(numbers, list):
            raise InputError(numbers)
        x = torch.from_numpy(numbers).to(self.support.x)
        return Examples(x, torch.zeros(len(x), dtype=torch.int64, device=x.device), _ones(x))

    def _answers(self, outputs: Tensor) -> NDArray[np.float64]:
        """Probabilities of the classes that are there, or values."""
        if self.known is None:
            return outputs.double().cpu().numpy()
        return outputs[:, : len(self.known)].double().softmax(-1).cpu().numpy()


def shaped(
    where: str, x: ArrayLike, problem: EpisodeSpec, *, pixels: bool = False, drawings: bool = False
) -> NDArray[np.float32] | list[Problem]:
    """Examples in the shape that a learner was built for; or what is wrong with them.

    Args:
        where: What they are, for the messages.
        x: ``(n, *shape)``, or flat.
        problem: What the learner was built for.
        pixels: Whether it learned from images in 0..1: bytes are scaled to that, and other numbers refused.
        drawings: Whether these were bright strokes on black: an image whose border is bright is turned.
    """
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        return [Problem(where, f"holds {array.dtype}, not numbers")]
    if not array.ndim or not len(array):
        return [Problem(where, "is empty")]
    image = len(problem.shape) == 3
    most = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}.get(array.dtype, 1) if image else 1
    numbers = array.astype(np.float32) / np.float32(most)
    wrong = []
    if tuple(array.shape[1:]) != problem.shape:
        size = int(np.prod(problem.shape))
        same = [side for side in array.shape[1:] if side != 1] == [side for side in problem.shape if side != 1]
        if same or array.shape[1:] == (size,):
            numbers = numbers.reshape(len(array), *problem.shape)
        else:
            fix = f"It was trained on {problem.shape}."
            if image and array.ndim == 4 and array.shape[-1] == problem.shape[0]:
                fix += " Channels come first: x.transpose(0, 3, 1, 2)."
            wrong.append(Problem(where, f"examples of shape {array.shape[1:]}", fix))
    lost = ~np.isfinite(numbers).reshape(len(array), -1).all(1)
    if lost.any():
        rows = ", ".join(map(str, np.flatnonzero(lost)[:5]))
        wrong.append(
            Problem(where, f"NaN or infinity in {int(lost.sum())} examples (row {rows})", "Fill or drop them.")
        )
    elif pixels and (numbers.min() < -OPTIONS.pixel_slack or numbers.max() > 1 + OPTIONS.pixel_slack):
        what = f"images from {numbers.min():.4g} to {numbers.max():.4g}"
        wrong.append(Problem(where, what, "Give bytes (uint8), or numbers from 0, black, to 1, white."))
    if wrong:
        return wrong
    return bright_strokes(numbers) if drawings else numbers


def bright_strokes(images: NDArray[np.float32]) -> NDArray[np.float32]:  # (n, ch, h, w)
    """Drawings with bright strokes on black: those whose border is mostly bright are turned, as ink on paper is."""
    border = np.concatenate([images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]], -1)
    paper = np.median(border.reshape(len(images), -1), axis=1) > 0.5
    if not paper.any():
        return images
    return np.where(paper.reshape(-1, 1, 1, 1), 1 - images, images)


def _rows(where: str, x: Any, columns: int) -> NDArray[np.float64] | list[Problem]:
    """Rows of a table, whose missing cells are NaN; or what is wrong with them."""
    if hasattr(x, "select_dtypes"):
        words = [str(name) for name in x.columns if x[name].dtype.kind not in "fiub"]
        if words:
            return [Problem(where, f"columns that are not numbers: {_first(words)}", "Encode or drop them.")]
        table: NDArray[Any] = x.to_numpy(np.float64, na_value=np.nan)
    else:
        table = np.asarray(x)
    if table.ndim != 2 or table.dtype.kind not in "fiub":
        what = f"rows of shape {table.shape[1:]} and type {table.dtype}"
        return [Problem(where, what, "A table of numbers is needed.")]
    if not len(table):
        return [Problem(where, "is empty")]
    if table.shape[1] > columns:
        return [Problem(where, f"{table.shape[1]} columns; this learner was trained on at most {columns}")]
    if np.isinf(table.astype(float)).any():
        return [Problem(where, "infinite cells", "Fill them; missing ones (NaN) are allowed.")]
    return table.astype(float)


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _ones(x: Tensor) -> Tensor:  # (n, ...) -> (n,)
    """The mask of examples none of which is padding."""
    return torch.ones(len(x), dtype=x.dtype, device=x.device)


def _plain(value: Any) -> Any:
    """A NumPy or torch value as Python's own."""
    return value.tolist() if hasattr(value, "tolist") else value
