"""A message checked before anyone is asked to take it, and put into the form of ``send``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from hotline import limits
from hotline.cli.exits import UsageError

if TYPE_CHECKING:
    import argparse


_SHORTER: Final = {
    "body": "shorten it, or send it in several messages",
    "subject": "shorten it, or say it in the body",
    "note": "shorten it, or say the rest in a message",
    "id": "choose a shorter one",
}

_ALWAYS: Final = {"id", "precedence", "subject", "body"}
"""What ``message`` gives of every message."""

_quoted_ascii: Final = json.encoder.encode_basestring_ascii
_quoted_any: Final = json.encoder.encode_basestring
"""Nearly all of a message is texts: spelled one by one they cost half of what json.dumps costs."""


def size_of(text: str) -> int:
    """Give the bytes of valid text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def check_text(name: str, value: str, most_bytes: int) -> None:
    """Raise UsageError unless value is valid UTF-8 of at most most_bytes."""
    if value.isascii() and len(value) <= most_bytes:
        return
    try:
        size_bytes = len(value.encode())
    except UnicodeEncodeError:
        raise UsageError(
            f"the {name} is not valid UTF-8", hint="Hotline carries text; encode anything else"
        ) from None
    if size_bytes > most_bytes:
        raise UsageError(
            f"the {name} is over {most_bytes} bytes: it has {size_bytes}", hint=_SHORTER[name]
        )


def message(
    args: argparse.Namespace,
    *,
    identifier: str,
    body: str,
    precedence: str | None = None,
    subject: str | None = None,
    expires_at: str | None = None,
    ack_by: str | None = None,
) -> dict[str, Any]:
    """Give the message object for ``send``; what is None comes from the options of the command.

    Raises UsageError for text that cannot be sent.
    """
    subject = args.subject if subject is None else subject
    check_text("subject", subject, limits.SUBJECT_BYTES)
    check_text("body", body, limits.MESSAGE_BYTES)
    # A line test is its own content; anything else must say something.
    if not body and not subject and not args.test:
        raise UsageError("there is nothing to send", hint="give a text, or a subject")
    made: dict[str, Any] = {
        "id": identifier,
        "precedence": precedence or args.precedence,
        "subject": subject,
        "body": body,
    }
    if args.test:
        made["test"] = True
    if expires_at or args.expires:
        made["expires_at"] = expires_at or args.expires
    if ack_by or args.ack_by:
        made["ack_by"] = ack_by or args.ack_by
    return made


def encoded(made: dict[str, Any]) -> str:
    """Give a message object as JSON, small enough for one request; raises UsageError."""
    text = (
        f'{{"id":{_quoted(made["id"])},"precedence":{_quoted(made["precedence"])},'
        f'"subject":{_quoted(made["subject"])},"body":{_quoted(made["body"])}'
    )
    rest = {name: made[name] for name in made.keys() - _ALWAYS} if len(made) > len(_ALWAYS) else {}
    text += f",{json.dumps(rest)[1:]}" if rest else "}"
    # JSON spells a control character with six bytes: a mebibyte of them is no request any more.
    if size_of(text) > limits.CONTROL_REQUEST_BYTES - limits.KIB:
        raise UsageError(
            "the body has too many control characters for one request",
            hint="send it in several messages",
        )
    return text


def _quoted(text: str) -> str:
    # Twice as fast, but six bytes for each character that is none of ASCII, or DEL.
    plain = text.isascii() and "\x7f" not in text
    return _quoted_ascii(text) if plain else _quoted_any(text)


def answered(ids: list[str], results: list[dict[str, Any]]) -> bool:
    """Tell whether each result is that of its message: one too few, and each would be another's."""
    return len(results) == len(ids) and all(
        result.get("error") is not None or result["id"] == identifier
        for identifier, result in zip(ids, results, strict=True)
    )
