"""Pickles, looked at without being run: which names one would call, and only those that a caller allows.

Reading a pickle runs whatever code its maker chose. `names_in` lists the functions and classes that it names, so that
a person can be told what will run before they say that they trust it; `restricted` reads one that may name nothing but
what is allowed.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable
from typing import Any

# What models are made of: names from anywhere else are worth telling.
USUAL = frozenset({
    "autometa", "numpy", "scipy", "pandas", "pyarrow", "sklearn", "lightgbm", "xgboost", "catboost", "torch",
    "collections", "functools", "copyreg", "_codecs", "datetime", "threadpoolctl", "joblib",
})  # fmt: skip
_BUILTIN_TYPES = frozenset({"bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object"})
_BUILTIN_TYPES |= {"range", "set", "slice", "str", "tuple"}


def names_in(content: bytes) -> list[str]:
    """The functions and classes that a pickle names, sorted; pickles within its byte strings are looked into as well.

    What cannot be followed (a damaged pickle, a name put together as it is read) is left out: the list may be short,
    so it informs, and is no reason to trust.

    Example:
        >>> names_in(pickle.dumps(print)), names_in(pickle.dumps({"inner": pickle.dumps(len)}))
        (['builtins.print'], ['builtins.len'])
    """
    found: set[str] = set()
    pending = [content]
    while pending:
        texts: list[str] = []
        memo: list[str] = []
        stream = io.BytesIO(pending.pop())
        while stream.tell() < len(stream.getbuffer()):
            try:
                for code, argument, _ in pickletools.genops(stream):
                    if code.name == "GLOBAL" and isinstance(argument, str):
                        found.add(argument.replace(" ", "."))
                    elif code.name == "STACK_GLOBAL":
                        found.add(".".join(texts[-2:]))
                    elif code.name == "MEMOIZE":
                        memo.append(texts[-1] if texts else "")
                    elif code.name in ("BINGET", "LONG_BINGET") and isinstance(argument, int):
                        texts.append(memo[argument] if argument < len(memo) else "?")
                    elif isinstance(argument, str):
                        texts.append(argument)
                    elif isinstance(argument, bytes | bytearray) and argument[:1] == b"\x80":
                        pending.append(bytes(argument))
            except Exception:  # noqa: BLE001 - bytes that are no pickle, or a broken one: what was found until then
                break
    return sorted(found)


def unusual_names(content: bytes) -> list[str]:
    """Those of `names_in` that models are not made of.

    Example:
        >>> unusual_names(pickle.dumps([print, slice(2)]))
        ['builtins.print']
    """
    return [name for name in names_in(content) if not _is_usual(name)]


def restricted(content: bytes, allowed: Callable[[str, str], bool]) -> Any:
    """Reads a pickle that names only what is `allowed` (module, name).

    Raises:
        pickle.UnpicklingError: It names something else, which was not run.

    Example:
        >>> restricted(pickle.dumps({"a": [1, 2.5]}), lambda module, name: False)
        {'a': [1, 2.5]}
    """

    class Restricted(pickle.Unpickler):
        def find_class(self, module: str, name: str, /) -> Any:
            if not allowed(module, name):
                raise pickle.UnpicklingError(f"it names {module}.{name}, which has no place in it")
            return super().find_class(module, name)

    return Restricted(io.BytesIO(content)).load()


def _is_usual(name: str) -> bool:
    module, _, rest = name.partition(".")
    return module in USUAL or (module == "builtins" and rest in _BUILTIN_TYPES)
