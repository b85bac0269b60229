r"""Text that is safe to show, and the ways in which times, durations, sizes and faults are written.

What the peer writes is hostile: a control character drives the terminal, a bidi control reorders a
line, an invisible character hides one. Nothing of that reaches a terminal or a log; it is shown
escaped, as ``\u{202e}``. (A peer can also write those eight plain characters; only ``--json`` tells
the two apart. That confuses nobody about anything but itself, so backslashes stay readable.)
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from functools import lru_cache
from typing import Final

_UNSAFE_CATEGORIES: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Controls, format (bidi, zero-width), surrogates, private use, unassigned, line separators."""

_INVISIBLE: Final = (
    (0x00AD, 0x00AD),  # soft hyphen: a dash in Unicode 3.2, a format character since
    (0x200B, 0x200B),  # zero width space: a space in Unicode 3.2
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian variation selectors
    (0x2800, 0x2800),  # blank Braille pattern
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFFA0, 0xFFA0),  # half-width Hangul filler
    (0xE0100, 0xE01EF),  # variation selectors supplement: room for whole hidden sentences
)
"""What shows nothing although its category is that of a letter, a mark or a symbol."""

_MONTHS: Final = (
    *("JAN", "FEB", "MAR", "APR", "MAY", "JUN"),
    *("JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
"""A date-time group's months; strftime would follow the locale."""

_UTC: Final = r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z"
_DTG: Final = r"(\d\d)(\d\d)(\d\d)Z([A-Z]{3})(\d\d)"
_DURATION: Final = r"(\d{1,9}(?:\.\d{1,3})?)(s|m|h|d)"
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_S: Final = 1_000_000_000
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def one_line(text: str) -> str:
    """Give text fit for one line of a terminal or log: line breaks and tabs are escaped too."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def block(text: str) -> str:
    """Give text fit for several lines of a terminal: newlines and tabs stand."""
    return "".join(c if c in "\n\t" else _shown(c) for c in text)


def _shown(character: str) -> str:
    unsafe = unicodedata.category(character) in _UNSAFE_CATEGORIES
    return f"\\u{{{ord(character):x}}}" if unsafe or _is_invisible(character) else character


def _is_invisible(character: str) -> bool:
    code = ord(character)
    return any(low <= code <= high for low, high in _INVISIBLE)


def archival(text: str, kept: str = "\n\t") -> str:
    """Give safe text that every version of Python gives alike, however new its Unicode tables.

    Characters are judged by Unicode 3.2, which the standard library keeps for ever (RFC 3454 is
    bound to it): what is younger is escaped, as is what ``block`` escapes.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in kept else _archived(c) for c in text)


def _archived(character: str) -> str:
    unsafe = unicodedata.ucd_3_2_0.category(character) in _UNSAFE_CATEGORIES
    return f"\\u{{{ord(character):x}}}" if unsafe or _is_invisible(character) else character


def reason(error: OSError) -> str:
    """Give why the system refused something, as it stands behind a colon: ``permission denied``."""
    # What Python itself refuses, a socket's path that is too long, has no number and no strerror.
    said = error.strerror or " ".join(str(error).split()) or type(error).__name__
    return one_line(said.lower())


def utc(at_ns: int) -> str:
    """Give UNIX nanoseconds as ``2026-11-23T15:30:00Z``."""
    return _moment(at_ns).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_microseconds(at_ns: int) -> str:
    """Give UNIX nanoseconds as ``2026-11-23T15:30:00.123456Z``, the form in JSON."""
    second, fraction_ns = divmod(at_ns, _S)
    return f"{_second(second)}.{fraction_ns // 1000:06}Z"


@lru_cache(maxsize=16)
def _second(at_s: int) -> str:
    """Spell all but the fraction: of what comes by the thousand, much comes in one second."""
    return utc(at_s * _S).removesuffix("Z")


def dtg(at_ns: int) -> str:
    """Give UNIX nanoseconds as a date-time group: ``231530ZNOV26``."""
    at = _moment(at_ns)
    return f"{at.day:02}{at.hour:02}{at.minute:02}Z{_MONTHS[at.month - 1]}{at.year % 100:02}"


def parse_utc(text: str) -> int:
    """Give the UNIX nanoseconds that utc or utc_microseconds wrote; raise ValueError otherwise."""
    match = re.fullmatch(_UTC, text, re.ASCII)
    if match is None:
        raise ValueError("a time looks like 2026-11-23T15:30:00Z")
    *parts, fraction = match.groups()
    return _nanoseconds(*map(int, parts)) + int((fraction or "").ljust(9, "0"))


def parse_dtg(text: str) -> int:
    """Give the UNIX nanoseconds of a date-time group (this century); raise ValueError otherwise."""
    match = re.fullmatch(_DTG, text.upper(), re.ASCII)
    if match is None or match[4] not in _MONTHS:
        raise ValueError("a date-time group looks like 231530ZNOV26")
    day, hour, minute, month, year = match.groups()
    return _nanoseconds(
        2000 + int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), 0
    )


def parse_duration(text: str) -> float:
    """Give the seconds of ``90s``, ``15m``, ``2h``, ``1.5d``; raise ValueError otherwise."""
    match = re.fullmatch(_DURATION, text, re.ASCII)
    if match is None:
        raise ValueError("a duration looks like 90s, 15m, 2h or 1d")
    return float(match[1]) * _UNIT_S[match[2]]


def duration(seconds: float) -> str:
    """Give seconds as a person reads them: ``420 ms``, ``4.2 s``, ``12m 05s``, ``3d 4h``."""
    if seconds < 0:
        return "-" + duration(-seconds)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02}m"
    return f"{whole // 86400}d {whole % 86400 // 3600}h"


def rate(per_s: float) -> str:
    """Give a rate in the words of a person: ``300 a second``, ``6 a minute``, ``2 an hour``."""
    for seconds, unit in ((1, "a second"), (60, "a minute")):
        if per_s * seconds >= 0.95:
            return f"{per_s * seconds:.0f} {unit}"
    return f"{per_s * 3600:.0f} an hour"


def size(size_bytes: int) -> str:
    """Give a count of bytes as a person reads it: ``512 B``, ``1.5 KiB``, ``3.0 MiB``."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    amount = size_bytes / 1024
    for unit in ("KiB", "MiB", "GiB"):
        if amount < 1023.95:
            return f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def _moment(at_ns: int) -> datetime.datetime:
    # Whole microseconds: a float of UNIX seconds would already be wrong in its last digits.
    return _EPOCH + datetime.timedelta(microseconds=at_ns // 1000)


def _nanoseconds(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    at = datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC)
    since = at - _EPOCH
    return (since.days * 86400 + since.seconds) * _S
