"""Pages that are written when the site is built, and not kept in the repository.

The reference of Python comes from every room's `__all__`, that of the command line from the app. Pages of the
repository outside `docs` that some page links to (the changelog, a table of results) become pages of the site, and
links to them lead there; links to code are code.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import figures

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
HERE = DOCS / "reference"
PLACES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
}  # others: files/
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")
ROOMS = {  # whose `__all__` is public, with what a reader goes there for
    "task": "tables and targets",
    "evaluation": "judging one configuration",
    "families": "the model families",
    "space": "search spaces",
    "metafeatures": "what a table looks like",
    "store": "the memory",
    "imports": "other people's experience",
    "openml": "tables and runs at OpenML",
    "transfer": "recommenders, the guarded search, surrogates",
    "sampler": "the Optuna sampler",
    "pruner": "the Optuna pruner",
    "studies": "remembering studies",
    "libraries": "the shipped memory in a library's words",
    "search": "runs, models, results",
    "fitting": "from a file to a run",
    "judging": "a model on a labelled table, two runs beside each other",
    "export": "a model elsewhere",
    "estimator": "the scikit-learn estimators",
    "explain": "why a model answers as it does",
    "report": "the HTML report",
    "serve": "a model as a web service",
    "agents": "what an agent may ask",
    "plots": "plots of a fitted estimator",
    "tracking": "finished searches as runs of MLflow",
    "watch": "a page that follows a search",
    "collect": "building experience",
    "cluster": "trials on other machines",
    "bench": "benchmarks",
    "fewshot": "few-shot learners",
    "adapting": "a few-shot learner as a family of a search",
    "errors": "the errors",
}


def public(room: str) -> list[str]:
    """The public names of a room, in order: its `__all__`, or what it defines without a leading underscore."""
    module = importlib.import_module(f"autometa.{room}")
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    )


def front() -> list[str]:
    """The names of `autometa` itself."""
    import autometa

    return [name for name in autometa.__all__ if not name.startswith("__")]


def described(module: str, name: str) -> str:
    """The directive that describes one public name."""
    value = getattr(importlib.import_module(module), name)
    if inspect.isclass(value):
        return f".. autoclass:: {module}.{name}\n   :members:\n   :show-inheritance:\n"
    if inspect.isroutine(value):
        return f".. autofunction:: {module}.{name}\n"
    return f".. py:data:: {module}.{name}\n\n   {summary(value)}\n"


def summary(value: Any) -> str:
    """What a constant is, in a line."""
    kind = type(value).__name__
    if isinstance(value, Mapping):
        return "By name: " + ", ".join(f"``{key}``" for key in value) + "."
    if isinstance(value, (tuple, list, frozenset, set)):
        return f"{len(value)} values: " + ", ".join(f"``{one}``" for one in value) + "."
    if isinstance(value, (str, int, float)):
        return f"``{value!r}``"
    words = (inspect.getdoc(value) or "").partition("\n")[0] if not kind.startswith("_") else ""
    return f"An instance of ``{kind}``. {words}".rstrip()


def titled(title: str, mark: str = "=") -> str:
    """A title of reStructuredText."""
    return f"{title}\n{mark * len(title)}\n"


def python_pages() -> Iterator[tuple[Path, str]]:
    """The page of `autometa`, and one for each room."""
    names = front()
    parts = [titled("autometa"), "What most people need; each name loads when it is first asked for.\n"]
    yield HERE / "python" / "autometa.rst", "\n".join(parts + [described("autometa", name) for name in names])
    for room, about in ROOMS.items():
        module = f"autometa.{room}"
        doc = inspect.getdoc(importlib.import_module(module)) or ""
        own = [name for name in public(room) if name not in names]
        parts = [
            titled(module),
            f"{about[0].upper()}{about[1:]}.\n",
            ".. code-block:: text\n   :class: words\n",
            *(f"   {line}".rstrip() for line in doc.splitlines()),
            "",
        ]
        if shared := [name for name in public(room) if name in names]:
            parts.append(
                "In :doc:`autometa <autometa>`: " + ", ".join(f":py:obj:`autometa.{name}`" for name in shared) + ".\n"
            )
        yield HERE / "python" / f"{room}.rst", "\n".join(parts + [described(module, name) for name in own])
    listing = "\n".join(["autometa", *ROOMS])
    text = f"""{titled("Python")}
Everything in a module's ``__all__`` is public; :doc:`/reference/stability` says how it may change.

.. toctree::
   :maxdepth: 1

""" + "".join(f"   {name}\n" for name in listing.split())
    yield HERE / "python" / "index.rst", text


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """A command and all below it, by the words that call them."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{path} {name}")


def command_page() -> str:
    """The reference of the command line, drawn from the program itself."""
    from typer.main import get_command

    from autometa.cli.app import AutoMeta, app

    for files, _ in AutoMeta.FILES.values():
        for file in files:
            importlib.import_module(f"autometa.cli.{file}")
    program: Any = get_command(app)
    program.commands.update(program.registered())
    parts = ["# Command line\n", "Drawn from the program: `autometa COMMAND --help` says the same.\n"]
    for path, command in commands(program, "autometa"):
        context = command.make_context(path, [], resilient_parsing=True)
        usage = " ".join(command.collect_usage_pieces(context))
        parts.append(f"{'##' if path.count(' ') < 2 else '###'} {path}\n")
        parts.append(f"```text\n{path} {usage}\n```\n")
        parts.append(inspect.cleandoc(command.help or "") + "\n")
        rows: dict[str, list[tuple[str, str]]] = {}
        for parameter in command.get_params(context):
            if parameter.param_type_name == "argument":
                rows.setdefault("Arguments", []).append(
                    (parameter.metavar or parameter.name, getattr(parameter, "help", "") or "")
                )
            elif record := parameter.get_help_record(context):
                rows.setdefault(getattr(parameter, "rich_help_panel", None) or "Other", []).append(record)
        for panel in sorted(rows, key=lambda panel: (panel != "Arguments", panel == "Other")):
            parts.append(f"| {panel} | |\n|---|---|")
            parts.extend(f"| `{cell(name)}` | {cell(text)} |" for name, text in rows[panel])
            parts.append("")
    return "\n".join(parts)


def cell(text: str) -> str:
    """A text within a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("*", "\\*").replace("<", "\\<")


def place_of(path: Path) -> Path:
    """The page of the site that a Markdown file of the repository becomes."""
    if path.is_relative_to(DOCS):
        return path
    name = path.relative_to(ROOT).as_posix()
    return DOCS / PLACES.get(name, "files/" + name.replace("/", "_"))


def relinked(text: str, source: Path, page: Path) -> str:
    """A text whose links, written as seen from `source`, lead to pages of the site as seen from `page`."""

    def link(match: re.Match[str]) -> str:
        picture, words, anchor = match[1], match[2], match[4] or ""
        target = (source.parent / match[3]).resolve()
        if not target.exists() or (source == page and (picture or target.is_relative_to(DOCS))):
            return match[0]  # right as it is, or missing, and then Sphinx says so
        if target.is_dir() or target.suffix == ".py":
            return words
        seen = os.path.relpath(place_of(target) if target.suffix == ".md" else target, page.parent)
        return f"{picture}[{words}]({Path(seen).as_posix()}{anchor})"

    return LINK.sub(link, text)


def outside() -> dict[Path, str]:
    """The pages made of Markdown files outside `docs` that a page links to, and of those that they link to."""
    waiting = [*DOCS.glob("*.md"), *HERE.glob("*.md"), *(ROOT / name for name in PLACES)]
    seen: set[Path] = set()
    pages = {}
    while waiting:
        source = waiting.pop()
        if source in seen or not source.is_file():
            continue
        seen.add(source)
        text, page = source.read_text(encoding="utf-8"), place_of(source)
        if page not in (source, DOCS / "index.md"):
            head = "" if page.parent == DOCS else "---\norphan: true\n---\n\n"
            pages[page] = head + relinked(text, source, page)
        linked = [(source.parent / match[3]).resolve() for match in LINK.finditer(text)]
        waiting += [target for target in linked if target.suffix == ".md" and not target.is_relative_to(DOCS)]
    return pages


def read(app: Sphinx, name: str, content: list[str]) -> None:
    """Links of a page that is read lead to pages of the site."""
    path = Path(app.env.doc2path(name))
    if path.suffix == ".md" and "files" not in path.parts:
        content[0] = relinked(content[0], path, path)


def write(app: Sphinx | None = None) -> None:
    """Writes every page whose text has changed."""
    written = {HERE / "commands.md": command_page(), DOCS / "files" / "figures.md": figures.origins()}
    pages = {**written, **dict(python_pages()), **outside()}
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def skipped(app: Any, what: str, name: str, value: Any, skip: bool, options: Any) -> bool | None:
    """What scikit-learn gives every estimator for routing metadata is its own, and described there."""
    return True if re.fullmatch(r"set_\w+_request|get_metadata_routing", name) else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Writes the pages before Sphinx looks for them."""
    app.connect("builder-inited", write, priority=100)
    app.connect("source-read", read)
    app.connect("autodoc-skip-member", skipped)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    write()
