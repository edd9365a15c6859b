"""Names of columns: text, and unique; and how a sentence lists them.

Letters:  p columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from autometa.task.options import OPTIONS


def unique_names(names: Sequence[Any]) -> list[str]:
    """Names as text, each made unique: the second ``a`` becomes ``a.1``.

    Example:
        >>> unique_names(["a", 1, "a", "a.1"])
        ['a', '1', 'a.2', 'a.1']
    """
    texts = [str(name) for name in names]
    if len(set(texts)) == len(texts):
        return texts
    given, used, out = set(texts), set(), []
    count: dict[str, int] = {}
    for text in texts:
        name = text
        while name in used or (name != text and name in given):
            count[text] = count.get(text, 0) + 1
            name = f"{text}.{count[text]}"
        used.add(name)
        out.append(name)
    return out


def named(frame: pd.DataFrame) -> pd.DataFrame:  # (n, p)
    """`frame` under unique text names (`unique_names`); the same object if it has them already."""
    names = unique_names(frame.columns.tolist())
    if names == frame.columns.tolist():
        return frame
    return renamed(frame, names)


def columns_at(frame: pd.DataFrame, places: Any) -> list[pd.Series]:
    """The columns of a table, (n, p), at these places: a list, or a slice; a fifth of what ``iloc`` takes for each.

    Example:
        >>> [column.name for column in columns_at(pd.DataFrame({"a": [1], "b": [2], "c": [3]}), [2, 0])]
        ['c', 'a']
    """
    if not isinstance(places, slice) and not len(places):
        return []
    return [column for _, column in part_at(frame, places).items()]


def part_at(frame: pd.DataFrame, places: Any) -> pd.DataFrame:
    """The table of the columns, (n, p), at these places: of those side by side a view, at a third of the cost.

    Example:
        >>> part_at(pd.DataFrame({"a": [1], "b": [2], "c": [3]}), [1, 2]).columns.tolist()
        ['b', 'c']
    """
    if not isinstance(places, slice) and len(places):
        first, last = int(places[0]), int(places[-1])
        if last - first + 1 == len(places) and all(i == first + k for k, i in enumerate(places)):
            places = slice(first, last + 1)
    return frame.iloc[:, places]


def renamed(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:  # (n, p), (p,)
    """`frame` under these names, text even where there are none; its cells are shared, not copied."""
    return frame.set_axis(pd.Index(names, dtype="str"), axis=1)


def listed(names: Sequence[Any], most: int = OPTIONS.names_listed) -> str:
    """Names for a sentence: ``'a', 'b' and 3 more``.

    Example:
        >>> listed(["a", "b", "c"], most=2)
        "'a', 'b' and 1 more"
    """
    text = ", ".join(repr(str(name)) for name in names[:most])
    return text if len(names) <= most else f"{text} and {len(names) - most} more"
