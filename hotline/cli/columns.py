"""Text measured in terminal columns: wide characters take two, combining marks none."""

from __future__ import annotations

import unicodedata
from typing import Final

NAME_MOST: Final = 32
"""The longest name of a line or station. A table never cuts one: two may differ in the last letter."""


def width(text: str) -> int:
    """Give the columns that safe text (hotline.text) takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, columns: int) -> str:
    """Give text, or as much of it as fits with an ellipsis behind it."""
    if width(text) <= columns:
        return text
    head, _ = _split(text, columns - 1)
    return head + "…"


def pad(text: str, columns: int) -> str:
    """Give text fitted and filled with spaces to exactly columns."""
    fitted = fit(text, columns)
    return fitted + " " * (columns - width(fitted))


def wrap(text: str, columns: int) -> list[str]:
    """Give text cut hard into pieces of at most columns; an empty text is one empty piece."""
    pieces = []
    while width(text) > columns:
        head, text = _split(text, columns)
        pieces.append(head)
    return [*pieces, text]


def fill(text: str, columns: int) -> list[str]:
    """Give text as lines of at most columns, broken between words where that can be done."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and width(longer) > columns:
            lines.append(word)
        else:
            lines[-1] = longer
    return [piece for line in lines for piece in wrap(line, columns)]


def _split(text: str, columns: int) -> tuple[str, str]:
    """Cut text before the first character that does not fit; at least one character is taken."""
    used = 0
    for index, character in enumerate(text):
        used += _columns(character)
        if used > columns and index:
            return text[:index], text[index:]
    return text, ""


def grouped(digits: str) -> str:
    """Give hexadecimal digits in groups of eight, so that two people can compare them."""
    return " ".join(digits[at : at + 8] for at in range(0, len(digits), 8))
