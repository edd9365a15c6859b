"""Which encoding a text is in: UTF-8 and UTF-16 show themselves, any other is a guess by what it makes of the letters.

Bytes that are no UTF-8 are read in every encoding that people's tables come in, and each reading is judged by its
letters beyond ASCII: a good one has the usual letters of its languages (a cell of GBK read as Latin-1 has none), and
changes the alphabet within no word. Where none is good, charset-normalizer decides among all others. A guess is said,
and with its doubt.

Law: what is valid UTF-8 is UTF-8; names and labels are never the letters of another encoding in silence.
To know another encoding, give it a line in `_LETTERS`, before the ones that it should win against when equal.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autometa.errors import did_you_mean
from autometa.task.findings import InputFindings
from autometa.task.options import OPTIONS

_WORD = (
    re.compile(  # a word, or words, with a byte beyond ASCII; begun where it begins, so that none is looked at twice
        rb"(?<![^\x00-\x40\[\]{}|`^;])[^\x00-\x40\[\]{}|`^;\x80-\xff]*+[\x80-\xff][^\x00-\x2c;|]*"
    )
)
_BEYOND = re.compile(rb"[\x80-\xff]")
_BEFORE = 100  # letters before the first of these that are looked at with it
_BESIDE = "\u00a0\u2009\u202f°µ–—‘’“”„…•«»¡¿ªº™®©"  # signs that stand beside letters of any alphabet
_APART = "€£¥§±²³·½¼¾×"  # and signs that do not


@dataclass(frozen=True, slots=True)
class _Letters:
    """The usual letters beyond ASCII of the languages that are written in an encoding."""

    usual: tuple[str, ...] = ()  # lower case, by language: a text is in one of them; or
    rows: tuple[tuple[int, int], ...] = ()  # first bytes of usual characters in `charset`
    charset: str = ""
    vowels: str = ""  # of an alphabet other than the Latin one, where a fair share of the letters are

    def has(self, character: str) -> NDArray[np.bool_]:  # (languages,)
        """Whether a character is one of them."""
        if not self.charset:
            return np.array([character.lower() in letters or character in letters for letters in self.usual])
        try:
            row = character.encode(self.charset)[0]
        except UnicodeEncodeError:
            return np.array([False])
        return np.array([any(low <= row <= high for low, high in self.rows)])


def _span(first: str, last: str) -> str:
    return "".join(map(chr, range(ord(first), ord(last) + 1)))


_WEST = _Letters(
    (
        *("äöüß", "àâæçéèêëîïôœùûü", "áéíñóúüºª", "ãáâàçéêíóôõúü", "àèéìíòóù", "åäöéæø", "éëïöüèêó"),
        *("áéíóúþæöð", "àçéèíïóòúüñ"),
    )
)
_CENTRAL = _Letters(("ąćęłńóśźż", "áčďéěíňóřšťúůýžäôľĺŕ", "áéíóöőúüű", "ăâîşţ", "čćžšđ", "äöüß"))
_CYRILLIC = _Letters((_span("а", "я") + "ё", "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"), vowels="аеиоуыэюяёіїє")
_ARABIC = _Letters((_span("ء", "ْ"),))
_OLD = ("mac_roman", "cp850", "cp437", "cp852", "cp866")  # of systems that hardly anybody has
_LETTERS: dict[str, _Letters] = {  # by encoding; the first among equals is taken
    "cp1252": _WEST,
    "iso8859_15": _WEST,
    "cp1250": _CENTRAL,
    "cp1254": _Letters(("ğışçöüâîûİ",)),
    "cp1257": _Letters(("āčēģīķļņšūž", "ąčęėįšųūž", "õäöüšž")),
    "iso8859_2": _CENTRAL,
    "cp1251": _CYRILLIC,
    "cp1255": _Letters((_span("א", "ת"),)),
    "koi8_r": _CYRILLIC,
    "koi8_u": _CYRILLIC,
    "cp866": _CYRILLIC,
    "iso8859_5": _CYRILLIC,
    "cp1253": _Letters((_span("ά", "ώ"),), vowels="αεηιουωάέήίόύώ"),
    "cp1256": _ARABIC,
    "iso8859_6": _ARABIC,
    "cp874": _Letters((_span("ก", "๎"),), vowels="ะาำเแโใไ" + _span("ั", "ู") + _span("็", "์")),
    "cp949": _Letters(charset="euc_kr", rows=((0xB0, 0xC8),)),
    "gb18030": _Letters(charset="gb2312", rows=((0xB0, 0xD7), (0xA3, 0xA3))),
    "big5": _Letters(charset="big5", rows=((0xA4, 0xC6), (0xA1, 0xA1))),
    "cp932": _Letters(charset="euc_jp", rows=((0xA4, 0xA5), (0xB0, 0xCF), (0xA1, 0xA1))),
    "euc_jp": _Letters(charset="euc_jp", rows=((0xA4, 0xA5), (0xB0, 0xCF), (0xA1, 0xA1))),
    "mac_roman": _WEST,
    "cp850": _WEST,
    "cp437": _WEST,
    "cp852": _CENTRAL,
}


def decoded(data: bytes, encoding: str, findings: InputFindings) -> str | None:
    r"""Text in an encoding that is asked for; None, with a problem, where there is no such, or the text is in another.

    Example:
        >>> findings = InputFindings("t.csv")
        >>> decoded("城".encode("gbk"), "gbk", findings), decoded(b"a,b\n\xff,1", "utf-8", findings)
        ('城', None)
        >>> print(findings.problems[0])
        t.csv: is not in the encoding utf-8: line 2 has the byte 0xff. Leave the encoding out, or name another.
    """
    try:
        return data.decode(encoding)
    except LookupError:
        known = [*_LETTERS, "utf-8", "utf-16", "latin-1", "gbk", "shift_jis"]
        findings.refuse(
            f"unknown encoding {encoding!r}", did_you_mean(encoding, known) or f"Known: {', '.join(known)}."
        )
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"is not in the encoding {encoding}: line {line} has the byte 0x{data[error.start]:02x}"
        findings.refuse(what, "Leave the encoding out, or name another.")
    except ValueError as error:  # codecs for other things than tables: punycode, undefined
        findings.refuse(f"cannot be read in the encoding {encoding!r}: {error}", "Leave it out, or name another.")
    return None


def guessed(data: bytes, findings: InputFindings) -> str:
    r"""Text that is no UTF-8, in the encoding that makes most sense of it; the note says how sure that is.

    Where nearly all of it is UTF-8, the few bytes that are not are taken as Windows-1252, which they nearly always are.

    Example:
        >>> findings = InputFindings()
        >>> guessed("stadt,x\nZürich,1\n".encode("latin-1"), findings)
        'stadt,x\nZürich,1\n'
        >>> findings.notes
        ['Encoding: latin-1, a guess; --encoding (encoding=...) names another.']
    """
    mixed = _nearly_utf8(data, findings)
    if mixed is not None:
        return mixed
    sample = _sample(data)
    scores = {encoding: _score(sample, encoding) for encoding in _LETTERS}
    ranked = sorted(scores, key=lambda encoding: -scores[encoding])  # stable: the first among equals
    for encoding in [*ranked, "latin-1"]:
        if scores.get(encoding, 0.0) < OPTIONS.encoding_letters:
            encoding = _by_normalizer(sample)
        try:
            text = data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        if text.count("\n") == data.count(b"\n"):  # else it is an encoding in which no text has lines
            break
    else:
        encoding, text = "latin-1", data.decode("latin-1")
    close = [other for other in ranked if scores[other] > scores.get(encoding, 0.0) - OPTIONS.encoding_close]
    others = [other for other in close if other != encoding and _differs(sample, encoding, other)][:2]
    doubt = f"; {' or '.join(others)} is nearly as likely" if others else ""
    doubt += "" if scores.get(encoding, 0.0) >= OPTIONS.encoding_letters else ", and little speaks for it"
    if encoding == "cp1252" and not any(0x80 <= byte < 0xA0 for byte in data):
        encoding = "latin-1"  # the same there
    findings.note(f"Encoding: {encoding}, a guess{doubt}; --encoding (encoding=...) names another.")
    return text


def _sample(data: bytes) -> bytes:
    """The different words with bytes beyond ASCII of some whole lines, a line each."""
    beyond = _BEYOND.search(data)
    start = 0 if beyond is None else max(data.rfind(b"\n", 0, beyond.start()) + 1, beyond.start() - _BEFORE)
    part = data[start : start + OPTIONS.encoding_bytes]
    whole = len(part) if start + len(part) == len(data) else part.rfind(b"\n") + 1 or len(part)
    return b"\n".join(dict.fromkeys(_WORD.findall(part[:whole])))


def _nearly_utf8(data: bytes, findings: InputFindings) -> str | None:
    """UTF-8 in which some bytes are not; None where it is another encoding."""
    wrong: list[int] = []

    def as_windows(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        wrong.append(error.start)
        return data[error.start : error.end].decode("cp1252", "replace"), error.end

    codecs.register_error("autometa:windows", as_windows)
    text = data.decode("utf-8", "autometa:windows")
    right = len(_BEYOND.findall(data)) - len(wrong)
    if right < OPTIONS.utf8_share * (right + len(wrong)):
        return None
    lines = sorted({data.count(b"\n", 0, where) + 1 for where in wrong[: OPTIONS.ragged_rows_listed]})
    shown = ", ".join(map(str, lines)) + (" ..." if len(wrong) > OPTIONS.ragged_rows_listed else "")
    findings.note(
        f"Encoding: utf-8, but {len(wrong)} bytes are not (line {shown}), and are taken as Windows-1252; --encoding "
        "(encoding=...) names another."
    )
    return text


def _score(sample: bytes, encoding: str) -> float:
    """How much of a sample's letters beyond ASCII are usual ones where they stand; 0 where it is not in an encoding.

    The letters of one language count for more than those of several together, and a word in capitals for less.
    """
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError:
        return 0.0
    letters, beyond = _LETTERS[encoding], 0
    points = np.zeros(max(len(letters.usual), 1) + 1)  # the last: of any of its languages
    places = Counter(zip(" " + text[:-1], text, text[1:] + " ", strict=True))
    for (before, character, after), count in places.items():
        if character >= "\x80":
            beyond += count
            known = letters.has(character)
            if known.any():
                points += count * np.append(known, 0.95) * _in_place(before, character, after)
            elif character in "“‘„«" or character in "”’»":
                points += count * (1.0 if (after if character in "“‘„«" else before).isalnum() else 0.9)
            elif character in _BESIDE or (character in _APART and not (before.isalpha() or after.isalpha())):
                points += count * 0.9
    if letters.vowels and sum(map(text.lower().count, letters.vowels)) < 0.25 * beyond:
        points *= 0.8
    if letters.vowels and sum(map(str.isupper, text)) > 0.7 * beyond:
        points *= 0.9
    if encoding in _OLD:
        points *= 0.97
    if encoding == "big5" and not re.search(rb"[\xa1-\xfe][\x40-\x7e]", sample):  # as two fifths of its characters have
        points *= 0.9
    return float(points.max()) / beyond if beyond else 0.0


def _in_place(before: str, character: str, after: str) -> float:
    """How usual a letter is between these: words keep to one alphabet, and accents are rare in the Latin one."""
    beside = [other for other in (before, after) if other.isalpha()]
    latin = _is_latin(character)
    if character.isupper() and (before.islower() or (before.isalpha() and after.islower())):
        return 0.2
    if not beside:
        return 0.8 if character.lower() != character.upper() else 1.0
    if latin:
        return 1.0 if any(map(str.isascii, beside)) else 0.5
    return 0.5 if any(map(_is_latin, beside)) else 1.0


def _is_latin(letter: str) -> bool:
    return letter.isascii() or unicodedata.name(letter, "").startswith("LATIN")


# Of mainframes: in them a comma and the end of a line are other bytes, so that a text that has these is in none.
_EBCDIC = ("cp037", "cp273", "cp424", "cp500", "cp875", "cp1026", "cp1140")


def _differs(sample: bytes, one: str, other: str) -> bool:
    """Whether two encodings read a sample differently."""
    return sample.decode(one, "replace") != sample.decode(other, "replace")


def _by_normalizer(sample: bytes) -> str:
    """The best guess of charset-normalizer, which knows many more; Latin-1, which reads anything, where it has none."""
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_exclusion=list(_EBCDIC)).best()
    return "latin-1" if best is None else best.encoding
