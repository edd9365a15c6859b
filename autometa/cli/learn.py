"""``autometa learn``: a surrogate for a space of one's own, and what held-out studies say of it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autometa.cli.app import AsJson, Store, app
from autometa.cli.usage import Command
from autometa.errors import Problem

if TYPE_CHECKING:
    from autometa.learn import Learned

HEADINGS = {"random": "random order", "without": "past studies", "with": "past studies + surrogate"}


@app.command(cls=Command)
def learn(
    space: Annotated[
        str, typer.Option("--space", metavar="NAME", help="The name under which studies were remembered.")
    ],
    store: Store = None,
    time: Annotated[str, typer.Option("--time", metavar="60|5m", help="Most that training may take.")] = "60",
    seed: Annotated[str, typer.Option("--seed", metavar="N", help="Of the panel and of training.")] = "0",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="With --space fit: where the weights are written.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train the surrogate of a search space of your own.

    It learns from the studies that a store remembers. Some of them are held out to judge it; it is kept only if they
    are not worse for it, and what came of it is said. In Python, a `WarmStartSampler` with learn=True does the same
    when there are enough new studies. --space fit trains what ships with AutoMeta, from a store that `collect` filled.
    """
    from dataclasses import asdict

    from autometa.cli.show import emit
    from autometa.learn import learn as train
    from autometa.learn import learn_fit
    from autometa.store import MetaStore
    from autometa.values import Gathered, duration, whole

    gathered = Gathered()
    seconds, number = gathered.option(duration, "--time", time), gathered.option(whole, "--seed", seed, 0)
    if (space == "fit") is not (out is not None):
        gathered.problems.append(
            Problem("--out", "goes with --space fit", "Weights of another space stay in the store.")
        )
    gathered.refuse()
    assert seconds is not None
    assert number is not None

    def tell(line: str) -> None:
        print(line, file=sys.stderr)

    if out is not None:
        found = learn_fit(MetaStore(store), out, seconds=seconds, seed=number, tell=tell)
        if as_json:
            emit([asdict(learned) for learned in found])
        for learned in () if as_json else found:
            _show(learned)
        return
    learned = train(MetaStore(store), space, seconds=seconds, seed=number, tell=tell)
    emit(asdict(learned)) if as_json else _show(learned)


def _show(learned: "Learned") -> None:
    """The panel's table, and whether the surrogate is used."""
    from rich import box
    from rich.table import Table

    from autometa.cli.show import page

    out = page()
    out.print(
        f"{learned.studies} studies of {learned.space!r}, {learned.configurations} configurations; "
        f"held out: {', '.join(learned.panel)}",
        markup=False,
    )
    for note in learned.notes:
        out.print(note, markup=False)
    table = Table(box=box.HORIZONTALS, header_style="bold")
    table.add_column("mean regret on the held-out studies after")
    for trials in learned.trials:
        table.add_column(f"{trials} trials" if trials > 1 else "1 trial", justify="right")
    for name, heading in HEADINGS.items():
        table.add_row(heading, *(f"{value:.3f}" for value in learned.regret[name]))
    out.print(table)
    verdict = (
        "The next study of this space uses the surrogate."
        if learned.used
        else "The surrogate made the held-out studies worse, so it is not used; past studies still guide the search."
    )
    out.print(f"{verdict} ({learned.seconds:.0f} s)")
