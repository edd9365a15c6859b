"""Tables written as parquet, part by part: what `predict` answers.

Letters:  n rows · p columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd


def write_parquet(path: Path, parts: Iterable[pd.DataFrame]) -> None:
    """Writes the parts of a table, (n, p) each, as groups of rows; cells of several types become text.

    Raises:
        OSError: It cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_parquet(Path(folder) / "t.parquet", [pd.DataFrame({"a": [1, "x"]}), pd.DataFrame({"a": [None]})])
        ...     pd.read_parquet(Path(folder) / "t.parquet")["a"].tolist()
        ['1', 'x', nan]
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema: Any = None
    writer: Any = None
    try:
        for part in parts:
            texts = [i for i, dtype in enumerate(part.dtypes) if pd.api.types.is_object_dtype(dtype)]
            columns = {i: part.iloc[:, i] for i in range(part.shape[1])}
            columns |= {i: columns[i].astype("str") for i in texts}
            table = pa.table([pa.array(one) for one in columns.values()], names=list(map(str, part.columns)))
            schema = schema or table.schema
            writer = writer or pq.ParquetWriter(path, schema)
            writer.write_table(table.cast(schema))
    finally:
        if writer is not None:
            writer.close()
