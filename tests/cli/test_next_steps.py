"""What a command says is next, or says to look at, works as it is written, wherever that is."""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING

import pytest

from hotline.cli import exits

if TYPE_CHECKING:
    from pathlib import Path

    from cli.station_operator import Operator


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("status bravo", "see: hotline status --help"),
        ("outbox bravo north", "see: hotline outbox --help"),
        ("peer list bravo", "see: hotline peer list --help"),
        (
            "send bravo hold your fire",
            "a text of several words stands in quotes; see: hotline send --help",
        ),
        (
            "send bravo --id air-7 hold your fire",
            "a text of several words stands in quotes; see: hotline send --help",
        ),
        ("send bravo --id air-7 --ack 1h", "see: hotline send --help"),
        ("send bravo --id air-7 -5", "see: hotline send --help"),
        (
            "ack air-7 --note on the ground",
            "a text of several words stands in quotes; see: hotline ack --help",
        ),
    ],
)
def test_what_is_left_over_leads_to_the_help_of_its_verb(
    operator: Operator, command: str, hint: str
) -> None:
    """`hotline --help` lists verbs: nobody finds there that a text needs quotes."""
    done = operator.run(*command.split())
    assert (done.code, done.out) == (exits.USAGE, "")
    assert "unrecognized arguments: " in done.err
    assert done.err.endswith(f"hint: {hint}\n")
    shown = hint.rpartition("see: hotline ")[2].split()
    assert operator.run(*shown).code == exits.DONE


def test_what_comes_next_names_the_configuration(operator: Operator, folder: Path) -> None:
    """Typed as it is shown, it must be about this station: the current folder may hold another."""
    elsewhere = folder / "my station"
    elsewhere.mkdir()
    for name in ("hotline.toml", "alpha.key", "alpha.card", "bravo.card"):
        shutil.copy(folder / name, elsewhere / name)
    config = "my station/hotline.toml"
    for verb, next_one in (
        ("log verify", "run"),
        ("heartbeats", "run"),
        ("secret contribute bravo", "secret combine bravo"),
    ):
        done = operator.run("--config", config, *verb.split())
        rows = [row for row in (done.out + done.err).splitlines() if "hotline --config" in row]
        assert len(rows) == 1, done
        shown = rows[0][rows[0].index("hotline ") :]
        assert shlex.split(shown) == ["hotline", "--config", config, *next_one.split()]
