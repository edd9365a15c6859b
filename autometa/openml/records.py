"""What comes from OpenML: datasets, tasks, suites, and what was published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from autometa.moved import former

if TYPE_CHECKING:
    import pandas as pd
else:
    __getattr__ = former(__name__)  # names of before

Split = tuple[int, int, NDArray[np.intp], NDArray[np.intp]]  # repeat, fold, rows to train on, rows to test on


@dataclass(frozen=True, slots=True)
class OpenMLTable:
    """A dataset: every column but row ids and those that its maker marked to be ignored.

    See Also:
        `OpenMLTask`, `OpenML`.

    Example:
        >>> import pandas as pd
        >>> table = OpenMLTable(61, "iris", pd.DataFrame({"sepal": [5.1], "class": ["setosa"]}), "class", ("class",))
        >>> table.frame.columns.tolist(), table.target
        (['sepal', 'class'], 'class')
    """

    data_id: int
    name: str
    frame: pd.DataFrame  # (n, p) features and target
    target: str | None  # the maker's choice
    categorical: tuple[str, ...]  # names of the nominal columns, the target among them if it is one


@dataclass(frozen=True, slots=True)
class OpenMLTask:
    """A dataset, what to predict in it, and on which rows to be judged.

    See Also:
        `OpenMLTable`, `as_task`.

    Example:
        >>> import pandas as pd
        >>> table = OpenMLTable(61, "iris", pd.DataFrame({"sepal": [5.1], "class": ["setosa"]}), "class", ("class",))
        >>> OpenMLTask(59, "classification", table, "class", (), "predictive_accuracy").kind
        'classification'
    """

    task_id: int
    kind: Literal["classification", "regression"]
    table: OpenMLTable
    target: str
    splits: tuple[Split, ...]  # by repeat and fold; rows count from 0
    measure: str | None  # OpenML's name of the measure to be judged by, if the task says one


@dataclass(frozen=True, slots=True)
class OpenMLSuite:
    """A named collection of tasks.

    See Also:
        `OpenML`, `autometa.bench.open_suite`.

    Example:
        >>> OpenMLSuite(99, "OpenML-CC18", (3, 6, 11)).task_ids[0]
        3
    """

    id: int
    name: str
    task_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Publication:
    """What was published, or in a dry run would be.

    See Also:
        `OpenML`.

    Example:
        >>> Publication(None, None, None, "<flow/>", "<run/>", 150).run_id is None  # a dry run
        True
    """

    flow_id: int | None  # None while it is not at the server
    run_id: int | None
    url: str | None
    flow: str  # the XML that describes the method
    run: str  # the XML that describes the run
    predictions: int
