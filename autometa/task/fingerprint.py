"""The same data is recognised however it arrives: a hash of a table's content.

Every cell becomes 64 bits that depend on what it says, not on how it is stored: the number 3, the category "3" and the
text "3.0" out of a file agree; numbers are compared to about ten significant digits. A column is salted with a sum
over its own cells, so that neither its name nor its place matters; a row is the sum of its salted cells, the table the
sum of its mixed rows, so that the order of rows does not matter either.

Law: permuting rows or columns, renaming columns, or writing the table to another format and reading it back changes
nothing; changing one cell does.

Letters:  n rows · p columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.task.cells import are_long, label, number_style
from autometa.task.names import columns_at
from autometa.task.options import OPTIONS

Bits = NDArray[np.uint64]

MANTISSA_BITS = 33  # that count: ten significant digits; like the salts below, part of every fingerprint in a store

_MISSING = np.uint64(0x9E3779B97F4A7C15)
_TARGET = np.uint64(0xD1B54A32D192ED03)


def fingerprint(X: pd.DataFrame, y: NDArray[Any], classes: Sequence[object], kind: str) -> str:  # X: (n, p), y: (n,)
    """Thirty-two hexadecimal digits for typed features and a target.

    Args:
        X: (n, p) as `Schema.apply` gives it.
        y: (n,) codes into `classes`, or numbers where there are none.
        classes: (c,) labels, whose texts count rather than their codes; empty for regression.
        kind: Of the task, a part of its content.

    Example:
        >>> X = pd.DataFrame({"a": [1.0, 2.0], "b": [0.5, np.nan]})
        >>> whole = fingerprint(X, np.array([0, 1]), ("no", "yes"), "binary")
        >>> whole == fingerprint(X.iloc[::-1, ::-1], np.array([1, 0]), ("no", "yes"), "binary")
        True
    """
    rows = np.zeros(len(X), dtype=np.uint64)
    numeric = [i for i, dtype in enumerate(X.dtypes) if pd.api.types.is_numeric_dtype(dtype)]
    step = max(1, OPTIONS.hashed_at_once // max(len(X), 1))
    for start in range(0, len(numeric), step):
        rows += _salted(number_bits(X.iloc[:, numeric[start : start + step]].to_numpy(np.float64)))
    for column in columns_at(X, sorted(set(range(X.shape[1])) - set(numeric))):
        rows += _salted(_column_bits(column)[:, np.newaxis])
    target = label_bits([label(c) for c in classes])[y] if len(classes) else number_bits(y[:, np.newaxis])[:, 0]
    rows += mix(target ^ _TARGET)
    first, second = mix(rows).sum(dtype=np.uint64), mix(rows ^ _TARGET).sum(dtype=np.uint64)
    return hashlib.sha256(f"{kind} {len(X)} {X.shape[1]} {first} {second}".encode()).hexdigest()[:32]


def mix(bits: Bits) -> Bits:
    """Scatters 64 bits over 64 bits, one to one (the finaliser of SplitMix64; Steele et al., 2014)."""
    bits = bits ^ (bits >> np.uint64(30))
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return bits


def number_bits(values: NDArray[np.float64]) -> Bits:  # (n, p) -> (n, p)
    """Numbers as bits, rounded to `MANTISSA_BITS` binary digits.

    A column that single precision holds (but for what a writer rounded off) came from there: its numbers are taken as
    the shortest decimals that denote them, which is what most text files would say.
    """
    missing = np.isnan(values)
    with np.errstate(over="ignore", invalid="ignore"):
        single = values.astype(np.float32)
        near = np.abs(values - single) <= 2.0**-40 * np.abs(values)
    short = (near | missing).all(axis=0) & ~((values == np.rint(values)) | missing).all(axis=0)
    if short.any():
        values = values.copy()
        values[:, short] = shortest(single[:, short].ravel()).reshape(len(values), -1)
    drop = np.uint64(52 - MANTISSA_BITS)
    bits = (values + 0.0).view(np.uint64)  # adding zero turns -0 into 0
    bits = (bits + (np.uint64(1) << (drop - np.uint64(1)))) >> drop  # carries into the exponent, as rounding should
    bits[missing] = _MISSING
    return bits


def shortest(values: NDArray[np.float32]) -> NDArray[np.float64]:  # (n,) -> (n,)
    """The shortest decimals that single precision reads as these numbers, of several the nearest; as float64.

    A number of few digits and the power of ten by which it is divided are float64 themselves, so their quotient is the
    decimal's nearest float64. Where rounding leaves a doubt, and far from 1, PyArrow writes and reads the decimal.

    Example:
        >>> shortest(np.array([0.1, 2.5, 1 / 3, np.inf], dtype=np.float32))
        array([0.1       , 2.5       , 0.33333334,        inf])
    """
    out = np.empty(len(values))
    for start in range(0, len(values), _SHORTENED_AT_ONCE):
        out[start : start + _SHORTENED_AT_ONCE] = _shortest(values[start : start + _SHORTENED_AT_ONCE])
    return out


_SHORTENED_AT_ONCE = 1 << 15  # cells, so that what is computed on the way stays in the processor's cache
_FLT_DIG = 6  # decimal digits of which single precision keeps every number apart; so one is the shortest, if any is
_TENS = 10.0 ** np.arange(23)  # each of them exact


def _shortest(values: NDArray[np.float32]) -> NDArray[np.float64]:
    exact = values.astype(np.float64)
    size = np.abs(exact)
    plain = (size > 1e-12) & (size < 1e12)  # where the power of ten is exact, whatever the number of digits
    mantissa = values.view(np.uint32) & np.uint32(0x7FFFFF)
    plain &= mantissa != 0  # the gap below a power of two is half of that above
    place = np.zeros(len(values), dtype=np.int64)
    place[plain] = np.floor(np.log10(size[plain])).astype(np.int64)
    out, left = exact.copy(), np.flatnonzero(plain)
    doubtful = [np.flatnonzero(~plain & (size > 0) & np.isfinite(size))]
    for digits in range(_FLT_DIG, 10):
        shift = digits - 1 - place[left]
        scale = _TENS[np.abs(shift)]
        scaled = np.where(shift >= 0, exact[left] * scale, exact[left] / scale)
        whole = np.rint(scaled)
        near = np.where(shift >= 0, whole / scale, whole * scale)
        tie = np.abs(np.abs(scaled - whole) - 0.5) < 1e-5
        halfway = (near.view(np.uint64) & np.uint64(0x1FFFFFFF)) == np.uint64(0x10000000)
        doubt = tie | halfway
        found = (near.astype(np.float32) == values[left]) & ~doubt
        out[left[found]] = near[found]
        doubtful.append(left[doubt])
        left = left[~found & ~doubt]
    doubtful.append(left)
    rest = np.concatenate(doubtful)
    if len(rest):
        import pyarrow as pa

        written = pa.array(values[rest], from_pandas=False).cast(pa.string())
        out[rest] = written.cast(pa.float64()).to_numpy()
    return out


def label_bits(texts: Sequence[str]) -> Bits:  # (len(texts),)
    """Texts as bits; a text that spells a number as that number, truth values as 0 and 1."""
    truth = {"true": "1", "false": "0"}
    texts = [truth.get(text.lower(), text) for text in texts]
    out = np.empty(len(texts), dtype=np.uint64)
    for i, text in enumerate(texts):
        if number_style([text]) == "point" and not are_long([text]):
            out[i] = number_bits(np.array([[float(text)]]))[0, 0]
        else:
            digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            out[i] = int.from_bytes(digest, "little")
    return out


def _salted(cells: Bits) -> Bits:  # (n, p) -> (n,)
    """The share of some columns in every row's hash."""
    return mix(cells ^ mix(cells).sum(axis=0, dtype=np.uint64)).sum(axis=1, dtype=np.uint64)


def _column_bits(column: pd.Series) -> Bits:  # (n,)
    """A column of categories or text as bits."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        bits = label_bits([label(value) for value in column.array.categories])
        return np.append(bits, _MISSING)[column.array.codes]
    codes, texts = pd.factorize(column)
    bits = label_bits([str(text) for text in texts])
    bits[np.asarray(texts) == ""] = _MISSING
    return np.append(bits, _MISSING)[codes]
