"""What tells identifiers from columns of use: names, codes, counts of the rows that foretell the target, words.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autometa.task.options import OPTIONS

_ROW_NAMES = ("index", "idx", "key", "row", "rowid", "rownames")
_WORDS = re.compile(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]*|\d+")
_HASH = re.compile(r"[0-9A-Fa-f]{8,}|[0-9A-Fa-f]{4,}(-[0-9A-Fa-f]{4,})+|(?=\S*\d)(?=\S*[A-Z])(?=\S*[a-z])[\w+/=-]{10,}")
_LETTERS_APART = re.compile("[^\\W\\d_\u0000-\u02ff]")  # of other alphabets than the Latin one, which codes hardly have
_GROUPS = (
    *("patient", "subject", "participant", "person", "user", "customer", "client", "member", "session", "household"),
    *("family", "student", "pupil", "school", "speaker", "writer", "driver", "animal", "donor", "batch"),
)
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def names_identifier(name: str) -> bool:
    """Whether a column is called an identifier: id, user_id, CustomerId, uuid, index.

    Example:
        >>> [names_identifier(name) for name in ("CustomerId", "user_id", "idle", "time")]
        [True, True, False, False]
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    return len(words) > 0 and (
        words[0] in ("id", "unnamed") or words[-1] in ("id", "uuid") or name.lower() in _ROW_NAMES
    )


def names_group(name: str) -> bool:
    """Whether a column is called something of which there are many rows: an identifier, a patient, a session.

    Example:
        >>> [names_group(name) for name in ("user_id", "Patient", "age of patient", "town")]
        [True, True, False, False]
    """
    return names_identifier(name) or name.strip().lower() in _GROUPS


def look_like_codes(texts: Sequence[str]) -> bool:
    """Whether distinct words are codes: a few shapes with running numbers, or hashes; names of things are not.

    Example:
        >>> look_like_codes(["u1", "u2", "u17"]), look_like_codes(["9f86d081", "60303ae2"])
        (True, True)
        >>> look_like_codes(["bmw_320i", "audi_a4", "fiat_500"])
        False
    """
    shapes = {re.sub(r"\d+", "0", text) for text in texts}
    if len(shapes) <= max(1, OPTIONS.code_shapes * len(texts)):
        return not all(len(_LETTERS_APART.findall(shape)) > 4 for shape in shapes)  # sentences with a number in them
    return sum(_HASH.fullmatch(text) is not None for text in texts) > OPTIONS.code_hashes * len(texts)


def word_count(text: str) -> float:
    """How many words a text has; two letters count as one where a language sets no blanks between words.

    Example:
        >>> word_count("the third dish"), word_count("非常好吃我很喜欢")
        (3, 4.0)
    """
    unspaced = 0 if text.isascii() else len(UNSPACED.findall(text))
    return max(len(text.split()), unspaced / 2) if unspaced else len(text.split())


def foretells(count: NDArray[np.float64], y: NDArray[Any] | None, *, classes: bool) -> tuple[bool, bool]:
    """Whether the order of the rows foretells the target, and whether it does because they are sorted by it.

    By rank correlation with numbers, by the share of the variance of ranks that lies between classes (Kruskal and
    Wallis, 1952), or by what differs between ten blocks of rows; sorted are rows whose classes stand in few blocks, or
    whose numbers only rise or fall.

    Args:
        count: (n,) distinct numbers.
        y: (n,) codes or numbers; None foretells nothing.
        classes: Whether `y` is codes.

    Example:
        >>> t = np.arange(100.0)
        >>> foretells(t, t % 7, classes=False), foretells(t, t + 9 * np.sin(t), classes=False)
        ((False, False), (True, False))
        >>> foretells(t, (t > 50).astype(int), classes=True)
        (True, True)
    """
    n = len(count)
    if y is None or len(y) != n or n < OPTIONS.foretold_rows:
        return False, False
    y = np.asarray(y)[np.argsort(count, kind="stable")]
    place = np.arange(n) - (n - 1) / 2
    blocks = min(10, n // 10)
    block = np.arange(n) * blocks // n
    if classes:
        c = int(y.max()) + 1
        sums, sizes = np.bincount(y, weights=place, minlength=c), np.bincount(y, minlength=c)
        share = float((sums**2 / np.maximum(sizes, 1)).sum() / (place @ place))
        changes = int((y[1:] != y[:-1]).sum())
        table = np.bincount(block * c + y, minlength=blocks * c).reshape(blocks, c)
        told = share > max(OPTIONS.foretold_share, 8.0 * c / n) or _association(table) > OPTIONS.foretold_share
        return told, changes < 2 * c
    rank = np.unique(y, return_inverse=True)[1].astype(np.float64)
    rank -= rank.mean()
    spread = np.sqrt((rank @ rank) * (place @ place))
    correlation = float(rank @ place / spread) if spread else 0.0
    steps = np.diff(y)
    between = np.bincount(block, weights=rank) ** 2 / np.bincount(block)
    waves = float(between.sum() / (rank @ rank)) if spread else 0.0  # up and down again
    told = correlation**2 > max(OPTIONS.foretold_share, 16.0 / n)
    told = told or waves > max(OPTIONS.foretold_share, 4.0 * (blocks - 1) / n)
    return told, bool((steps >= 0).all() or (steps <= 0).all())


def _association(table: NDArray[np.int64]) -> float:  # (blocks, c)
    """By how much more than by chance classes differ between blocks of rows: 1 where each has its own (Cramér's V²)."""
    n, table = table.sum(), table[:, table.any(axis=0)]
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / n
    freedom, most = (table.shape[0] - 1) * (table.shape[1] - 1), n * (min(table.shape) - 1)
    if most <= 0:
        return 0.0
    squares = float(((table - expected) ** 2 / expected).sum())
    return float(max(squares - 3.0 * freedom, 0.0) / most)
