"""``autometa fewshot encode``: images or texts as vectors, by a frozen encoder.

fewshot encode IMAGES|TEXTS --out vectors.parquet [--encoder MODEL] [--size N]
"""

# Annotations are evaluated once, here: typer would compile them from text at every start, which costs 10 ms.
from pathlib import Path
from typing import Annotated, Any

import typer

from autometa.cli.app import AsJson
from autometa.cli.fewshot import fewshot_app
from autometa.cli.fewshot_options import Device
from autometa.cli.reading import EncoderName
from autometa.cli.usage import Command
from autometa.errors import Problem


@fewshot_app.command(name="encode", cls=Command)
def encode(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="Folder of images (a sub-folder a class), or table of paths or texts."),
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="The vectors, as parquet.")] = None,
    encoder: EncoderName = None,
    column: Annotated[
        str | None,
        typer.Option(
            "--column", metavar="COL", help="Of a table: that of the paths or texts; default: found, and said."
        ),
    ] = None,
    texts: Annotated[bool, typer.Option("--texts", help="Its cells are texts, whatever they look like.")] = False,
    size: Annotated[
        str | None, typer.Option("--size", metavar="N", help="Pixels of a side; default: the encoder's own, or 224.")
    ] = None,
    scaling: Annotated[
        str | None,
        typer.Option("--scaling", metavar="unit|imagenet", help="How pixels are scaled; default: its own, or 0..1."),
    ] = None,
    batch: Annotated[str, typer.Option("--batch", metavar="N", help="Examples that are encoded at once.")] = "64",
    cache: Annotated[
        Path | None, typer.Option("--cache", metavar="DIR", help="Where vectors are kept; default: the user's cache.")
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch an encoder that is not in its cache.")] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run an encoder's file that is a program (.pt, .pt2).")
    ] = False,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Encode images or texts as vectors, for `fit` and `fewshot train --data vectors`.

    Each content is encoded once and kept, so that what was stopped goes on where it was.
    """
    from autometa.values import Gathered, check_writable, one_of, whole

    gathered = Gathered()
    if out is None:
        gathered.problems.append(Problem("--out", "say where to write them", "Such as --out vectors.parquet."))
    elif out.suffix.lower() not in (".parquet", ".pq"):
        gathered.problems.append(Problem(f"--out {out}", "is written as parquet", "Let its name end in .parquet."))
    else:
        gathered.take(check_writable, "--out", out)
    side = gathered.option(whole, "--size", size, 1)
    at_once = gathered.option(whole, "--batch", batch, 1)
    gathered.option(one_of, "--device", device, ("auto", "cpu", "cuda"))
    if scaling is not None:
        gathered.option(one_of, "--scaling", scaling, ("unit", "imagenet"))

    from autometa.fewshot.encoders import HowFed
    from autometa.fewshot.encoding import encoded, examples, written
    from autometa.fewshot.learned import any_encoder

    table = gathered.take(examples, data, column=column, takes="texts" if texts else None)
    how: Any = {"scaling": scaling if scaling in ("unit", "imagenet") else None}
    fed = HowFed(side, device=device, trust=trust, download=download, **how)
    found = None if table is None and not texts else gathered.take(
        any_encoder, encoder, "texts" if table is None else table.takes, fed
    )  # fmt: skip
    gathered.refuse()
    assert table is not None
    assert found is not None
    assert out is not None
    assert at_once is not None

    from autometa.cli.show import emit, show_record
    from autometa.live import counting

    with counting(f"encoding {table.takes}") as tell:
        vectors = encoded(table, found, cache=cache, batch=at_once, tell=tell)
    written(table, vectors, out)
    told = {
        "encoder": found.name,
        "encodes": table.takes,
        "column": table.column,
        "examples": len(vectors),
        "numbers": vectors.shape[1],
        "out": str(out),
    }
    label = next((name for name in ("label", "class", "target", "y") if name in table.beside), None)
    next_one = f"autometa fit {out}" + (f" --target {label}" if label else "")
    emit(told) if as_json else show_record(told | {"next": next_one})
