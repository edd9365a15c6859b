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


# ------------------------------------------------------------------------------------------------ of tables, besides

TOKENS = (  # what a parser has to think about, put anywhere
    *(
        b"\x00",
        b"\xff",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\xc3",
        b"\r",
        b"\n",
        b"\r\n\r\n",
        b"\x1a",
        b"\x1b[2J",
    ),
    *(
        b'"',
        b"'",
        b'""',
        b'\\"',
        b"\\",
        b",",
        b";;;",
        b"\t",
        b"|",
        b"=1+1",
        b"@",
        b"%",
        b"#",
        b"sep=;\n",
        b" " * 99,
        b",",
    ),
    *(b"\\ud800", b"\\u0000", b'{"a":', b"[[[[", b"}", b"]", b"null", b"NaN", b"-Infinity", b"true", b"{}", b"[]"),
    *(
        b"1e999",
        b"-0",
        b"9" * 25,
        b"9" * 400,
        b"9" * 5000,
        b"1.5e-400",
        b"0x1F",
        b"1_000",
        b"1,5",
        b"1.000.000",
        b"--1",
    ),
    *(
        b"0001-01-01",
        b"9999-12-31",
        b"2420-02-30",
        b"24:61",
        b"2020-01-01T00:00:00+99:99",
        b"$5",
        b"(1)",
        b"\xe2\x88\x921",
    ),
    *(
        b"@data\n",
        b"@attribute x numeric\n",
        b"@relation r\n",
        b"{0 1}\n",
        b"PAR1",
        b"ARROW1",
        b"\x1f\x8b",
        b"PK\x03\x04",
    ),
)


def token(content: bytes, rng: np.random.Generator) -> bytes:
    """Something that a parser has to think about, in some place."""
    place = int(rng.integers(len(content) + 1))
    return content[:place] + TOKENS[int(rng.integers(len(TOKENS)))] + content[place:]


def tokens(content: bytes, rng: np.random.Generator) -> bytes:
    for _ in range(int(rng.integers(2, 12))):
        content = token(content, rng)
    return content


def repeat_a_piece(content: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(0, max(len(content), 1)))
    stop = start + int(rng.choice([1, 2, 8, 64]))
    return content[:stop] + content[start:stop] * int(rng.choice([1, 10, 300])) + content[stop:]


def another_number(content: bytes, rng: np.random.Generator) -> bytes:
    """Four bytes as another length or offset: what binary formats are made of."""
    place = int(rng.integers(0, max(len(content) - 4, 1)))
    number = int(rng.choice([0, 1, 2**31 - 1, 2**32 - 1, 2**16, len(content)]))
    return content[:place] + number.to_bytes(4, "little") + content[place + 4 :]


OF_TABLES: dict[str, Mutation] = {
    **{name: MUTATIONS[name] for name in MUTATIONS if name != "gone"},
    **{found.__name__: found for found in (token, tokens, repeat_a_piece, another_number)},
}
