"""What may stand behind an option: text in, value out, or a reason why not."""

from __future__ import annotations

import argparse
import contextlib
import time
from typing import Final

from hotline import text

PRECEDENCES: Final = ("FLASH", "IMMEDIATE", "PRIORITY", "ROUTINE")
DECISIONS: Final = ("read", "wilco", "cannot")
"""The words of hotline.model, spelled out: importing it would cost an operator's command 10 ms."""

COUNT_DIGITS: Final = 9
"""More than a store holds; Python refuses to read thousands of digits."""

NUMBER_DIGITS: Final = 13
"""As many as the greatest number of an entry has."""

DESCRIPTOR_DIGITS: Final = 7
"""Linux allows a million and some."""


def precedence(given: str) -> str:
    """Give the precedence meant: any case, and as few letters as tell it apart."""
    found = [word for word in PRECEDENCES if given and word.startswith(given.upper())]
    if len(found) != 1:
        raise argparse.ArgumentTypeError(f"{given!a} is none of {', '.join(PRECEDENCES)}")
    return found[0]


def timeout(given: str) -> float:
    """Give seconds: a plain number, or a duration."""
    try:
        return text.parse_duration(given if given[-1:].isalpha() else given + "s")
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{given!a} is neither seconds nor a duration such as 15m"
        ) from None


def moment(given: str) -> str:
    """Give the time meant as exact UTC: a duration from now, UTC, or a date-time group."""
    now_ns = time.time_ns()
    at_ns = _moment_ns(given, now_ns)
    if at_ns <= now_ns:
        raise argparse.ArgumentTypeError(f"{given!a} is not in the future")
    return text.utc_microseconds(at_ns)


def _moment_ns(given: str, now_ns: int) -> int:
    for reading in (text.parse_utc, text.parse_dtg):
        with contextlib.suppress(ValueError):
            return reading(given)
    with contextlib.suppress(ValueError, OverflowError):
        at_ns = now_ns + int(text.parse_duration(given) * 1e9)
        text.utc(at_ns)  # a duration may lead beyond every calendar
        return at_ns
    raise argparse.ArgumentTypeError(
        f"{given!a} is no time: write 90s, 15m, 2h, 1d, 2026-11-23T15:30:00Z or 231530ZNOV26"
    )


def descriptor(given: str) -> int:
    """Give the number of a file descriptor."""
    if not (given.isascii() and given.isdigit() and len(given) <= DESCRIPTOR_DIGITS):
        raise argparse.ArgumentTypeError(f"{given!a} is not the number of a file descriptor")
    return int(given)


def count(given: str) -> int:
    """Give a whole number of at least one."""
    digits = given.isascii() and given.isdigit() and len(given) <= COUNT_DIGITS
    if not digits or int(given) == 0:
        raise argparse.ArgumentTypeError(f"{given!a} is not a count")
    return int(given)


def number(given: str) -> int:
    """Give the number of an entry, or 0."""
    if not (given.isascii() and given.isdigit() and len(given) <= NUMBER_DIGITS):
        raise argparse.ArgumentTypeError(f"{given!a} is not the number of an entry")
    return int(given)
