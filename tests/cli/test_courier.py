"""The courier's verbs: files made and read, and what an operator is told."""

from __future__ import annotations

import base64
import stat
from typing import Any

import pytest
from cli.fake_daemon import Connection, FakeDaemon, Params, Refusal
from cli.station_operator import Operator

from hotline import limits


class Exporting:
    """A daemon that has five entries of ten bytes, and puts two into a file."""

    def __init__(self, daemon: FakeDaemon) -> None:
        self.asked: list[Params] = []
        daemon.on("courier_export", self._answer)

    def _answer(self, params: Params, _: Connection) -> Params:
        self.asked.append(params)
        after = params.get("after", 0)
        last = min(after + 2, 5)
        return {
            "line": params["line"],
            "after": after,
            "last": last,
            "entry_bytes": 10 * (last - after),
            "receipt": 7,
            "more": last < 5,
            "file": base64.b64encode(b"file after %d" % after).decode(),
        }


def test_as_many_files_as_it_takes(operator: Operator, daemon: FakeDaemon) -> None:
    """A queue that is longer than a file would go only in part, unseen."""
    exporting = Exporting(daemon)
    done = operator.run("courier", "export", "bravo", "--to", "out.courier")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "out.courier: entries 1 to 2, and our receipt up to entry 7",
        "out.courier.0002: entries 3 to 4, and our receipt up to entry 7",
        "out.courier.0003: entries 5 to 5, and our receipt up to entry 7",
    ]
    assert [one.get("after") for one in exporting.asked] == [None, 2, 4]
    assert all(one["limit_bytes"] == limits.COURIER_BYTES for one in exporting.asked)
    for name, data in (("out.courier", b"file after 0"), ("out.courier.0003", b"file after 4")):
        path = operator.folder / name
        assert path.read_bytes() == data
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_limit_leaves_the_rest_and_says_how_to_go_on(
    operator: Operator, daemon: FakeDaemon
) -> None:
    """An operator with a small stick must know that not everything is on it."""
    exporting = Exporting(daemon)
    done = operator.run("courier", "export", "bravo", "--limit-bytes", "15", "--after", "1")
    assert done.code == 0
    assert done.out.splitlines()[-1] == (
        "more waits; go on with: hotline courier export bravo --after 3 --to FILE"
    )
    assert [one["limit_bytes"] for one in exporting.asked] == [15]
    done = operator.run("courier", "export", "bravo", "--limit-bytes", "15", "--to", "b", "--json")
    assert [one["path"] for one in done.objects] == ["b"]
    assert done.objects[0] == {
        "path": "b",
        "line": "bravo",
        "after": 0,
        "last": 2,
        "entry_bytes": 20,
        "receipt": 7,
        "more": True,
    }


def test_nothing_is_overwritten(operator: Operator, daemon: FakeDaemon) -> None:
    """The file in the way may be the only copy of another courier's."""
    exporting = Exporting(daemon)
    (operator.folder / "bravo.courier").write_text("kept")
    done = operator.run("courier", "export", "bravo")
    assert (done.code, exporting.asked) == (2, [])
    assert "bravo.courier already exists and is never overwritten" in done.err
    (operator.folder / "x.0002").symlink_to("elsewhere")
    done = operator.run("courier", "export", "bravo", "--to", "x")
    assert (done.code, "x.0002 already exists" in done.err) == (2, True)
    assert not (operator.folder / "elsewhere").exists()
    assert (operator.folder / "bravo.courier").read_text() == "kept"


def taken(**more: Any) -> Params:
    return {
        "line": "alpha",
        "after": 0,
        "last": 2,
        "entries": 2,
        "messages": 1,
        "delivered": 3,
    } | more


def test_files_are_taken_in_one_after_another(operator: Operator, daemon: FakeDaemon) -> None:
    """One that is refused must not be followed by those that need it."""
    came: list[bytes] = []

    def answer(params: Params, _: Connection) -> Params:
        came.append(base64.b64decode(params["file"]))
        if came[-1] == b"two":
            raise Refusal("gap", "the entries 3 to 4 are missing")
        return taken()

    daemon.on("courier_import", answer)
    for name in ("one", "two", "three"):
        (operator.folder / name).write_text(name)
    done = operator.run("courier", "import", "one", "two", "three")
    assert done.code == 5
    assert came == [b"one", b"two"]
    assert done.out.splitlines() == [
        "one: from alpha: 2 new entries, 1 messages; 3 of our messages are delivered",
        "hint: a receipt goes back with: hotline courier export alpha",
    ]
    assert "the entries 3 to 4 are missing" in done.err
    daemon.answers("courier_import", taken(entries=0, messages=0, delivered=0))
    done = operator.run("courier", "import", "one")
    assert done.out == "one: from alpha: nothing that was not known here\n"
    done = operator.run("courier", "import", "one", "--json")
    assert done.objects == [{"path": "one", **taken(entries=0, messages=0, delivered=0)}]


@pytest.mark.parametrize("verb", ["import", "add"])
def test_what_is_no_file_of_a_courier_is_not_read(
    operator: Operator, daemon: FakeDaemon, verb: str
) -> None:
    """A stick may hold anything: a pipe that never ends, a link, a film."""
    with (operator.folder / "film").open("wb") as film:
        film.truncate(limits.COURIER_FILE_BYTES + 1)
    for path, why in (
        ("film", "longer than"),
        (".", "not a regular file"),
        ("none", "cannot open"),
    ):
        done = operator.run("courier", verb, path)
        assert (done.code, why in done.err) == (2, True), done.err
    assert daemon.requests == []


def test_keys_go_out_and_come_in(operator: Operator, daemon: FakeDaemon) -> None:
    """Without them no courier can start."""
    daemon.answers("courier_key", {"key": "-----BEGIN...\n"})
    assert operator.run("courier", "key").out == "-----BEGIN...\n"
    (operator.folder / "key").write_text("-----BEGIN...\n")
    for is_new, told in ((True, "kept"), (False, "is the one kept already")):
        daemon.answers("courier_add", {"line": "bravo", "new": is_new})
        done = operator.run("courier", "add", "key")
        assert done.out == f"courier key of line bravo {told}\n"
    assert daemon.requests[-1] == ("courier_add", {"key": "-----BEGIN...\n"})
    (operator.folder / "key").write_bytes(b"\xff")
    done = operator.run("courier", "add", "key")
    assert (done.code, "not plain ASCII" in done.err) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        "courier",
        "courier export",
        "courier export bravo --limit-bytes 0",
        "courier export bravo --after x",
        "courier export bravo --after -1",
        "courier import",
        "courier add",
    ],
)
def test_mistyped_commands_do_nothing(
    operator: Operator, daemon: FakeDaemon, arguments: str
) -> None:
    """A command that was mistyped must do nothing at all, and say so."""
    assert operator.run(*arguments.split()).code == 2
    assert daemon.requests == []


@pytest.mark.parametrize("verb", ["key", "export bravo", "import hotline.toml", "add hotline.toml"])
def test_the_daemon_must_run(operator: Operator, verb: str) -> None:
    """The line may be down; the keys are with the daemon."""
    done = operator.run("courier", *verb.split())
    assert (done.code, "no daemon answers" in done.err) == (3, True)
