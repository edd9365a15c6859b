"""The architecture holds: each room imports from lower floors only, and each dependency has one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "autometa"
FLOORS = {
    0: ["errors"],
    1: ["task", "space", "families"],
    2: ["evaluation", "metafeatures", "openml"],
    3: ["store"],
    4: ["recommend", "surrogate", "fewshot"],
    5: ["sampler"],
    6: ["search", "report", "collect"],
    7: ["estimator"],
    8: ["cli", "__init__", "__main__"],
}
FLOOR = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
# A family's space is a SearchSpace and its size limits look at a Task; a report shows the Result of a search.
NEIGHBOURS = {("families", "task"), ("families", "space"), ("report", "search"), ("collect", "search"), ("__main__", "cli")}
DOORS = {
    "openml": ["openml.py"],
    "sqlalchemy": ["store/", "meta_db/migrations/"],
    "alembic": ["store/", "meta_db/migrations/"],
    "torch": ["families/mlp.py", "surrogate", "fewshot"],
    "plotly": ["report/"],
    "typer": ["cli/"],
    "rich": ["cli/"],
}
SOURCES = sorted(PACKAGE.rglob("*.py"))
NAMES = [str(path.relative_to(PACKAGE)) for path in SOURCES]


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, at its top or inside a function, by its absolute name, and the line."""
    package = ("autometa", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*package[: len(package) + 1 - node.level], *filter(None, [node.module])]) if node.level else node.module
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_room_has_a_floor():
    assert {room_of(path) for path in SOURCES} - {"meta_db"} <= set(FLOOR)


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_a_room_imports_from_lower_floors_only(path):
    room, wrong = room_of(path), []
    for module, line in imported(path):
        parts = module.split(".")
        other = parts[1] if parts[0] == "autometa" and len(parts) > 1 and parts[1] in FLOOR else None
        if room != "meta_db" and other not in (None, room) and (room, other) not in NEIGHBOURS and FLOOR[other] >= FLOOR[room]:
            wrong.append(f"line {line}: {room} (floor {FLOOR[room]}) imports {other} (floor {FLOOR[other]})")
    assert not wrong


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_a_dependency_is_imported_behind_its_one_door_only(path):
    name = path.relative_to(PACKAGE).as_posix()
    wrong = [
        f"line {line}: {module} belongs in {' or '.join(doors)}"
        for module, line in imported(path)
        if (doors := DOORS.get(module.split(".")[0])) is not None and not name.startswith(tuple(doors))
    ]
    assert not wrong


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_only_the_command_line_prints(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"]
    assert room_of(path) == "cli" or not [f"line {call.lineno} prints" for call in calls]


def test_nothing_imports_the_benchmarks_or_the_tests():
    wrong = {(name, module) for path, name in zip(SOURCES, NAMES, strict=True) for module, _ in imported(path) if module.split(".")[0] in ("benchmarks", "tests")}
    assert not wrong
