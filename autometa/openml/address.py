"""Addresses such as ``openml:task/31`` and ``openml:data/61``, taken wherever a file of a table is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autometa.errors import InputError, Problem, did_you_mean
from autometa.openml.client import OpenML
from autometa.openml.process import Tell
from autometa.openml.records import OpenMLTable, OpenMLTask

if TYPE_CHECKING:
    import pandas as pd

    from autometa.task import Task

_ADDRESS = re.compile(r"openml:(?P<noun>[^/]*)/?(?P<number>.*)", re.IGNORECASE)

# OpenML's measures that are scorers of ours, by kind of task; its AUC of several classes weights them by their rows.
MEASURES: dict[str, dict[str, str]] = {
    "predictive_accuracy": dict.fromkeys(("binary", "multiclass"), "accuracy"),
    "area_under_roc_curve": {"binary": "roc_auc", "multiclass": "roc_auc_ovr_weighted"},
    "f_measure": dict.fromkeys(("binary", "multiclass"), "f1_weighted"),
    "unweighted_recall": dict.fromkeys(("binary", "multiclass"), "balanced_accuracy"),
    "root_mean_squared_error": {"regression": "neg_root_mean_squared_error"},
    "mean_absolute_error": {"regression": "neg_mean_absolute_error"},
}


def is_address(data: Any) -> bool:
    """Whether `data` names something at OpenML rather than a file.

    See Also:
        `as_task`, `read_table`.

    Example:
        >>> is_address("openml:task/31"), is_address("openml.csv")
        (True, False)
    """
    return isinstance(data, (str, Path)) and str(data).lower().startswith("openml:")


def address(data: str | Path) -> tuple[str, int]:
    """``openml:task/31`` as ``("task", 31)``; InputError for what is neither a task nor a dataset.

    Example:
        >>> address("openml:data/61")
        ('data', 61)
    """
    match = _ADDRESS.fullmatch(str(data))
    noun, number = (match["noun"].lower(), match["number"]) if match else ("", "")
    if noun in ("task", "data") and number.isdecimal():
        return noun, int(number)
    meant = did_you_mean(noun, ("task", "data")) if noun not in ("task", "data") else ""
    raise InputError(
        Problem(str(data), "names nothing at OpenML", f"{meant} Such as openml:task/31 or openml:data/61.".strip())
    )


def read_table(
    data: Any,
    *,
    offline: bool = False,
    server: str | None = None,
    cache: Path | None = None,
    tell: Tell | None = None,
    **options: Any,
) -> tuple[pd.DataFrame, list[str]]:
    r"""`autometa.task.read_table`, for which a dataset or a task's table at OpenML is a table as well.

    See Also:
        `as_task`, `autometa.task.read_table`.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:  # a file is a file; an address needs the server or its cache
        ...     _ = (Path(folder) / "a.csv").write_text("x,y\n1,2\n3,4\n")
        ...     frame, notes = read_table(Path(folder) / "a.csv")
        >>> frame.shape
        (2, 2)
    """
    from autometa.task import read_table as read_file

    if not is_address(data):
        _check_openml(data, server, cache)
        return read_file(data, **_allowed(options, offline))
    noun, number = address(data)
    openml = OpenML(server=server, cache=cache, offline=offline, tell=tell)
    return (openml.table(number) if noun == "data" else openml.task(number).table).frame, []


def read_task(
    data: Any,
    *,
    offline: bool = False,
    server: str | None = None,
    cache: Path | None = None,
    tell: Tell | None = None,
    **options: Any,
) -> Task:
    r"""`autometa.task.read_task`, for which ``openml:task/31`` and ``openml:data/61`` are tables as well.

    A task at OpenML says its target, and its metric where it is one of ours; a dataset says its target. What is asked
    for goes before that.

    Args:
        data: As there, or an address.
        offline: Take what is at OpenML from the cache alone.
        server: Another server than openml.org.
        cache: Its cache; None for the client's.
        tell: Told what is fetched.
        **options: As there.

    Raises:
        InputError: As there, or there is nothing at that address, or a server or cache of what is not at OpenML.
        OpenMLError: It cannot be had now.

    See Also:
        `make_task` for a table that is in memory, `describe` for what a task looks like.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:  # a file is a file; an address needs the server or its cache
        ...     _ = (Path(folder) / "a.csv").write_text("x,y\n" + "1,no\n2,yes\n" * 10)
        ...     task = read_task(Path(folder) / "a.csv")
        >>> task.kind, task.target
        ('binary', 'y')
    """
    from autometa.task import read_task as read_file

    if not is_address(data):
        _check_openml(data, server, cache)
        return read_file(data, **_allowed(options, offline))
    noun, number = address(data)
    openml = OpenML(server=server, cache=cache, offline=offline, tell=tell)
    return as_task(openml.table(number) if noun == "data" else openml.task(number), **options)


def _check_openml(data: Any, server: str | None, cache: Path | None) -> None:
    """Refuses a server or a cache of what is not at OpenML."""
    if given := [name for name, value in (("--server", server), ("--cache", cache)) if value is not None]:
        fix = "It is for an address such as openml:task/31 or openml:data/61."
        raise InputError(Problem(name, f"{data} is not at OpenML", fix) for name in given)


def _allowed(options: dict[str, Any], offline: bool) -> dict[str, Any]:
    """The options of a file; InputError where it is to be downloaded offline."""
    if offline and options.get("download"):
        raise InputError(
            Problem("--offline", "nothing can be downloaded offline", "Leave out --download, or --offline.")
        )
    return options


def as_task(found: OpenMLTask | OpenMLTable, **options: Any) -> Task:
    """A task or table from OpenML as a task to be searched; `options` are those of `autometa.task.make_task` and win.

    See Also:
        `is_address`, `OpenMLTask`.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"width": [float(i) for i in range(6)], "kind": list("ababab")})
        >>> task = as_task(OpenMLTable(61, "leaves", frame, "kind", ("kind",)))
        >>> task.name, task.target, task.kind, task.openml_id
        ('leaves', 'kind', 'binary', 61)
    """
    from autometa.task import make_task

    for of_files in ("rename_duplicates", "encoding", "header", "limits", "sheet", "member", "query", "download"):
        options.pop(of_files, None)
    table, known = (found, {}) if isinstance(found, OpenMLTable) else (found.table, _asked_by(found, options))
    known = {"name": table.name, "openml_id": table.data_id, "target": table.target, **known}
    return make_task(table.frame, **options | {k: v for k, v in known.items() if v and not options.get(k)})


def _asked_by(task: OpenMLTask, options: Mapping[str, Any]) -> dict[str, Any]:
    """What a task asks for: its kind unless another target is asked for, its measure where that is a scorer of ours."""
    if options.get("target") not in (None, task.target):
        return {"target": task.target}
    classes = task.table.frame[task.target].nunique()
    kind = task.kind if task.kind == "regression" else "binary" if classes == 2 else "multiclass"
    return {"target": task.target, "kind": task.kind, "metric": MEASURES.get(task.measure or "", {}).get(kind)}
