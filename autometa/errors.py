"""Every way AutoMeta says no.

One tree; a caller that catches `AutoMetaError` catches all of it. Each class also inherits the builtin it resembles, so
`except ValueError` keeps working, and carries the exit code of the command line.

    AutoMetaError
    ├── InputError (ValueError)      2   what was asked cannot be done: lists every problem found, with its fix
    ├── StoreError (RuntimeError)    3   a metadata store that cannot be used
    ├── RunError (RuntimeError)      3   a run folder that cannot be used
    ├── OpenMLError (ConnectionError) 3  OpenML cannot be reached, fails, or sends what is not whole
    └── NoModelError (RuntimeError)  4   the budget ended without a model

A failed *evaluation* is data (`evaluation.Evaluation`), never an error. What can be used and should be looked at is a
`TableWarning`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it is, what it is, and what to do about it.

    See Also:
        `InputError`, `did_you_mean`.

    Example:
        >>> print(Problem("adult.csv", "no column 'clas'", "Did you mean 'class'?"))
        adult.csv: no column 'clas'. Did you mean 'class'?
    """

    where: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        """One line: ``where: what. fix``."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        text = text if text.endswith((".", "?", "!")) else text + "."
        return f"{text} {self.fix}".rstrip()


class AutoMetaError(Exception):
    """What every error of this package is.

    See Also:
        `InputError`, `StoreError`, `RunError`, `OpenMLError`, `NoModelError`.

    Example:
        >>> try:
        ...     raise StoreError("store.db is no store")
        ... except AutoMetaError as error:
        ...     print(error, "- exit code", error.exit_code)
        store.db is no store - exit code 3
    """

    exit_code = 1


class InputError(AutoMetaError, ValueError):
    """What was asked cannot be done; every problem found is listed.

    See Also:
        `Problem`, of which it is made.

    Example:
        >>> print(InputError([Problem("adult.csv", "no column 'clas'", "Did you mean 'class'?")]))
        adult.csv: no column 'clas'. Did you mean 'class'?
    """

    exit_code = 2

    def __init__(self, problems: str | Problem | Iterable[Problem]) -> None:
        """Takes one sentence, one problem, or all problems of one input."""
        if isinstance(problems, str):
            problems = Problem("", problems)
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Problem, ...]]]:
        """Pickled by its problems, so that it crosses a process boundary whole."""
        return type(self), (self.problems,)


class TableWarning(UserWarning):
    """A table that can be used, though not as it should: what is wrong with it, and what it counts as.

    See Also:
        `autometa.load_model`, `autometa.task.drift`.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as told:
        ...     warnings.simplefilter("always")
        ...     warnings.warn("column 'age' cannot be read in 3 % of the rows", TableWarning)
        >>> told[0].category.__name__
        'TableWarning'
    """


class StoreError(AutoMetaError, RuntimeError):
    """A metadata store that is missing, corrupt, newer than this program, or in use.

    See Also:
        `autometa.MetaStore`.

    Example:
        >>> StoreError("what is wrong, and what to do").exit_code
        3
    """

    exit_code = 3


class RunError(AutoMetaError, RuntimeError):
    """A run folder that is missing, corrupt, in use, or from another version.

    See Also:
        `autometa.search.open_run`, `autometa.search.verify_run`.

    Example:
        >>> RunError("what is wrong, and what to do").exit_code
        3
    """

    exit_code = 3


class OpenMLError(AutoMetaError, ConnectionError):
    """The server cannot be reached, fails, does not answer in time, or sends what is not whole.

    See Also:
        `autometa.openml.OpenML`.

    Example:
        >>> OpenMLError("what is wrong, and what to do").exit_code
        3
    """

    exit_code = 3


class NoModelError(AutoMetaError, RuntimeError):
    """The budget ended before any configuration could be evaluated.

    See Also:
        `InputError`; docs/budgets.md says when there is always a model.

    Example:
        >>> NoModelError("what is wrong, and what to do").exit_code
        4
    """

    exit_code = 4


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """``Did you mean 'class'?`` when something known resembles `name`, else an empty string.

    See Also:
        `Problem`.

    Example:
        >>> did_you_mean("clas", ["age", "class"])
        "Did you mean 'class'?"
    """
    close = difflib.get_close_matches(str(name), [str(k) for k in known], n=1, cutoff=0.6)
    if not close:
        folded = {str(k).casefold(): str(k) for k in known}
        close = [folded[str(name).casefold()]] if str(name).casefold() in folded else []
    return f"Did you mean {close[0]!r}?" if close else ""
