"""Runs of several targets on the command line: what is asked of the folder is asked of each of its runs."""

import contextlib
import io
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autometa.cli.usage import INTERRUPTED
from autometa.errors import AutoMetaError, InputError, Problem
from autometa.values import printable

if TYPE_CHECKING:
    from autometa.cli.answers import Answering
    from autometa.fitting import Results


def several_targets(text: str | None) -> tuple[str, ...]:
    """The targets that --target names; () where it names one, or none. A name with a comma stands in quotes.

    Example:
        >>> several_targets("price,sold"), several_targets('"price, net"'), several_targets("price")
        (('price', 'sold'), (), ())
    """
    names = _listed(text)
    return names if len(names) > 1 else ()


def one_target(text: str | None) -> str | None:
    """The target that --target names, out of its quotes.

    Example:
        >>> one_target('"price, net"'), one_target("price"), one_target(None)
        ('price, net', 'price', None)
    """
    names = _listed(text)
    return names[0] if len(names) == 1 else text


def _listed(text: str | None) -> tuple[str, ...]:
    from autometa.cli.reading import listed_names

    return listed_names(text) if text is not None and "," in text else ()


def metrics_of(text: str | None) -> "str | Mapping[str, str] | None":
    """What --metric says of several targets: one name for all, or ``price=rmse,sold=f1``.

    Example:
        >>> metrics_of("price=rmse,sold=f1"), metrics_of("r2")
        ({'price': 'rmse', 'sold': 'f1'}, 'r2')
    """
    if text is None or "=" not in text:
        return text
    from autometa.cli.reading import pairs_of

    return pairs_of("--metric", text, "TARGET=NAME", "price=rmse")


class EachProgress:
    """A progress for each target; what is to be told between two of them, the next one says before anything else.

    Example:
        >>> each = EachProgress("Half of the time is left.")
        >>> each.note("Cluster: 2 workers with 2 CPUs in all.")
        >>> len(each.waiting)
        2
    """

    def __init__(self, said: str | None = None) -> None:
        """With a sentence to begin with."""
        self.waiting: list[str] = [] if said is None else [said]
        self._now: Any = None

    @contextlib.contextmanager
    def __call__(self) -> Any:
        """The progress of one target."""
        from autometa.live import live

        with live() as self._now:
            while self.waiting:
                self._now.note(self.waiting.pop(0))
            try:
                yield self._now
            finally:
                self._now = None

    def note(self, text: str) -> None:
        """Tells it now, or with the next target."""
        if self._now is None:
            self.waiting.append(text)
        else:
            self._now.note(text)


def fit_several(
    source: Any,
    targets: tuple[str, ...],
    metrics: "str | Mapping[str, str] | None",
    how: Mapping[str, Any],
    said: str | None,
    *,
    where: tuple[str | None, Path | None],
    as_json: bool,
) -> int:
    """``autometa fit`` of several targets; `how` are the arguments of `fit_file`, `where` --cluster and --tls."""
    from autometa.cli.app import PROGRAM_STARTED
    from autometa.cli.spreading import spread
    from autometa.fitting import fit_targets

    given = {name: value for name, value in how.items() if name != "target"} | {"started": PROGRAM_STARTED}
    telling = EachProgress(said)
    with spread(*where, telling.note) as executor:
        results = fit_targets(source, targets, metric=metrics, telling=telling, executor=executor, **given)
    return conclude_targets(results, as_json=as_json)


def conclude_targets(results: "Results", *, as_json: bool) -> int:
    """Writes the report of each target and their index, and says what came of them."""
    from autometa.cli.result_page import show_result
    from autometa.cli.show import emit
    from autometa.report import write
    from autometa.report.index import write_index

    index: Path | None = None
    paths: dict[str, Path] = {}
    try:
        for name, result in results.results.items():
            paths[name] = write(result, result.run / "report.html")
        index = write_index(results.results, results.run / "report.html")
    except (AutoMetaError, OSError) as error:
        print(f"autometa: the report was not written: {error}. `autometa report {results.run}` does.", file=sys.stderr)
    if as_json:
        emit(results.summary())
    else:
        for name, result in results.results.items():
            show_result(result, paths.get(name))
        if index is not None:
            print(f"\nall targets  {index}")
        print(f"next         autometa predict {shlex.quote(str(results.run))} new.csv")
    return INTERRUPTED if results.interrupted else 0


def each_target(parts: Mapping[str, Path], run: Path, call: Callable[[Path], Any], *, as_json: bool) -> None:
    """Asks something of the run of each target; with `as_json` the answers are one JSON value."""
    from autometa.cli.show import emit

    found: dict[str, Any] = {}
    for name, part in parts.items():
        if not as_json:
            print(f"\n{printable(name)}")
            call(part)
            continue
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            call(part)
        found[name] = json.loads(said.getvalue())
    if as_json:
        emit({"run": str(run), "targets": found})


def refuse_for_several(parts: Mapping[str, Path], options: Mapping[str, Any]) -> None:
    """Refuses options that are of one target.

    Raises:
        InputError: One of them is given.
    """
    given = [name for name, value in options.items() if value not in (None, False)]
    if given:
        runs = ", ".join(f"{part} ({name!r})" for name, part in parts.items())
        what = "is of one target" if len(given) == 1 else "are of one target"
        raise InputError(Problem(" and ".join(given), what, f"Name the run of one: {runs}."))


def of_one_search(options: Mapping[str, Any]) -> list[Problem]:
    """What is given and is of one search, where there are several.

    Example:
        >>> [str(one) for one in of_one_search({"--watch": True, "--server": None})]
        ['--watch: is of one search, and there are several. Leave it out.']
    """
    given = [name for name, value in options.items() if value not in (None, False)]
    return [Problem(name, "is of one search, and there are several", "Leave it out.") for name in given]


def refuse_stdin(data: Any) -> None:
    """Refuses a table that can be read once.

    Raises:
        InputError: It is standard input.
    """
    if data == "-":
        what = "standard input can be read once, and each of several targets reads the table"
        raise InputError(Problem("-", what, "Name a file."))


def predict_targets(
    parts: Mapping[str, Path], source: Any, asked: "Answering", *, trusted: bool, offline: bool, said: Mapping[str, Any]
) -> None:
    """Writes the answers of all targets as one table, a column for each.

    Raises:
        InputError: A table that a model needs otherwise cannot be read; columns are lacking; everything of all targets.
    """
    from autometa.cli.answers import answer_together
    from autometa.openml import read_table
    from autometa.search import load_models
    from autometa.values import Gathered

    refuse_stdin(source)
    models, gathered = load_models(next(iter(parts.values())).parent, trusted=trusted).models, Gathered()
    frames = {}
    for name, model in models.items():
        read = gathered.take(read_table, source, offline=offline, allow_empty=True, **said, **model.schema.reading)
        if read is not None:
            frames[name] = read[0]
        if asked.interval is not None:
            gathered.take(model.check_interval, asked.interval)
    if asked.proba and all(model.kind == "regression" for model in models.values()):
        what = "all targets are numbers, and have no probabilities"
        gathered.problems.append(Problem("--proba", what, "Leave it out."))
    gathered.refuse()
    answer_together(models, frames, asked)
