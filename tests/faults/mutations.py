"""Damage done to a file: what a full disk, a bad sector, a broken transfer or a careless hand leaves behind.

A mutation is a function from bytes to bytes (None: the file is gone), drawn from a seed, so it can be done again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Mutation = Callable[[bytes, np.random.Generator], bytes | None]


def empty(content: bytes, rng: np.random.Generator) -> bytes:
    return b""


def gone(content: bytes, rng: np.random.Generator) -> None:
    return None


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: rng.integers(0, max(len(content), 1))]


def cut_at_a_line_end(content: bytes, rng: np.random.Generator) -> bytes:
    ends = np.flatnonzero(np.frombuffer(content, np.uint8) == 10)
    return content[: int(rng.choice(ends[:-1])) + 1] if len(ends) > 1 else b""


def cut_one_byte(content: bytes, rng: np.random.Generator) -> bytes:
    return content[:-1]


def flip(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    if changed:
        changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def flip8(content: bytes, rng: np.random.Generator) -> bytes:
    for _ in range(8):
        content = flip(content, rng)
    return content


def zero(content: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(0, max(len(content), 1)))
    stop = min(len(content), start + int(rng.choice([1, 16, 512, 4096])))
    return content[:start] + bytes(stop - start) + content[stop:]


def drop_from_the_middle(content: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(0, max(len(content), 1)))
    return content[:start] + content[start + int(rng.choice([1, 7, 64, 1000])) :]


def drop_a_line(content: bytes, rng: np.random.Generator) -> bytes:
    lines = content.split(b"\n")
    del lines[int(rng.integers(len(lines)))]
    return b"\n".join(lines)


def exchange_lines(content: bytes, rng: np.random.Generator) -> bytes:
    lines = content.split(b"\n")
    first, second = rng.integers(len(lines), size=2)
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


def doubled(content: bytes, rng: np.random.Generator) -> bytes:
    return content + content


def grown(content: bytes, rng: np.random.Generator) -> bytes:
    return content + rng.bytes(int(rng.integers(1, 100)))


def noise(content: bytes, rng: np.random.Generator) -> bytes:
    return rng.bytes(len(content))


MUTATIONS: dict[str, Mutation] = {
    found.__name__: found
    for found in (
        *(empty, gone, cut, cut_at_a_line_end, cut_one_byte, flip, flip8, zero, drop_from_the_middle),
        *(drop_a_line, exchange_lines, doubled, grown, noise),
    )
}
