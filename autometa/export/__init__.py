"""A finished model elsewhere: as ONNX, as a script without AutoMeta, for readers who trust nobody, as an image.

to_onnx     raw columns in, the model's own answers out, in float64; `graph`, `columns`, `trees`, `learners` make it
to_python   the best pipeline, fitted again by scikit-learn alone; `sources` copies what it needs
to_skops    read without running code that is in the file
to_docker   a folder from which an image is built that serves it

Law: what is exported answers as the model does, or is refused with the reason; nothing is written that does not.

To add a format, write its file and give it a line in `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autometa.errors import InputError, Problem, RunError
from autometa.export.to_docker import write_image
from autometa.export.to_onnx import onnx_bytes
from autometa.export.to_python import write_script
from autometa.export.to_skops import load_skops, skops_bytes, trusted_types
from autometa.files import replace
from autometa.search import load_model, open_run

if TYPE_CHECKING:
    from autometa.search import Model

__all__ = ["FORMATS", "ExportOrder", "export", "load_skops", "trusted_types"]


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What is to be exported, and where to.

    Args:
        run: The folder of a finished run; for formats other than ``python`` also a model file.
        out: The file or folder to write; None for one in the run's folder.
        compact: Export the members that were fitted on all rows alone (`Model.compact`).
        trial: Of ``python``: the trial whose pipeline it is; None for the best.
        trusted: Read a run that somebody else made.

    See Also:
        `export`.

    Example:
        >>> ExportOrder(Path("run"), out=Path("churn.onnx")).place("model.onnx").name
        'churn.onnx'
    """

    run: Path
    out: Path | None = None
    compact: bool = False
    trial: int | None = None
    trusted: bool = False

    def place(self, name: str) -> Path:
        """Where to write, where that is left open under a name in the run's folder."""
        return self.out or (self.run if self.run.is_dir() else self.run.parent) / name

    def model(self) -> Model:
        """The model."""
        found = load_model(self.run, trusted=self.trusted)
        return found.compact() if self.compact else found


def export(
    run: str | Path,
    to: str,
    out: str | Path | None = None,
    *,
    compact: bool = False,
    trial: int | None = None,
    trusted: bool = False,
) -> list[Path]:
    """Writes a finished model in another format.

    Args:
        run: The folder of a finished run; for all but ``python`` also a model file.
        to: ``onnx``, ``python``, ``skops`` or ``docker``.
        out: The file or folder to write; None for ``model.onnx``, ``python``, ``model.skops`` or ``docker`` in the run.
        compact: Export the members that were fitted on all rows alone: a smaller model, `Model.compact`.
        trial: Of ``python``: the number of the trial whose pipeline it is; None for the best.
        trusted: Read a run though somebody else made it.

    Returns:
        What was written.

    Raises:
        InputError: No such format, a package that it needs is not installed, or an argument is of another format.
        RunError: The run cannot be read, or its model has no counterpart in the format; the reason is named.

    See Also:
        `autometa.load_model`, `load_skops`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in export(run, "python", Path(folder) / "script")]
        ['pipeline.py', 'table.parquet', 'folds.npz']
    """
    problems = []
    if to not in FORMATS:
        problems.append(Problem("--to", f"{to!r} is no format", f"Known: {', '.join(FORMATS)}."))
    if trial is not None and to != "python":
        problems.append(Problem("--trial", "is of --to python, which writes one pipeline", "Leave it out."))
    if compact and to == "python":
        problems.append(Problem("--compact", "is of a model, and --to python writes one pipeline", "Leave it out."))
    if problems:
        raise InputError(problems)
    order = ExportOrder(Path(run), None if out is None else Path(out), compact, trial, trusted)
    try:
        return FORMATS[to](order)
    except OSError as error:
        raise RunError(f"{order.out or error.filename} cannot be written: {error.strerror or error}") from error


def _onnx(order: ExportOrder) -> list[Path]:
    model = order.model()
    X = open_run(order.run, trusted=order.trusted).task.X if order.run.is_dir() else None
    return _written(order.place("model.onnx"), onnx_bytes(model, X))


def _python(order: ExportOrder) -> list[Path]:
    result = open_run(order.run, trusted=order.trusted)
    return write_script(result, order.place("python"), order.trial, trusted=order.trusted)


def _skops(order: ExportOrder) -> list[Path]:
    return _written(order.place("model.skops"), skops_bytes(order.model()))


def _written(path: Path, content: bytes) -> list[Path]:
    """A file, in a folder that is made where it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, content)
    return [path]


def _docker(order: ExportOrder) -> list[Path]:
    card = order.run / "model_card.md" if order.run.is_dir() else None
    return write_image(order.model(), order.place("docker"), card)


FORMATS: Mapping[str, Callable[[ExportOrder], list[Path]]] = {
    "onnx": _onnx,
    "python": _python,
    "skops": _skops,
    "docker": _docker,
}
