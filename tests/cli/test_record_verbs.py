"""The verbs that check the record and take it elsewhere, on a store that no daemon holds."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import pytest

from hotline.cli import exits, record
from hotline.cli.log_entries import Entries, shown
from hotline.cli.main import main
from hotline.daemon import config as configuration
from hotline.daemon import offline
from hotline.errors import ConfigError
from hotline.identity import write_card
from hotline.identity.succession import write_succession
from hotline.model import Precedence
from hotline.wire import entries
from support.evidence_case import LONG, Case
from support.line_world import successor

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534

TO_A_FILE = "hint: a run may be gone through twice: write it to a file, and name that\n"


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """Give a line with something to prove."""
    made = Case(tmp_path_factory.mktemp("record"))
    yield made
    made.close()


@pytest.fixture
def folder(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the author's folder, with a copy of its store, and stand in it."""
    own, peer = case.author.own.founding, case.author.peer.founding
    for card in (own, peer):
        write_card(tmp_path / f"{card.name}.card", card)
    (tmp_path / "hotline.toml").write_text(
        f'[station]\nname = "{own.name}"\nkey = "none.key"\ncard = "{own.name}.card"\n'
        f'state = "state"\n\n[[line]]\nname = "west"\ncard = "{peer.name}.card"\n'
    )
    (tmp_path / "state").mkdir(mode=0o700)
    database = apsw.Connection(str(case.author.station.path))
    database.execute("VACUUM INTO ?", (str(tmp_path / "state" / "store.db"),))
    database.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOTLINE_CONFIG", raising=False)
    return tmp_path


@pytest.mark.parametrize("whose", ["author", "reader"])
def test_successions_in_files_count_as_keys(
    case: Case, folder: Path, capsys: pytest.CaptureFixture[str], whose: str
) -> None:
    """What a station signed before its log named its new keys would be told as a forgery."""
    station = getattr(case, whose).station
    succession, _ = successor(station.name, station.card, station.keys, 1)
    write_succession(folder / f"{station.name}.2.succession", succession)
    assert main(["log", "verify", "west"]) == exits.DONE
    assert "all is as it was signed" in capsys.readouterr().out
    with record.opened(argparse.Namespace(config=None)) as found:
        line = found.line("west")
    expected = {"author": line.own, "reader": line.peer}
    assert [len(one.successions) for one in (expected.pop(whose), *expected.values())] == [1, 0]


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Run what must be refused, and give the complaint."""
    assert main(list(argv)) == exits.REFUSED
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("hotline: ")
    assert "Traceback" not in told.err
    return told.err


@pytest.mark.usefixtures("folder")
def test_a_whole_record_verifies(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a daemon and without a secret key, by the line's name or for all lines."""
    assert main(["log", "verify"]) == exits.DONE
    assert "west: all is as it was signed" in capsys.readouterr().out
    assert main(["log", "verify", "west", "--json"]) == exits.DONE
    told = json.loads(capsys.readouterr().out)
    assert (told["line"], told["verified"], told["fault"]) == ("west", True, None)
    assert told["own_entries"] == case.author.record.own.number


def test_a_damaged_record_is_told_in_plain_words(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An operator has to know which entry, of which log; a script by the exit code."""
    database = apsw.Connection(str(folder / "state" / "store.db"))
    database.execute("UPDATE entry SET row = NULL WHERE (key & 0xffffffffff) = 3")
    database.close()
    assert "line west: entry 3 of our own log" in refused(capsys, "log", "verify")
    assert main(["log", "verify", "--json"]) == exits.REFUSED
    told = json.loads(capsys.readouterr().out)
    assert told["verified"] is False
    assert "entry 3" in told["fault"]
    refused(capsys, "log", "export", "west", "-o", "bad.run")
    assert not (folder / "bad.run").exists()


def spoil(folder: Path, statement: str) -> None:
    """Change a store past what its tables allow, as a bad disk does."""
    path = str(folder / "state" / "store.db")
    before = _schema(path, [])
    loose = [(sql.replace(") STRICT", ")").replace(" NOT NULL", ""), row) for sql, row in before]
    _schema(path, loose)
    database = apsw.Connection(path)
    database.execute(statement)
    database.close()
    _schema(path, before)


def _schema(path: str, wanted: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Put other definitions of tables into a store; gives those that it had."""
    database = apsw.Connection(path)
    database.pragma("writable_schema", 1)
    found = database.execute("SELECT sql, rowid FROM sqlite_schema WHERE type = 'table'").fetchall()
    database.executemany("UPDATE sqlite_schema SET sql = ? WHERE rowid = ?", wanted)
    database.close()
    return found


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE signature SET signature = 7", "non-BLOB value in signature.signature"),
        ("UPDATE entry SET data = NULL", "NULL value in entry.data"),
        ("UPDATE line SET halt_code = CAST(x'66ff' AS TEXT)", "text that is not UTF-8"),
    ],
)
def test_a_value_of_another_kind_is_damage(
    folder: Path, capsys: pytest.CaptureFixture[str], statement: str, found: str
) -> None:
    """It is the disk's doing and the operator's to know, and no fault in this program."""
    spoil(folder, statement)
    codes = [main(["log", "verify", "west"]), main(["log", "verify", "--json"])]
    told = capsys.readouterr()
    assert exits.DONE not in codes
    assert "fault in this program" not in told.err
    assert f"store.db: the store is damaged: {found}" in told.err


@pytest.mark.usefixtures("folder")
def test_a_sound_store_is_not_blamed() -> None:
    """A fault of this program must not be told as damage: its operator would restore a backup."""

    def misuse() -> None:
        with record.opened(argparse.Namespace(config=None)):
            len(7)  # type: ignore[arg-type]

    with pytest.raises(TypeError):
        misuse()


def test_evidence_to_a_file_or_to_a_pipe_is_the_same(
    folder: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """What is piped to another program must be the file, and nothing around it."""
    assert main(["evidence", "export", "air-7", "-o", "a.evidence"]) == exits.DONE
    capsysbinary.readouterr()
    assert main(["evidence", "export", "air-7"]) == exits.DONE
    piped = capsysbinary.readouterr().out
    written = (folder / "a.evidence").read_bytes()
    assert piped == written
    assert (folder / "a.evidence").stat().st_mode & 0o777 == 0o600


def test_verify_says_what_is_left_to_trust(
    folder: Path, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cards out of the very file that they are to vouch for prove nothing by themselves."""
    main(["evidence", "export", "air-7", "-o", "a.evidence"])
    capsys.readouterr()
    names = case.author.own.founding.name, case.author.peer.founding.name
    assert main(["evidence", "verify", "a.evidence"]) == exits.DONE
    assert f"The card of {names[0]} and {names[1]} comes from this file" in capsys.readouterr().out
    assert main(["evidence", "verify", "a.evidence", "--card", f"{names[0]}.card"]) == exits.DONE
    told = capsys.readouterr().out
    assert f"The card of {names[1]} comes from" in told
    assert "VERIFIED" not in told
    cards = [word for name in names for word in ("--card", f"{name}.card")]
    assert main(["evidence", "verify", "a.evidence", *cards]) == exits.DONE
    told = capsys.readouterr().out
    assert "VERIFIED" in told
    assert "Both cards are the ones that you gave" in told
    text = (folder / "a.evidence").read_bytes()
    (folder / "b.evidence").write_bytes(text.replace(b"will comply", b"WILL comply"))
    assert "page" in refused(capsys, "evidence", "verify", "b.evidence")


def test_an_interrupted_message_is_told_as_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A FLASH went between the parts: what proves the words is named, and does prove them."""
    assert main(["evidence", "export", "air-7", "-o", "a.evidence"]) == exits.DONE
    assert capsys.readouterr().err == ""
    assert main(["evidence", "export", "long", "-o", "long.evidence"]) == exits.DONE
    note, hint = capsys.readouterr().err.splitlines()
    assert note.startswith("note: between the parts of long stand other entries")
    for name in ("a", "long"):
        assert main(["evidence", "verify", f"{name}.evidence", "--json"]) == exits.DONE
    whole, found = map(json.loads, capsys.readouterr().out.splitlines())
    assert (whole["interrupted"], found["interrupted"]) == (False, True)
    assert found["receipt"]["id"] == found["reader"]["id"]
    assert main(["evidence", "verify", "long.evidence"]) == exits.DONE
    assert "began the message anew" in capsys.readouterr().out
    command = hint.partition(": hotline ")[2]
    first, last = found["first"], found["number"]
    assert command == f"log export west --side own --first {first} --last {last} -o FILE"
    assert main(command.replace("FILE", str(folder / "w.run")).split()) == exits.DONE
    capsys.readouterr()
    assert main(["evidence", "verify", "w.run", "--entries"]) == exits.DONE
    assert f"\n  | {LONG}\n" in capsys.readouterr().out


def test_a_run_shows_what_was_said_only_once_it_is_proven(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Entries of a file that turns out to be forged must not have been on the screen."""
    assert main(["log", "export", "west", "--first", "2", "-o", "w.run"]) == exits.DONE
    capsys.readouterr()
    assert main(["evidence", "verify", "w.run", "--entries", "--json"]) == exits.DONE
    *entries, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert [one["number"] for one in entries] == list(range(2, summary["last"] + 1))
    assert {one["kind"] for one in entries} == {"message", "part"}
    assert (summary["kind"], summary["first"], summary["verified"]) == ("run", 2, True)
    data = bytearray((folder / "w.run").read_bytes())
    data[-1] ^= 1
    (folder / "x.run").write_bytes(data)
    refused(capsys, "evidence", "verify", "x.run", "--entries")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("side", ["own", "peer"])
def test_entries_are_told_as_messages_are(
    case: Case, side: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who judges knows no field of the program's; a program has met these names in evidence."""
    assert main(["log", "export", "west", "--side", side, "-o", "w.run"]) == exits.DONE
    capsys.readouterr()
    assert main(["evidence", "verify", "w.run", "--entries", "--json"]) == exits.DONE
    *objects, _ = map(json.loads, capsys.readouterr().out.splitlines())
    assert main(["evidence", "verify", "w.run", "--entries"]) == exits.DONE
    told = capsys.readouterr().out
    if side == "own":
        [air] = [one for one in objects if one.get("id") == "air-7"]
        main(["evidence", "export", "air-7", "-o", "a.evidence"])
        capsys.readouterr()
        assert main(["evidence", "verify", "a.evidence", "--json"]) == exits.DONE
        proven = json.loads(capsys.readouterr().out)
        same = air.keys() & proven.keys() - {"kind"}
        assert same == {"id", "number", "precedence", "subject", "body", "author", "composed_at"}
        assert {name: air[name] for name in same} == {name: proven[name] for name in same}
        assert (
            f"\n{air['number']}  message\n  id             air-7\n  precedence     FLASH\n"
            f"  composed       {air['composed_at']}\n  ack by         {air['ack_by']}\n"
            f"  author         {air['author']}\n  subject        subject\n"
            "  | escape \\u{1b}[31m, bidi \\u{202e}, letters Жé, younger 🚀, BEGIN\n"
            "  | -----BEGIN HOTLINE EVIDENCE-----\n"
        ) in told
        *others, last = [one for one in objects if one["kind"] == "part"]
        assert ([one["message"] for one in others], last["message"]["body"]) == (
            [None] * len(others),
            LONG,
        )
        assert f"{last['number']}  part, which ends a message\n  id             long\n" in told
        assert f"\n  | {LONG}\n" in told
    else:
        answers = [one for one in objects if one["kind"] == "acknowledgement"]
        assert [one["number"] for one in objects] == list(range(1, len(objects) + 1))
        assert [(one["message_id"], one["decision"]) for one in answers] == [
            ("air-7", "read"),
            ("air-7", "wilco"),
        ]
        assert (
            f"\n{answers[1]['number']}  acknowledgement\n  id             {answers[1]['id']}\n"
            f"  message        air-7\n  entry          {answers[1]['message_number']} of the log of"
            f" {case.author.own.founding.name}\n  decision       wilco\n"
            f"  operator       {answers[1]['operator']}\n  at             {answers[1]['at']}\n"
            "  note           note \\u{202e} of theirs\n"
        ) in told


def test_a_rare_entry_is_told_too() -> None:
    """A line test, what ends in this run and began before it, and what this version cannot read."""
    found = Entries()
    told: list[str] = []
    for number, data in enumerate(
        (
            entries.encode(entries.Test("t-1", 1_795_443_000_123_456_789, "op")),
            entries.encode(entries.Part("long", Precedence.ROUTINE, 8192, 8200, b"the rest")),
            b"\x91\x63",
        ),
        start=7,
    ):
        told += shown(found.fields(number, data), "bravo")
    assert told == [
        *("7  test", "  id             t-1"),
        *("  at             2026-11-23T14:10:00.123456Z", "  operator       op"),
        *("8  part", "  id             long", "  precedence     ROUTINE"),
        "  bytes          8192 to 8199 of 8200",
        *("9  unknown", "  bytes          2"),
    ]


def test_parts_are_put_together_as_the_line_does() -> None:
    """A message that begins anew has dropped what was sent of it; one in between disturbs nothing."""
    content = entries.encode(
        entries.Message("long", Precedence.ROUTINE, 1, None, "op", "", "long " * 2000)
    )
    other = entries.encode(entries.Message("m", Precedence.FLASH, 1, None, "op", "", "x" * 9000))
    found = Entries()

    def whole(identifier: str, precedence: Precedence, at: int, end: int) -> str | None:
        data = content if identifier == "long" else other
        part = entries.Part(identifier, precedence, at, len(data), data[at:end])
        message = found.fields(1, entries.encode(part))["message"]
        return None if message is None else message["id"]

    routine, flash = Precedence.ROUTINE, Precedence.FLASH
    assert whole("long", routine, 0, 4000) is None
    assert whole("m", flash, 0, 5000) is None
    assert whole("long", routine, 0, 3000) is None
    assert whole("long", routine, 4000, len(content)) is None, "of the dropped one"
    assert whole("long", routine, 3000, 8000) is None
    assert whole("m", flash, 5000, len(other)) == "m"
    assert whole("long", routine, 8000, len(content)) == "long"


def checks(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Give the words of the command that an export says to check its file with."""
    return shlex.split(capsys.readouterr().out.rpartition("check it with: hotline ")[2])


@pytest.mark.usefixtures("folder")
def test_what_is_said_of_a_run_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A row that is broken by the terminal, in the midst of a station id, cannot be compared."""
    for argv, signatures in (("--last 1", "(1 signature, "), ("", " signatures, ")):
        output = f"w {len(argv)}.run"
        assert main([*f"log export west {argv} -o".split(), output]) == exits.DONE
        assert main(checks(capsys)) == exits.DONE
        told = capsys.readouterr().out
        assert signatures in told
        assert max(map(len, told.splitlines())) <= 80
    assert main(["evidence", "export", "air-7", "-o", "air 7.evidence"]) == exits.DONE
    assert main(checks(capsys)) == exits.DONE


@pytest.mark.parametrize(
    "argv",
    [
        "evidence export unknown",
        "evidence export air-7 --line south",
        "evidence export air-7 --direction in",
        "evidence verify hotline.toml",
        "evidence verify state/store.db",
        "log verify east",
        "log export east -o e.run",
        "log export west --first 9999 -o e.run",
    ],
)
def test_what_cannot_be_done_is_refused(
    folder: Path, argv: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of these leaves no file and no traceback."""
    before = sorted(folder.iterdir())
    refused(capsys, *argv.split())
    assert sorted(folder.iterdir()) == before


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere.evidence", "hotline: cannot open nowhere.evidence: no such file or directory\n"),
        ("hotline.toml/x", "hotline: cannot open hotline.toml/x: not a directory\n"),
        ("state", "hotline: cannot open state: is a directory\n"),
        ("a.fifo", f"hotline: cannot check a.fifo: it is no regular file\n{TO_A_FILE}"),
        ("-", f"hotline: cannot check standard input\n{TO_A_FILE}"),
    ],
)
def test_what_cannot_be_opened_is_not_told_as_forged(
    name: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A court's script must tell a name that was mistyped from a file that was tampered with."""
    os.mkfifo("a.fifo")
    assert main(["evidence", "verify", name]) == exits.USAGE
    assert capsys.readouterr() == ("", told)


@pytest.fixture
def closed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a copy of the folder, and be somebody who may look into it, but not into its state."""
    with tempfile.TemporaryDirectory(prefix="hl") as name:
        copied = shutil.copytree(folder, name, dirs_exist_ok=True)
        Path(copied).chmod(0o755)
        monkeypatch.chdir(copied)
        state, secret = Path(copied, "state"), Path(copied, "a.evidence")
        assert main(["evidence", "export", "air-7", "-o", secret.name]) == exits.DONE
        assert main(["log", "verify"]) == exits.DONE
        for path in (secret, state / "store.db", state):
            path.chmod(0)
        user = os.geteuid()
        try:
            os.seteuid(user or NOBODY)  # no mode keeps root out
            yield Path(copied)
        finally:
            os.seteuid(user)
            state.chmod(0o700)


def test_who_may_not_read_is_told_so(closed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a fault of the system nor a forgery: another user has to give the command."""
    capsys.readouterr()
    assert main(["evidence", "verify", "a.evidence"]) == exits.USAGE
    assert capsys.readouterr().err == "hotline: cannot open a.evidence: permission denied\n"
    told = (
        f"hotline: not allowed to read {closed}/state/store.db\n"
        "hint: run this as the user who runs the daemon\n"
    )
    for argv in (
        "log verify",
        "log verify west --json",
        "log export west -o w.run",
        "evidence export air-7",
    ):
        assert main(argv.split()) == exits.USAGE
        assert capsys.readouterr() == ("", told), argv
    with pytest.raises(ConfigError, match="not allowed to read"):
        offline.trust(configuration.load("hotline.toml"), bytes(32))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_store_of_another_user_s_is_told_as_such(
    closed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder may be open by mistake, and the store is not: SQLite would call it a failed disk."""
    os.seteuid(0)
    (closed / "state").chmod(0o755)
    os.seteuid(NOBODY)
    capsys.readouterr()
    assert main(["log", "verify"]) == exits.USAGE
    assert "not allowed to read" in capsys.readouterr().err


def test_nothing_is_written_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A proof that replaced another one of the same name would be the last of it."""
    (folder / "there").write_text("before")
    for argv in ("evidence export air-7 -o there", "log export west -o there"):
        assert main(argv.split()) == exits.USAGE
        assert "already exists" in capsys.readouterr().err
    assert (folder / "there").read_text() == "before"


def test_a_station_without_a_store_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The daemon makes it; an operator should not have to guess."""
    (folder / "state" / "store.db").unlink()
    assert main(["log", "verify"]) == exits.USAGE
    assert "hotline run" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_verify_needs_nothing_of_a_station(capsys: pytest.CaptureFixture[str]) -> None:
    """A third person's machine has no database, no event loop and no daemon to load."""
    main(["evidence", "export", "air-7", "-o", "a.evidence"])
    capsys.readouterr()
    probe = (
        "import sys; from hotline.cli.main import main;"
        "code = main(['evidence', 'verify', 'a.evidence', '--json']);"
        "print(code, sorted({'apsw', 'trio', 'structlog'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"
