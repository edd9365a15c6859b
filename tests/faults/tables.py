"""Small tables in every format, to be damaged; and what `read_task` makes of bytes."""

from __future__ import annotations

import gzip
import io
import json
import warnings
from typing import Any

import numpy as np
import pandas as pd

from autometa.errors import InputError
from autometa.task import Task, read_task
from autometa.task.read.raw import UNFORESEEN


def frame() -> pd.DataFrame:
    """60 rows of numbers, a gap, a category, dates, money, text and a target."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=60).round(3), "b": rng.integers(0, 9, 60)})
    table["c"] = rng.choice(['w,"q"', "v v", "ü"], 60)
    table["t"] = [f"2020-01-{day:02d}" for day in rng.integers(1, 29, 60)]
    table["m"] = [f"${1000 + k:,}.5" for k in range(60)]
    table["z"] = np.where(rng.random(60) < 0.2, np.nan, rng.normal(size=60).round(1))
    table["text"] = [f"the quick brown {k} fox é" for k in range(60)]
    return table.assign(target=rng.choice(["x", "y"], 60))


def _written(write: str, **how: Any) -> bytes:
    out = io.BytesIO()
    getattr(frame(), write)(out, **how)
    return out.getvalue()


def formats() -> dict[str, bytes]:
    """The table as every kind of text, binary and packed file."""
    csv = frame().to_csv(index=False)
    rows = frame().to_dict(orient="records")
    names = "".join(
        f"@attribute {name} {kind}\n" for name, kind in zip("abm", ("numeric", "numeric", "string"), strict=True)
    )
    dense = "".join(f"{row['a']},{row['b']},'{row['m']}',{row['target']}\n" for row in rows)
    sparse = "".join(f"{{0 {row['a']},3 {row['target']}}}\n" for row in rows)
    arff = f"@relation r\n{names}@attribute target {{x,y}}\n@data\n"
    return {
        "csv": csv.encode(),
        "semicolons": frame().to_csv(index=False, sep=";", decimal=",").encode("latin-1"),
        "tabs": frame().to_csv(index=False, sep="\t").encode("utf-16"),
        "json": json.dumps(rows, default=str).encode(),
        "jsonl": "\n".join(json.dumps(row) for row in rows).encode(),
        "arff": (arff + dense).encode(),
        "sparse arff": (arff + sparse).encode(),
        "gzip": gzip.compress(csv.encode(), mtime=0),
        "parquet": _written("to_parquet"),
        "parquet, plain": _written("to_parquet", compression=None, use_dictionary=False),
        "feather": _written("to_feather"),
        "feather, plain": _written("to_feather", compression="uncompressed"),
    }


BINARY = ("parquet", "parquet, plain", "feather", "feather, plain")  # read in a process of their own


def outcome(data: bytes, **options: Any) -> Task | InputError | str:
    """The task in these bytes, or why there is none; a text where that is not as it should be."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read_task(data, **options)
    except InputError as error:
        unforeseen = [str(one) for one in error.problems if one.what.startswith(UNFORESEEN)]
        return unforeseen[0] if unforeseen else error
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        return f"{type(error).__name__}: {str(error)[:200]}"
