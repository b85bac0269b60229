"""Checks of the record that find something: no later word, and no code, takes it back."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from hotline.cli import exits, record
from hotline.cli.main import main
from hotline.cli.verbs import log_verify
from hotline.evidence import exporting_runs
from hotline.identity import write_card
from hotline.model import Side
from support.evidence_case import Case
from support.line_world import identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize("bad", ["first", "second", "third"])
def test_one_line_that_is_not_whole_is_told_by_the_code_whichever_it_is(
    bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A nightly check looks at the code alone; and all the others are checked all the same."""
    names = ["first", "second", "third"]
    checked: list[str] = []

    def verify(_opened: Any, line: Any, **_: Any) -> bool:
        checked.append(line.name)
        return bool(line.name != bad)

    @contextmanager
    def opened(_args: Any) -> Iterator[Any]:
        yield SimpleNamespace(lines=lambda: [SimpleNamespace(name=name) for name in names])

    monkeypatch.setattr(record, "opened", opened)
    monkeypatch.setattr(log_verify, "_verify", verify)
    assert main(["log", "verify"]) == exits.REFUSED
    assert checked == names


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """Give a line with something to prove."""
    made = Case(tmp_path_factory.mktemp("refusals"))
    yield made
    made.close()


@pytest.fixture
def run(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a file with a run of the author's log, beside the cards of all whom this is about."""
    holder = case.author
    path = tmp_path / "a.run"
    wanted = exporting_runs.Wanted(
        holder.record, Side.OWN, holder.own, holder.peer, 1, holder.record.own.number
    )
    with path.open("wb") as file:
        list(exporting_runs.export(holder.station.store, wanted, file.write))
    for name in ("north", "south", "stranger"):
        write_card(tmp_path / f"{name}.card", identity(name)[1])
    monkeypatch.chdir(tmp_path)
    return path.name


@pytest.mark.parametrize("options", [(), ("--json",), ("--entries",), ("--entries", "--json")])
def test_nothing_is_shown_of_a_file_by_another_card(
    run: str, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    """It is sound in itself, and of somebody else: what it says must not have been on the screen."""
    good = ["evidence", "verify", run, "--card", "north.card", "--card", "south.card", *options]
    assert main(good) == exits.DONE
    assert capsys.readouterr().out
    assert main([*good[:-1], good[-1], "--card", "stranger.card"]) == exits.REFUSED
    told = capsys.readouterr()
    assert told.out == ""
    assert "by other cards than the one given for stranger" in told.err
