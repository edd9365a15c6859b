"""What people look at after a search: one HTML file that opens anywhere, offline, on a phone, in the dark, on paper.

    words      how scores, families and origins are said
    findings   curves and tables from out-of-fold predictions
    charts     inline SVG
    html       escaping by construction
    parts      tables, figures and marks that sections share
    data       the section on the table
    trials     the sections on what was tried
    quality    the sections on how good the model is, and which columns matter to it
    thresholds what a threshold buys, and what mistakes cost
    mistakes   the section on where the model errs
    columns    warnings about columns
    sections   the other sections, and their order
    card       the model card: Markdown beside the model
    page       the whole file, with page.css and page.js
    options    how much of each thing is shown

Laws: the file refers to nothing outside itself, and its content security policy lets only its own script run; no text
from a table becomes markup. To add a section, write a function in `sections` and give it a line in `SECTIONS`.

Letters:  n rows · p columns · c classes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autometa.explain import ModelExplanation
    from autometa.search import Result

__all__ = ["write", "write_card"]


def write(result: Result, path: str | Path, *, explanation: ModelExplanation | None = None, rows: bool = True) -> Path:
    """Writes the report of a finished search.

    Args:
        result: A `search.Result`.
        path: The HTML file; one that is there is replaced.
        explanation: Why the model answers as it does; None for what is kept in the folder of the run.
        rows: Show the rows that the model gets most wrong, with their cells.

    Returns:
        `path`.

    See Also:
        `write_card`, `autometa.search.open_run`.

    Example:
        >>> from autometa.search import open_run
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(open_run(run), f"{folder}/report.html").read_text(encoding="utf-8")[:15]
        '<!doctype html>'
    """
    from autometa import files
    from autometa.report.page import page
    from autometa.report.parts import Report

    path = Path(path)
    files.replace(path, page(Report.of(result, explanation, rows=rows)).encode("utf-8", errors="replace"))
    return path


def write_card(result: Result, explanation: ModelExplanation | None = None) -> Path:
    """Writes the model card of a finished search beside its model, as ``model_card.md``.

    Args:
        result: A `search.Result`.
        explanation: Why the model answers as it does; None for what is kept in the folder of the run.

    See Also:
        `write`.

    Example:
        >>> from autometa.search import open_run
        >>> write_card(open_run(run)).name
        'model_card.md'
    """
    from autometa import files
    from autometa.report.card import CARD, card

    path = result.run / CARD
    files.replace(path, card(result, explanation).encode("utf-8", errors="replace"))
    return path
