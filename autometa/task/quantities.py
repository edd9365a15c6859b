"""What people write around a number: currencies, units, thousands and millions in letters, parentheses, other digits.

`quantity` takes it off; how the number itself is spelled is told in `cells`.

To know another sign of currency, add it to `_CURRENCY`; another word for a power of ten goes to `_TIMES`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

_CURRENCY = (  # may stand before a number too
    r"(?:US|U\.S\.|AU|A|CA|C|NZ|HK|SG|S|NT|MX|R|COL)?\$|[€£¥₹₽₩₺₫₴₦₱₪฿₡₲₵₸₾₿]|USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|"
    r"(?-i:AED|ARS|BGN|BRL|CLP|COP|CZK|DKK|EGP|HKD|HUF|IDR|ILS|ISK|KES|KRW|MXN|MYR|NGN|NOK|NZD|PEN|PHP|PKR|PLN|RMB|"
    r"RON|RSD|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|VND|ZAR|Rs\.?|Rp\.?|RM|Fr\.?|Kč|kr\.?|zł)"
)
_BLANK = "[ \u00a0\u2007\u2009\u202f'’]"  # between thousands
_TIMES = {  # words for powers of ten, and how Python writes these
    **dict.fromkeys(("k", "K", "Tsd", "tsd", "thousand", "тыс"), "e3"),
    **dict.fromkeys(
        ("M", "Mio", "mio", "mn", "Mill", "mill", "million", "Million", "Millionen", "millions", "млн"), "e6"
    ),
    **dict.fromkeys(("B", "bn", "Bn", "Mrd", "mrd", "billion", "Milliarde", "Milliarden", "md", "Md", "млрд"), "e9"),
    "lakh": "e5",
    "Lakh": "e5",
    "crore": "e7",
    "Crore": "e7",
    "万": "e4",
    "萬": "e4",
    "億": "e8",
    "亿": "e8",
}
_DIGIT = re.compile(r"\d")  # of any script
_WORD = r"[^\W\d_]{1,12}[²³]?"
_QUANTITY = re.compile(
    rf"(?P<first>({_CURRENCY})?)\s?(?P<open>\(?)(?P<sign>[+\-−–]?)\s?(?P<before>({_CURRENCY})?)\s?(?P<inner>[+\-−–]?)"
    rf"(?P<number>[1-9][0-9]{{0,2}}({_BLANK}[0-9]{{3}})+([.,][0-9]*)?|[0-9.][0-9.,]*(e[+-]?[0-9]+|d[+-][0-9]+)?|,[0-9]+)"
    rf"(?P<even>(?<=[.,])[-–—]{{1,2}})?"  # 12,- are twelve, and no cents
    rf"(?-i:\s?(?P<times>{'|'.join(_TIMES)})(?:(?<=[万萬億亿])|(?![^\W\d_]))\.?)?"
    rf"\s?(?P<after>(%|‰|°[CF]?|({_CURRENCY}|{_WORD})(/{_WORD})?)?)\.?(?P<behind>[-−]?)(?P<close>\)?)",
    re.IGNORECASE,
)


class Quantity(NamedTuple):
    """A number as a text has it, without what is written around it."""

    number: str  # digits with their marks: what `number_style` knows
    unit: str  # a sign of currency, %, kg; "" where there is none
    in_parentheses: bool  # as accountants write what is negative


def quantity(text: str) -> Quantity | None:
    """The number in a text, whatever stands around it; None where there is none.

    Blanks and apostrophes between thousands are left out, parentheses are a minus sign, k, M and B are multiplied out.
    A word before a number is no unit, but a currency: ``c12`` is the name of something.

    Example:
        >>> [quantity(text) for text in ("- 1.200,50 €", "(1 234)", "$1.2M", "c12")]
        ... # doctest: +NORMALIZE_WHITESPACE
        [Quantity(number='-1.200,50', unit='€', in_parentheses=False),
         Quantity(number='-1234', unit='', in_parentheses=True),
         Quantity(number='1.2e6', unit='$', in_parentheses=False), None]
    """
    if _DIGIT.search(text) is None:  # most words, cheaply
        return None
    text = in_ascii(text)
    found = _QUANTITY.fullmatch(text)
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    signs = [sign for sign in (found["sign"], found["inner"], found["behind"]) if sign]
    times = _TIMES[found["times"]] if found["times"] else ""
    number = re.sub(_BLANK, "", found["number"]).replace("d", "e").replace("D", "e")
    if len(signs) + bool(found["open"]) > 1 or (times and "e" in number.lower()):
        return None
    minus = found["open"] or (signs and signs[0] != "+")
    number = (number.rstrip(".,") if found["even"] else number) + times
    unit = (found["first"] + found["before"] + found["after"]).rstrip(".")
    return Quantity(("-" if minus else "") + number, unit, bool(found["open"]))


def in_ascii(text: str) -> str:
    """A text with digits and signs of any script as those of ASCII: full width, Arabic, Indic; letters stay.

    Example:
        >>> in_ascii("１２，５００"), in_ascii("٣٫٥"), in_ascii("größe")
        ('12,500', '3.5', 'größe')
    """
    return text if text.isascii() else "".join(map(_ascii_sign, text))


def _ascii_sign(sign: str) -> str:
    if sign in "٫٬":  # the decimal sign, and that of thousands, of Arabic
        return ".,"[sign == "٬"]
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    return unicodedata.normalize("NFKC", sign) if "\uff01" <= sign <= "\uff5e" or sign in "￥￡￦￠" else sign
