"""Armour: one text for each run of bytes, and nothing beside it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.errors import IdentityError
from hotline.identity.armour import Armour

ARMOUR = Armour("HOTLINE CARD", 300)
DATA = bytes(range(200))
TEXT = ARMOUR.encode(DATA)


@given(st.binary(max_size=300))
def test_round_trip(data: bytes) -> None:
    """Bytes that come back changed would be another card or another key."""
    text = ARMOUR.encode(data)
    assert ARMOUR.decode(text, "x") == data
    assert ARMOUR.decode(text.encode(), "x") == data
    assert len(text) <= ARMOUR.max_text_bytes


def test_the_form_is_rfc_7468() -> None:
    """A form of our own would surprise every tool and every eye that knows PEM."""
    lines = TEXT.splitlines()
    assert lines[0] == "-----BEGIN HOTLINE CARD-----"
    assert lines[-1] == "-----END HOTLINE CARD-----"
    assert {len(line) for line in lines[1:-2]} == {64}
    assert TEXT.endswith("-----\n")


@pytest.mark.parametrize(
    "text",
    [
        TEXT.rstrip("\n"),
        "\n \t\n" + TEXT + "\n\n  \n",
        TEXT.replace("\n", "\r\n"),
        "\r\n" + TEXT.replace("\n", "\r\n") + "\r\n",
    ],
    ids=["no last newline", "blank lines around", "crlf", "crlf and blank lines"],
)
def test_what_mail_and_editors_do_is_let_pass(text: str) -> None:
    """A card that crossed a Windows desk must still pin, to the same bytes."""
    assert ARMOUR.decode(text, "x") == DATA


LINES = TEXT.splitlines()
REFUSED = {
    "empty": "",
    "blank": "\n \n",
    "text before": "hello\n" + TEXT,
    "text after": TEXT + "hello\n",
    "text on the last line": TEXT.rstrip("\n") + " x",
    "space before BEGIN": " " + TEXT,
    "space after END": TEXT.rstrip("\n") + " ",
    "two blocks": TEXT + TEXT,
    "a second BEGIN inside": "\n".join([LINES[0], *LINES]),
    "no END": "\n".join(LINES[:-1]),
    "no BEGIN": "\n".join(LINES[1:]),
    "END and BEGIN share their dashes": "-----BEGIN HOTLINE CARD-----END HOTLINE CARD-----",
    "END of another label": TEXT.replace("END HOTLINE CARD", "END HOTLINE KEY"),
    "lower case label": TEXT.replace("HOTLINE CARD", "hotline card"),
    "space in base64": TEXT.replace(LINES[1], LINES[1][:10] + " " + LINES[1][10:]),
    "space for newline": TEXT.replace(LINES[1] + "\n", LINES[1] + " "),
    "trailing space on a line": TEXT.replace(LINES[1], LINES[1] + " "),
    "blank line inside": TEXT.replace(LINES[1], LINES[1] + "\n"),
    "lone carriage return": TEXT.replace("\n", "\r"),
    "one long line": TEXT.replace(LINES[1] + "\n", LINES[1]),
    "padding left out": TEXT.replace("=", ""),
    "padding too much": TEXT.replace("=", "=="),
    "unused bits set": TEXT.replace(LINES[-2], re.sub(r".=$", "d=", LINES[-2])),
    "url alphabet": TEXT.replace("+", "-").replace("/", "_"),
    "a header": TEXT.replace(LINES[0], LINES[0] + "\nVersion: 1\n"),
    "nul": TEXT.replace(LINES[1], LINES[1][:-1] + "\0"),
    "a letter that only looks like A": TEXT.replace("A", "\N{CYRILLIC CAPITAL LETTER A}"),
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_anything_else_is_refused(text: str) -> None:
    """What a reader skips, a writer can hide in; one card must have one text."""
    assert text != TEXT
    for form in (text, text.encode()):
        with pytest.raises(IdentityError, match=r"^this file "):
            ARMOUR.decode(form, "this file")


def test_a_text_of_undecodable_bytes_is_refused() -> None:
    """A binary file must give an error that names it, not a traceback."""
    with pytest.raises(IdentityError, match=r"^a file is not plain ASCII text$"):
        ARMOUR.decode(b"\xff\xfe" + TEXT.encode(), "a file")


def test_another_label_is_named() -> None:
    """An operator who hands over the secret key for the card should learn just that."""
    secret = Armour("HOTLINE SECRET KEY", 300).encode(DATA)
    with pytest.raises(IdentityError, match=r"^x is a HOTLINE SECRET KEY, not a HOTLINE CARD$"):
        ARMOUR.decode(secret, "x")


def test_the_size_is_bounded() -> None:
    """Without a bound, one file fills the memory; one byte over must already be too much."""
    with pytest.raises(IdentityError, match="too long"):
        ARMOUR.decode(ARMOUR.encode(bytes(301)), "x")
    with pytest.raises(IdentityError, match="too long"):
        ARMOUR.decode("\n" * (ARMOUR.max_text_bytes + 1), "x")


@given(st.text(max_size=400) | st.binary(max_size=400))
def test_junk_raises_one_class_only(junk: str | bytes) -> None:
    """A caller that expects IdentityError must not be broken by a ValueError."""
    with pytest.raises(IdentityError):
        ARMOUR.decode(junk, "x")
