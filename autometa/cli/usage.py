"""Help pages and refusals, in one style.

Help is plain text: rich's help pages cost 100 ms more than everything else that `autometa --help` does. Options stand
under the panel they name (``rich_help_panel``). Whatever goes wrong, a person reads one line for each problem:

    autometa: adult.csv has no column 'clas'. Did you mean 'class'?
"""

from __future__ import annotations

import contextlib
import importlib
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from autometa.errors import AutoMetaError, InputError, Problem, did_you_mean
from autometa.passwords import masked

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
UNHEARD = 141  # 128 + SIGPIPE: whoever read what was printed went away
CLOSED: set[str] = set()  # standard streams of this process that were closed when it began


class Interrupted(AutoMetaError):
    """The person pressed Ctrl-C, and there was nothing to finish cleanly."""

    exit_code = INTERRUPTED


@contextlib.contextmanager
def _ends_as_interrupts() -> Iterator[None]:
    """SIGTERM and SIGHUP are as Ctrl-C where a command has nothing better to do with them, as a search has."""
    numbers = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None))]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    numbers = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]  # nohup's choice stays
    for number in numbers:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


class Command(TyperCommand):
    """A command whose help groups its options by panel."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """``[OPTIONS] RUN DATA``: arguments by their names alone."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def invoke(self, ctx: Any) -> Any:
        """Runs the command; Ctrl-C is an error like others here, and so is what ends a session; `| head -1` is none."""
        try:
            with _ends_as_interrupts():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted("stopped") from None
        except BrokenPipeError:
            raise typer.Exit(UNHEARD) from None

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments first, then each panel in the order of its first option."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            if parameter.param_type_name == "argument":
                panels.setdefault("Arguments", []).append((parameter.metavar or "", getattr(parameter, "help", "")))
            else:
                panels.setdefault(getattr(parameter, "rich_help_panel", None) or "Other", []).append(record)
        for title in sorted(panels, key=lambda title: (title != "Arguments", title == "Other")):
            with formatter.section(title):
                formatter.write_dl(panels[title])


class Program(TyperGroup):
    """A group whose commands stand in files of their own, read when a command is called; help names them without.

    A subclass names them in `FILES`: a command's name, the files of `autometa.cli` that register it, and the first line
    of its help, because reading all files costs more than everything else that ``autometa --help`` does.
    """

    FILES: ClassVar[Mapping[str, tuple[tuple[str, ...], str]]] = {}

    def __init__(self, **options: Any) -> None:
        """With a name and a line of help for every command whose file was not read."""
        super().__init__(**options)
        read = self.commands
        self.commands = {
            name: read.get(name) or Command(name=name, help=text) for name, (_, text) in self.FILES.items()
        }

    def registered(self) -> Mapping[str, Any]:
        """The commands whose files have been read, by name."""
        raise NotImplementedError

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command to run, its files read first."""
        if args and args[0] in self.FILES:
            for file in self.FILES[args[0]][0]:
                importlib.import_module(f"autometa.cli.{file}")
            self.commands.update(self.registered())
        return super().resolve_command(ctx, args)


def usage_problem(error: typer.TyperException) -> Problem:
    """What typer refused, as one of ours: which command, what, and what was probably meant."""
    context = getattr(error, "ctx", None)
    where = context.command_path.removeprefix("autometa").strip() if context is not None else ""
    fix = f"`autometa {where} --help` lists what there is.".replace("  ", " ")
    text = error.format_message().strip().splitlines()[0].rstrip(".")
    option = getattr(error, "option_name", None)
    if option is not None and text.startswith("No such option"):
        known = (
            [name for parameter in context.command.get_params(context) for name in parameter.opts] if context else []
        )
        text, fix = f"no option {option}", f"{did_you_mean(option, known)} {fix}".strip()
    elif text.startswith("No such command"):
        text, _, meant = text[0].lower() + text[1:], *text.partition(". ")[1:]
        text = text.partition(". ")[0]
        fix = f"{meant.rstrip('?')}? {fix}" if meant else fix
    else:
        text = text[0].lower() + text[1:]
    return Problem(where, text, fix)


def wrapped(line: str) -> str:
    """A line broken between words where the terminal would break it anywhere; paths stay whole."""
    import shutil
    import textwrap

    width = shutil.get_terminal_size().columns
    return textwrap.fill(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def refuse(error: AutoMetaError, *, as_json: bool) -> int:
    """Tells all problems on standard error, and a program one JSON value on standard output; gives the exit code."""
    from autometa.values import printable

    told = error.problems if isinstance(error, InputError) else (Problem("", str(error)),)
    problems = [Problem(masked(p.where), masked(p.what), masked(p.fix)) for p in told]
    for problem in problems:
        line = f"autometa: {printable(problem)}"
        print(wrapped(line) if sys.stderr.isatty() else line, file=sys.stderr)
    if as_json:
        import json

        said = [{"where": p.where, "what": p.what, "fix": p.fix} for p in problems]
        print(json.dumps({"error": said, "exit_code": error.exit_code}))
    return error.exit_code
