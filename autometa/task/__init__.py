"""A table, a target, a kind and a metric: what every other room is handed.

`read_table` turns a file of any common format into a raw table, `Schema` turns raw tables into typed features, and
`make_task` joins the two into an immutable `Task`. `read_task` does all of it and reports every problem of the input in
one `InputError`.

    read/         files, databases, addresses -> a raw table: compression, archives, encoding, dialect, formats
    in_memory     tables of polars, Arrow and SciPy
    cells         one cell: missing, text, number; quantities what stands around a number
    moments       dates and times; clocks how people write them
    columns       how a raw column is encoded, ever after
    vectors       embeddings: lists in cells, and columns that are one vector
    detect        what it holds, found once; distinct and identifiers are its eyes
    schema        a raw table -> typed features
    target, kinds what is to be predicted: classes or numbers, labels as they were written
    later         a later table beside the training table
    make, task    a raw table -> a Task; what a Task can do; ordering says how its rows may be split
    validation    a table that judges models instead of a part of this one
    fingerprint   the same data is recognised however it arrives

Law: a Task's fingerprint depends on the content alone, never on the order of rows or columns, nor on the file format.

Letters:  n rows · p columns · c classes.
"""

from autometa.task.in_memory import as_table
from autometa.task.kinds import label_array
from autometa.task.later import ColumnDrift, drift
from autometa.task.make import make_task, read_task
from autometa.task.read import read_table
from autometa.task.schema import Columns, Schema
from autometa.task.target import DEFAULT_METRICS, MIN_ROWS, OF_POSITIVE, Kind, later_target
from autometa.task.task import Task
from autometa.task.validation import with_validation

__all__ = [
    "DEFAULT_METRICS",
    "MIN_ROWS",
    "OF_POSITIVE",
    "ColumnDrift",
    "Columns",
    "Kind",
    "Schema",
    "Task",
    "as_table",
    "drift",
    "label_array",
    "later_target",
    "make_task",
    "read_table",
    "read_task",
    "with_validation",
]
