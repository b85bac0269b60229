"""Names of operators, as the user database has them."""

from __future__ import annotations

import pwd
from types import SimpleNamespace

import pytest

from hotline.daemon.operators import operator_name
from hotline.limits import OPERATOR_BYTES


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        (b"anna", "anna"),
        (b"ren\xe9", "ren\\udce9"),
        ("é".encode() * OPERATOR_BYTES, "é" * (OPERATOR_BYTES // 2)),
    ],
)
def test_every_login_name_can_be_signed(
    monkeypatch: pytest.MonkeyPatch, entry: bytes, name: str
) -> None:
    """A name from before UTF-8 ended the daemon at that operator's first command."""
    found = SimpleNamespace(pw_name=entry.decode(errors="surrogateescape"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: found)
    assert operator_name(1000) == name


def test_a_user_without_a_name_is_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container the daemon's user often has no entry: what it answers must still be somebody's."""

    def missing(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", missing)
    assert operator_name(1000) == "uid-1000"
