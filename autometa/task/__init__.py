"""A table, a target, a kind and a metric: what every other room is handed.

`read_table` turns a file of any common format into a raw table, `Schema` turns raw tables into typed features, and
`make_task` joins the two into an immutable `Task`. `read_task` does all of it and reports every problem of the input in
one `InputError`.

Law: a Task's fingerprint depends on the content alone, never on the order of rows or columns, nor on the file format.

Letters:  n rows · p columns · c classes.
"""

from autometa.task.read import read_table
from autometa.task.schema import Columns, Schema
from autometa.task.target import MIN_ROWS, Kind
from autometa.task.task import DEFAULT_METRICS, Task, make_task, read_task

__all__ = ["DEFAULT_METRICS", "MIN_ROWS", "Columns", "Kind", "Schema", "Task", "make_task", "read_table", "read_task"]
