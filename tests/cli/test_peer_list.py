"""``hotline peer list``: which line is which station, and where it is called."""

from __future__ import annotations

import pytest
from cli.station_operator import Operator


def renamed(operator: Operator, name: str, *addresses: str) -> None:
    """Give the line to bravo another name and other addresses."""
    path = operator.folder / "hotline.toml"
    quoted = ", ".join(f'"{address}"' for address in addresses)
    text = path.read_text()
    text = text.replace('name = "bravo"', f'name = "{name}"')
    path.write_text(text.replace('["192.0.2.1:1963"]', f"[{quoted}]"))
    assert name in path.read_text()


def test_a_line_stands_in_one_row(operator: Operator) -> None:
    """What fits in the table is not spread over two rows."""
    heading, row = operator.run("peer", "list").out.splitlines()
    assert heading.split() == ["LINE", "STATION", "ID", "ADDRESSES"]
    assert row.startswith("bravo  bravo    ")
    assert row.endswith("  192.0.2.1:1963")
    renamed(operator, "bravo")
    assert operator.run("peer", "list").out.splitlines()[1].endswith("  -")


@pytest.mark.parametrize("stem", ["northern-headquarters-", "n" * 31])
def test_two_lines_never_look_alike(operator: Operator, stem: str) -> None:
    """Names that differ in the last letter are shown to it; two commands later one is revoked."""
    renamed(operator, f"{stem}1", "192.0.2.1:1963")
    assert operator.run("init", "charlie", "--dir", "third").code == 0
    added = operator.run("peer", "add", "third/charlie.card", "--name", f"{stem}2")
    assert added.code == 0, added.err
    done = operator.run("peer", "list")
    assert f"\n{stem}1  bravo    " in done.out
    assert f"\n{stem}2  charlie  " in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_every_address_is_shown_whole(operator: Operator) -> None:
    """Half of an address calls nobody, and the second one is where the peer is if the first is cut."""
    addresses = ("[2001:db8:1111:2222:3333:4444:5555:6666]:1963", "northern.hq.example:1963")
    renamed(operator, "north", *addresses)
    done = operator.run("peer", "list")
    assert [row.split() for row in done.out.splitlines()[2:]] == [
        ["address", address] for address in addresses
    ]
    assert ", ".join(addresses) in operator.on_terminal("peer", "list", columns=160).out
