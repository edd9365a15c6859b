"""The architecture holds: rooms import from lower floors only, files in no circle, a dependency has one door.

The floors are drawn in CONTRIBUTING.md by this file, so that drawing and code cannot part:

    python tests/test_architecture.py    # writes the drawing anew
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "autometa"
GUIDE = PACKAGE.parent / "CONTRIBUTING.md"
FLOORS = (
    {"quantiles", "errors", "files", "origins", "moved", "passwords", "pickled", "late"},
    {"task", "space", "families", "values", "extras", "listening"},
    {"evaluation", "metafeatures", "openml"},
    {"store"},
    {"transfer", "fewshot"},
    {"studies", "adapting"},
    {"learn", "libraries"},
    {"sampler", "pruner"},
    {"search", "report", "explain", "collect", "imports", "cluster"},
    {"export", "fitting", "live", "judging", "serve"},
    {"watch", "notebook", "plots", "tracking"},
    {"estimator", "agents"},
    {"bench"},
    {"cli"},
    {"__init__", "__main__"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# A family's space is a SearchSpace and its limits look at a Task; a report shows the
# Result of a search, and what explains it.
NEIGHBOURS = {
    ("families", "task"),
    ("families", "space"),
    ("report", "search"),
    ("report", "explain"),
    ("explain", "search"),
    ("collect", "search"),
}
# Where a dependency may be imported: rooms, or files. Whatever is not named here may be imported anywhere.
DOORS = {
    "openml": ("openml",),
    "sqlalchemy": ("store", "meta_db/migrations", "task/read/databases.py"),
    "python_calamine": ("task/read/workbooks.py",),
    "alembic": ("store", "meta_db/migrations"),
    "torch": ("families/learners", "transfer/meta", "fewshot"),
    "typer": ("cli",),
    "rich": ("cli", "live.py", "notebook.py"),
    "IPython": ("notebook.py",),
    "matplotlib": ("plots.py",),
    "optuna": (
        "space",
        "families",
        "transfer",
        "studies",
        "learn",
        "libraries",
        "sampler",
        "pruner",
        "search",
        "estimator",
    ),
    "psutil": ("evaluation", "cli/doctor.py"),
    "pyarrow": ("task", "store"),
    "onnx": ("export",),
    "onnxruntime": ("export", "fewshot/encoders.py"),
    "skops": ("export",),
    "filelock": ("search", "bench", "openml"),
    "fastapi": ("serve",),
    "mcp": ("agents.py",),
    "mlflow": ("tracking",),
    "uvicorn": ("serve/running.py",),
    "platformdirs": ("store", "search", "cluster"),
    "distributed": ("cluster",),
    # Servers, a reader that may crash, libraries, git.
    "subprocess": ("evaluation/isolation.py", "openml/process.py", "task/read/apart.py", "bench", "cli/doctor.py"),
}
MOST_LINES, MOST_STATEMENT_LINES = 400, 70
REASON = "Longer than"  # a file that is, says why in its docstring


@cache
def trees() -> dict[Path, ast.Module]:
    """Every file of the package, parsed; paths within the package."""
    files = sorted(path for path in PACKAGE.rglob("*.py") if "meta_db" not in path.relative_to(PACKAGE).parts)
    return {path.relative_to(PACKAGE): ast.parse(path.read_text(encoding="utf-8")) for path in files}


def module_of(path: Path) -> str:
    return ".".join(("autometa", *path.with_suffix("").parts)).removesuffix(".__init__")


@cache
def imports() -> tuple[tuple[Path, int, str], ...]:
    """Every import of the package, at the top of a file or inside a function: file, line, absolute name."""
    return tuple(_imports())


def _imports() -> Iterator[tuple[Path, int, str]]:
    for path, tree in trees().items():
        package = ("autometa", *path.parts[:-1])
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from ((path, node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                parents = package[: len(package) + 1 - node.level] if node.level else ()
                base = ".".join([*parents, *filter(None, [node.module])])
                yield from ((path, node.lineno, f"{base}.{alias.name}") for alias in node.names)


def room_of(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected components of more than one node (Tarjan, 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(edges[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(component) > 1:
                found.append(sorted(component))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return found


def drawing() -> str:
    """The floors with their rooms, highest first, each room with the first sentence of its docstring."""
    lines = []
    for floor in range(len(FLOORS) - 2, -1, -1):  # the last holds the package's own two files
        for room in sorted(FLOORS[floor]):
            path = Path(f"{room}.py") if Path(f"{room}.py") in trees() else Path(room) / "__init__.py"
            sentence = (ast.get_docstring(trees()[path]) or "").split("\n\n")[0].replace("\n", " ")
            lines.append(f"{floor:>2}  {room:<13} {sentence}")
    return "\n".join(["```", *lines, "```"])


def test_every_room_has_a_floor():
    assert {room_of(path) for path in trees()} == set(FLOOR)


def test_the_floors_are_drawn_as_they_are():
    assert drawing() in GUIDE.read_text(encoding="utf-8"), "python tests/test_architecture.py draws them anew"


def test_a_room_imports_from_lower_floors_only():
    wrong = []
    for path, line, name in imports():
        room, other = room_of(path), [*name.split("."), ""][1] if name.startswith("autometa.") else ""
        if other in FLOOR and other != room and (room, other) not in NEIGHBOURS and FLOOR[other] >= FLOOR.get(room, 0):
            wrong.append(f"{path}:{line}: {room} imports {other}")
    assert not wrong


def test_no_files_import_each_other_in_a_circle():
    modules = {module_of(path) for path in trees()}
    edges: dict[str, set[str]] = {module: set() for module in modules}
    for path, _, name in imports():
        imported = name if name in modules else name.rpartition(".")[0]
        if imported in modules and imported != module_of(path):
            edges[module_of(path)].add(imported)
    assert circles(edges) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


@pytest.mark.parametrize("dependency", DOORS)
def test_a_dependency_is_imported_behind_its_one_door_only(dependency):
    doors = tuple(door if door.endswith(".py") else f"{door}/" for door in DOORS[dependency])
    homes = [(path, f"{path}:{line}: {name}") for path, line, name in imports() if name.split(".")[0] == dependency]
    inside = [
        path.as_posix().startswith((*doors, *(f"{d[:-1]}.py" for d in doors if d[-1] == "/"))) for path, _ in homes
    ]
    assert [where for (_, where), allowed in zip(homes, inside, strict=True) if not allowed] == []
    assert any(inside), "a door that nobody uses"


def test_no_room_starts_the_command_line():
    """Work that a room wants done is a call; a process of ourselves is nobody's to see, to limit or to end."""
    wrong = [
        f"{path}:{node.lineno}"
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, (ast.List, ast.Tuple))
        for one, two in zip(node.elts, node.elts[1:], strict=False)
        if isinstance(one, ast.Constant)
        and isinstance(two, ast.Constant)
        and (one.value, two.value) == ("-m", "autometa")
    ]
    assert wrong == []


def test_the_package_never_imports_its_tests_or_benchmarks():
    assert not [
        f"{path}:{line}: {name}" for path, line, name in imports() if name.split(".")[0] in ("tests", "benchmarks")
    ]


def test_only_the_command_line_prints():
    assert not [
        f"{path}:{node.lineno}"
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        if path.parts[0] != "cli"
    ]


def test_a_file_is_short_or_says_why_it_is_not():
    lengths = {path: len((PACKAGE / path).read_text(encoding="utf-8").splitlines()) for path in trees()}
    long = [path for path, length in lengths.items() if length > MOST_LINES]
    assert [f"{path}: {lengths[path]}" for path in long if REASON not in (ast.get_docstring(trees()[path]) or "")] == []


def test_a_function_is_short():
    """Signature and docstring are declarations and do not count."""
    wrong = []
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                if lines > MOST_STATEMENT_LINES:
                    wrong.append(f"{path}:{node.lineno}: {node.name} has {lines} lines")
    assert wrong == []


def test_a_name_means_one_thing():
    """Classes, and numbers in capitals, have names of their own."""
    classes: dict[str, set[str]] = defaultdict(set)
    numbers: dict[str, dict[str, str]] = defaultdict(dict)
    for path, tree in trees().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                classes[node.name].add(path.as_posix())
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name, value = node.targets[0].id, ast.unparse(node.value)
                if (
                    name.isupper()
                    and any(c.isdigit() for c in value)
                    and isinstance(node.value, (ast.Constant, ast.BinOp))
                ):
                    numbers[name][value] = path.as_posix()
    assert {name: places for name, places in classes.items() if len(places) > 1} == {}
    assert {name: values for name, values in numbers.items() if len(values) > 1} == {}


if __name__ == "__main__":
    text = GUIDE.read_text(encoding="utf-8")
    head, rest = text.split("<!-- floors -->\n")[0], text.split("<!-- /floors -->")[1]
    GUIDE.write_text(f"{head}<!-- floors -->\n{drawing()}\n<!-- /floors -->{rest}", encoding="utf-8")
    sys.exit(0)
