"""How people write dates, brought to one way of writing: months by name, signs of other scripts, weekdays, clocks.

`tidied` turns ``Mi., 3. März 2024, 14h05 Uhr`` into ``3 Mar 2024 14:05``, which a pattern of `moments` knows; what it
does not understand stays as it is.

To know the months of another language, give their names, from the first to the twelfth, a line in `_MONTHS`; another
zone, or word of the clock, goes to `_ZONES` or to `_STEPS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from autometa.task.quantities import in_ascii

_MONTHS = (  # by language, as dates have them; each may be cut after three letters or more
    "january february march april may june july august september october november december",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "jänner feber mrz april mai juni juli august sept oktober november dezember",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "januari februari maart april mei juni juli augustus september oktober november december",
    "januari februari mars april maj juni juli augusti september oktober november december",
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
)
_SHORT = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_ZONES = (
    *("UTC", "GMT", "WET", "WEST", "CET", "CEST", "MEZ", "MESZ", "EET", "EEST", "MSK", "BST", "IST"),
    *("EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT", "JST", "KST", "AEST", "AEDT"),
)
_WEEKDAYS = (
    r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|sonnabend|"
    r"mo|di|mi|do|fr|sa|so|(?:lun|mar|mercre|jeu|vendre|same)di|dimanche|lunes|martes|miércoles|jueves|viernes|sábado|domingo"
)
_YEAR, _TWO = r"(\d{4})", r"(\d{1,2})"
_TIME = r"\d{1,2}:\d{2}(?::\d{2})?"


def _iso(year: str, month: str, day: str, rest: str) -> str:
    return f"{year}-{int(month):02}-{int(day):02}" + (f" {rest.strip()}" if rest.strip() else "")


# In this order; each is tried on what the one before left.
_STEPS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), becomes)
    for pattern, becomes in (
        (rf"^{_YEAR}[年년]\s?{_TWO}[月월](?:\s?{_TWO}[日일])?\s?(.*)$", lambda m: _iso(m[1], m[2], m[3] or "1", m[4])),
        (rf"^{_YEAR}\. ?{_TWO}\. ?{_TWO}\.?(?: (.*))?$", lambda m: _iso(m[1], m[2], m[3], m[4] or "")),
        (
            r"(\d{1,2})[時时点시]\s?(\d{2})[分분]?(?:\s?(\d{2})[秒초]?)?$",
            lambda m: ":".join(p for p in m.groups() if p),
        ),
        (rf"^{_YEAR}-?W(\d{{2}})(?:-?(\d))?$", lambda m: f"{m[1]}-W{m[2]}-{m[3] or 1}"),
        (rf"^{_YEAR}[-/ ]?Q([1-4])$", lambda m: _iso(m[1], str(3 * int(m[2]) - 2), "1", "")),
        (rf"^Q([1-4])[-/ ]?{_YEAR}$", lambda m: _iso(m[2], str(3 * int(m[1]) - 2), "1", "")),
        (rf"^(?:{_WEEKDAYS})[.,]{{0,2}}\s+(?=\S)", lambda m: ""),
        (
            r"^(\d{8})T(\d{2})(\d{2})(\d{2})?Z?$",
            lambda m: f"{m[1][:4]}-{m[1][4:6]}-{m[1][6:]} {m[2]}:{m[3]}:{m[4] or '00'}",
        ),
        (rf"^({_TIME}),? (.*\d{{4}}.*)$", lambda m: f"{m[2]} {m[1]}"),
        (r"(?<=\d) ?(?:uhr|hrs?|o'clock)\.?$", lambda m: ""),
        (r"(?<=[ T]\d)h(\d{2})|(?<=[ T]\d\d)h(\d{2})", lambda m: f":{m[1] or m[2]}"),
        (r"(?<=\d) ?([ap])\.? ?m\.?(?=$| )", lambda m: f" {m[1].upper()}M"),
        (rf"(?<=:\d\d)( ?(?:{'|'.join(_ZONES)})| ?[+-]\d{{2}}(?::?\d{{2}})?| ?Z)?(?:\[[\w/+-]+\])?$", lambda m: ""),
        (rf"(?<=\.\d)( ?(?:{'|'.join(_ZONES)})| ?[+-]\d{{2}}(?::?\d{{2}})?| ?Z)?(?:\[[\w/+-]+\])?$", lambda m: ""),
        (r"(?<=:\d\d:\d\d),(?=\d{1,9}$)", lambda m: "."),
        (r"(?<=\d{4}),? (?:um|at|à|a las) (?=\d)|(?<=\d{4}), (?=\d{1,2}:)", lambda m: " "),
        (r"(?<=\d)(?:st|nd|rd|th|er|º|ª|\.)? (?:de |d')?(?=[^\W\d_]{3})", lambda m: " "),
        (r"(?<=[^\W\d_]{3}) (?:de|del) (?=\d{4})", lambda m: " "),
    )
)
_WORD = re.compile(r"[^\W\d_]{3,}\.?")


@lru_cache(maxsize=1 << 14)  # a text is asked for by several patterns
def tidied(text: str) -> str:
    """A text that may be a date in the way that patterns know; as it is where it is none.

    Example:
        >>> [tidied(text) for text in ("Mi., 3. März 2024, 14h05 Uhr", "2024年3月3日", "3 de mayo de 2024", "2024-Q2")]
        ['3 Mar 2024 14:05', '2024-03-03', '3 May 2024', '2024-04-01']
        >>> tidied("Sat Apr 22 03:21:00 2023"), tidied("2023-04-22T03:21:00+01:00[Europe/Berlin]"), tidied("route 66")
        ('Apr 22 03:21:00 2023', '2023-04-22T03:21:00', 'route 66')
    """
    if not any(map(str.isdecimal, text)) or len(text) > 60:
        return text
    new = " ".join(in_ascii(text).split())
    for pattern, becomes in _STEPS:
        new = pattern.sub(becomes, new, count=1)
    return _WORD.sub(lambda found: _month(found.group()) or found.group(), new)


@lru_cache(maxsize=4096)
def _month(word: str) -> str | None:
    """The English sign of a month that is called so in any language."""
    word = word.casefold().rstrip(".")
    for names in _MONTHS:
        for i, name in enumerate(names.split()):
            if name.startswith(word):
                return _SHORT[i]
    return None
