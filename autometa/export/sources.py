"""Fitted or unfitted objects as Python source that needs AutoMeta no more: expressions, and copies of our own classes.

`Sources` writes an estimator as the call that makes it. What of it is AutoMeta's is copied with whatever it uses, the
tuned numbers among them, and what is another library's is imported.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from functools import partial
from types import ModuleType
from typing import Any

OWN = "autometa."


class Sources:
    """Copies of classes and functions, and the imports that they need.

    Example:
        >>> from sklearn.preprocessing import StandardScaler
        >>> sources = Sources()
        >>> sources.expression(StandardScaler(with_mean=False)), sources.import_lines()
        ('StandardScaler(with_mean=False)', ['from sklearn.preprocessing import StandardScaler'])
    """

    def __init__(self) -> None:
        self.imports: dict[str, str] = {}  # name -> line
        self.copies: dict[str, str] = {}  # name -> source
        self._options: set[str] = set()  # sections of the tuned numbers that a copy reads

    def expression(self, value: Any) -> str:
        """The source that makes a value: an estimator by its parameters that are not the default."""
        if isinstance(value, partial):
            given = ", ".join(map(self.expression, value.args))
            self.imports["partial"] = "from functools import partial"
            return f"partial({self.expression(value.func)}, {given})"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key!r}: {self.expression(one)}" for key, one in value.items()) + "}"
        if isinstance(value, (list, tuple)):
            inner = ", ".join(map(self.expression, value))
            if isinstance(value, list):
                return f"[{inner}]"
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        if inspect.isclass(value) or inspect.isfunction(value):
            return self.named(value)
        if hasattr(value, "get_params"):
            return f"{self.named(type(value))}({', '.join(self._parameters(value))})"
        if isinstance(value, float) and value != value:
            self.imports["np"] = "import numpy as np"
            return "np.nan"
        return repr(value.item() if hasattr(value, "item") else value)

    def _parameters(self, estimator: Any) -> list[str]:
        defaults = inspect.signature(type(estimator).__init__).parameters
        given = estimator.get_params(deep=False)
        return [
            f"{name}={self.expression(value)}"
            for name, value in given.items()
            if name not in defaults or defaults[name].default is inspect.Parameter.empty
            or repr(defaults[name].default) != repr(value)
        ]  # fmt: skip

    def named(self, thing: Any) -> str:
        """The name of a class or function, which is imported, or copied where it is AutoMeta's."""
        name, module = thing.__name__, thing.__module__
        if module.startswith(OWN):
            self._copy(name, inspect.getmodule(thing))
        else:
            self.imports[name] = f"from {_public(module, name)} import {name}"
        return name

    def import_lines(self) -> list[str]:
        """The imports, in order."""
        return sorted(set(self.imports.values()), key=lambda line: (line.startswith("from"), line))

    def options_line(self) -> str:
        """The tuned numbers that the copies read, as one assignment; "" for none."""
        if not self._options:
            return ""
        options = importlib.import_module("autometa.families.options").OPTIONS
        self.imports["SimpleNamespace"] = "from types import SimpleNamespace"
        sections = []
        for section in sorted(self._options):
            values = getattr(options, section)
            inner = ", ".join(f"{name}={getattr(values, name)!r}" for name in type(values).__slots__)
            sections.append(f"    {section}=SimpleNamespace({inner}),\n")
        return f"OPTIONS = SimpleNamespace(\n{''.join(sections)})"

    def _copy(self, name: str, module: ModuleType | None) -> None:
        """Takes the definition of a name, and of all that it uses."""
        if module is None or name in self.copies:
            return
        tree = ast.parse(inspect.getsource(module))
        node = next((one for one in tree.body if name in _defines(one)), None)
        if node is None:
            return
        self.copies[name] = ""  # whoever uses itself ends here
        source = _without_doctests(ast.unparse(node))
        for used in sorted({one.id for one in ast.walk(node) if isinstance(one, ast.Name)} - {name}):
            self._use(used, module, tree)
        for inner in ast.walk(node):
            if isinstance(inner, ast.ImportFrom) and (inner.module or "").startswith(OWN):
                home = importlib.import_module(inner.module or "")
                for alias in inner.names:
                    self._copy(alias.name, home)
        self._options |= set(re.findall(r"\bOPTIONS\.(\w+)", source))
        del self.copies[name]
        self.copies[name] = re.sub(r"\n *from autometa\.[^\n]*", "", source)  # after what it uses

    def _use(self, name: str, module: ModuleType, tree: ast.Module) -> None:
        if any(name in _defines(node) for node in tree.body):
            self._copy(name, module)
            return
        for node in tree.body:
            if isinstance(node, ast.ImportFrom):
                alias = next((one for one in node.names if (one.asname or one.name) == name), None)
                if alias is None or name == "OPTIONS":
                    continue
                if (node.module or "").startswith(OWN):
                    self._copy(alias.name, importlib.import_module(node.module or ""))
                elif node.module != "__future__":
                    self.imports[name] = f"from {node.module} import {alias.name}" + _renamed(alias)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        self.imports[name] = f"import {alias.name}" + _renamed(alias)


def _renamed(alias: ast.alias) -> str:
    return f" as {alias.asname}" if alias.asname else ""


def _defines(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _public(module: str, name: str) -> str:
    """The package that hands out a name, rather than its private file."""
    parts = module.split(".")
    for k in range(1, len(parts) + 1):
        home = ".".join(parts[:k])
        if getattr(importlib.import_module(home), name, None) is not None:
            return home
    return module


def _without_doctests(source: str) -> str:
    """A definition without the examples in its docstrings, which name what is not here."""
    return re.sub(r"\n\s*(Example|See Also):\n(?:\n?(?!\s*\"\"\").+)*", "", source)
