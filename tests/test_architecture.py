"""The architecture holds: rooms import from lower floors only, a dependency has one door, only `cli` prints."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "autometa"
FLOORS = (
    {"errors", "files", "origins", "moved"},
    {"task", "space", "families"},
    {"evaluation", "metafeatures", "openml"},
    {"store"},
    {"transfer", "fewshot"},
    {"studies"},
    {"learn"},
    {"sampler", "pruner"},
    {"search", "report", "collect", "imports"},
    {"fitting"},
    {"estimator"},
    {"bench"},
    {"cli"},
    {"__init__", "__main__"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# A family's space is a SearchSpace and its limits look at a Task; a report shows the Result of a search.
NEIGHBOURS = {("families", "task"), ("families", "space"), ("report", "search"), ("collect", "search")}
DOORS = {
    "openml": ("openml",),
    "sqlalchemy": ("store", "meta_db/migrations"),
    "alembic": ("store", "meta_db/migrations"),
    "torch": ("families/learners", "transfer/meta", "fewshot"),
    "subprocess": ("evaluation/isolation.py", "openml/process.py", "bench", "cli/doctor.py"),  # nobody else starts one
    "typer": ("cli",),
    "rich": ("cli",),
}


def imports() -> Iterator[tuple[Path, int, str]]:
    """Every import of the package, at the top of a file or inside a function: file, line, absolute name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        package = ("autometa", *path.relative_to(PACKAGE).parts[:-1])
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((path.relative_to(PACKAGE), node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                parents = package[: len(package) + 1 - node.level] if node.level else ()
                base = ".".join([*parents, *filter(None, [node.module])])
                yield from ((path.relative_to(PACKAGE), node.lineno, f"{base}.{alias.name}") for alias in node.names)


def room_of(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


def test_every_room_has_a_floor():
    rooms = {room_of(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py")}
    assert rooms - {"meta_db"} <= set(FLOOR)


def test_a_room_imports_from_lower_floors_only():
    wrong = []
    for path, line, name in imports():
        room, other = room_of(path), [*name.split("."), ""][1] if name.startswith("autometa.") else ""
        if other in FLOOR and other != room and (room, other) not in NEIGHBOURS and FLOOR[other] >= FLOOR.get(room, 0):
            wrong.append(f"{path}:{line}: {room} imports {other}")
    assert not wrong


def test_a_dependency_is_imported_behind_its_one_door_only():
    wrong = [
        f"{path}:{line}: {name}"
        for path, line, name in imports()
        if (doors := DOORS.get(name.split(".")[0])) and not path.as_posix().startswith(doors)
    ]
    assert not wrong


def test_the_package_never_imports_its_tests_or_benchmarks():
    assert not [
        f"{path}:{line}: {name}" for path, line, name in imports() if name.split(".")[0] in ("tests", "benchmarks")
    ]


def test_only_the_command_line_prints():
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                wrong.append(f"{path}:{node.lineno}")
    assert [place for place in wrong if "/cli/" not in place] == []
