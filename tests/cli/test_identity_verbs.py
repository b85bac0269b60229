"""init, card and peer: real keys, real files, and nothing ever overwritten."""

import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
from cli.fake_daemon import Connection, FakeDaemon, Params
from cli.station_operator import Operator

from hotline.cli.main import main
from hotline.daemon.config import load
from hotline.identity import pair_code, read_card, read_secret_keys
from support.processes import until
from support.syncs import watch_syncs


@pytest.fixture
def empty(tmp_path: Path) -> Operator:
    """Give an operator in an empty folder."""
    return Operator(tmp_path)


def files(folder: Path) -> dict[str, bytes]:
    """Give every file in a folder with its content."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_init_makes_a_station(empty: Operator) -> None:
    """Three files that fit together, the key for its owner only."""
    done = empty.run("init", "alpha", "--dir", "new/place", "--listen", "127.0.0.1")
    assert done.code == 0, done.err
    folder = empty.folder / "new" / "place"
    assert set(files(folder)) == {"hotline.toml", "alpha.key", "alpha.card"}
    assert stat.S_IMODE((folder / "alpha.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0
    config = load(folder / "hotline.toml")
    assert (config.name, str(config.listen[0])) == ("alpha", "127.0.0.1:1963")
    card = read_card(config.card)
    assert read_secret_keys(config.key).public().ed25519 == card.ed25519
    assert card.id.hex()[:8] in done.out
    assert done.out.partition("next:\n")[2] == (
        "  1. give new/place/alpha.card to the peer's operator, and get theirs\n"
        "  2. hotline --config new/place/hotline.toml peer add THEIR.card --address HOST:PORT\n"
        "  3. read the pair code to each other:"
        " hotline --config new/place/hotline.toml peer verify LINE\n"
        "  4. hotline --config new/place/hotline.toml run\n"
    )


@pytest.mark.parametrize(
    ("arguments", "env", "named"),
    [
        ("init alpha", "", ""),
        ("init alpha", "a b.toml", ""),
        ("--config x.toml init alpha", "", "--config x.toml "),
        ("init alpha --dir .", "", "--config hotline.toml "),
    ],
)
def test_the_next_commands_work_where_the_operator_stands(
    empty: Operator, arguments: str, env: str, named: str
) -> None:
    """What was named once has to be named again, and what the environment names has not."""
    done = empty.run(*arguments.split(), HOTLINE_CONFIG=env)
    assert f"  4. hotline {named}run\n" in done.out
    assert "  1. give alpha.card to" in done.out
    again = empty.run(*f"{named}peer list".split(), HOTLINE_CONFIG=env)
    assert (again.code, again.err) == (0, "")


def test_a_folder_s_name_is_quoted(empty: Operator) -> None:
    """What is printed is pasted."""
    done = empty.run("init", "alpha", "--dir", "the station")
    assert "  4. hotline --config 'the station/hotline.toml' run\n" in done.out


@pytest.mark.parametrize("existing", ["hotline.toml", "alpha.key", "alpha.card"])
def test_init_overwrites_nothing(empty: Operator, existing: str) -> None:
    """An overwritten key is a station that no peer knows any more."""
    (empty.folder / existing).write_text("precious")
    done = empty.run("init", "alpha")
    assert (done.code, files(empty.folder)) == (5, {existing: b"precious"})


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("init Alpha", 2), ("init alpha --listen nowhere:x", 2), ("init -- -x", 2), ("init ..", 2)],
)
def test_init_refuses_what_is_no_name_or_address(
    empty: Operator, arguments: str, code: int
) -> None:
    """A refusal leaves nothing behind."""
    assert (empty.run(*arguments.split()).code, files(empty.folder)) == (code, {})


def test_init_after_a_given_configuration(empty: Operator) -> None:
    """Where everything lies is the file's word; only the key and the card are made."""
    text = '[station]\nname="alpha"\nkey="keys/a.key"\ncard="pub/a.card"\nstate="s"\n'
    (empty.folder / "x.toml").write_text(text)
    assert empty.run("--config", "x.toml", "init", "other").code == 2
    assert empty.run("--config", "x.toml", "init", "alpha", "--listen", "h:1").code == 2
    done = empty.run("--config", "x.toml", "init", "alpha")
    assert done.code == 0, done.err
    assert set(files(empty.folder)) == {"x.toml", "keys/a.key", "pub/a.card"}
    assert (empty.folder / "x.toml").read_text() == text
    assert stat.S_IMODE((empty.folder / "keys").stat().st_mode) == 0o700
    assert empty.run("--config", "x.toml", "init", "alpha").code == 5


def test_card(operator: Operator) -> None:
    """The armoured text is what the peer needs; the words are for people."""
    folder = operator.folder
    assert operator.run("card").out == (folder / "alpha.card").read_text()
    shown = operator.run("card", "peer/bravo.card").out
    assert "bravo" in shown
    assert "verifies  yes" in shown
    card = read_card(folder / "peer" / "bravo.card")
    (found,) = operator.run("card", "peer/bravo.card", "--json").objects
    assert (found["name"], found["id"], found["verifies"]) == ("bravo", card.id.hex(), True)
    (own,) = operator.run("card", "--json").objects
    assert own["name"] == "alpha"


def test_a_damaged_card_is_refused(operator: Operator) -> None:
    """A card that does not verify could be anybody's."""
    path = operator.folder / "peer" / "bravo.card"
    text = path.read_text()
    path.write_text(text[:2000] + ("A" if text[2000] != "A" else "B") + text[2001:])
    before = files(operator.folder)
    assert operator.run("card", "peer/bravo.card").code == 2
    assert operator.run("peer", "add", "peer/bravo.card", "--name", "x").code == 2
    assert files(operator.folder) == before


def test_peer_add_pins_the_card(operator: Operator) -> None:
    """The fixture added bravo: the table reads, the comment stands, the words are the pair code."""
    folder = operator.folder
    text = (folder / "hotline.toml").read_text()
    (table,) = tomllib.loads(text)["line"]
    assert table == {"name": "bravo", "card": "bravo.card", "addresses": ["192.0.2.1:1963"]}
    assert "# The station bravo, id " in text
    assert (folder / "bravo.card").read_bytes() == (folder / "peer" / "bravo.card").read_bytes()
    words = pair_code(read_card(folder / "alpha.card").id, read_card(folder / "bravo.card").id)
    shown = operator.run("peer", "verify", "bravo")
    assert tuple(w for w in shown.out.split() if w in words) == words
    assert operator.run("peer", "verify", "bravo", "--json").objects[0]["words"] == list(words)
    assert operator.run("peer", "verify", "nobody").code == 5
    (listed,) = operator.run("peer", "list", "--json").objects
    assert (listed["line"], listed["addresses"]) == ("bravo", ["192.0.2.1:1963"])
    assert "192.0.2.1:1963" in operator.run("peer", "list").out


def test_peer_add_refuses_what_would_confuse(operator: Operator) -> None:
    """Two lines to one station, or to oneself, would each claim the other's session."""
    assert operator.run("init", "charlie", "--dir", "c").code == 0
    before = files(operator.folder)
    for arguments in (
        "peer/bravo.card",
        "peer/bravo.card --name other",
        "alpha.card --name self",
        "c/charlie.card --name bravo",
        "c/charlie.card --name alpha",
    ):
        done = operator.run("peer", "add", *arguments.split())
        assert done.code == 5, arguments
    assert operator.run("peer", "add", "c/charlie.card", "--name", "No").code == 2
    assert operator.run("peer", "add", "c/charlie.card", "--address", "h:p").code == 2
    assert files(operator.folder) == before
    done = operator.run(
        "peer", "add", "c/charlie.card", "--name", "north", "--address", "[::1]:7", "--address", "h"
    )
    assert done.code == 0, done.err
    assert "same words to each other" in done.out
    north = load(operator.folder / "hotline.toml").lines[1]
    assert (north.name, [str(a) for a in north.addresses]) == ("north", ["[::1]:7", "h:1963"])
    assert not list(operator.folder.glob(".hotline*"))


def test_peer_add_says_what_is_next(operator: Operator, request: pytest.FixtureRequest) -> None:
    """A daemon that does not run cannot be sent anything; one that runs must not be started."""
    assert operator.run("init", "charlie", "--dir", "c").code == 0
    assert operator.run("init", "delta", "--dir", "d").code == 0
    done = operator.run("--config", "hotline.toml", "peer", "add", "c/charlie.card")
    assert done.out.splitlines()[-1] == (
        "next: start the daemon: hotline --config hotline.toml run"
    )
    daemon: FakeDaemon = request.getfixturevalue("daemon")
    daemon.answers("trust", {"revoked_at": None, "revoked_by": None})
    done = operator.run("peer", "add", "d/delta.card")
    assert done.out.splitlines()[-1] == (
        "next: send the daemon SIGHUP, to take up the line: systemctl reload hotline, or kill -HUP PID"
    )


@pytest.mark.parametrize(
    ("arguments", "method"),
    [
        ("send bravo hi", "send"),
        ("retry bravo", "retry"),
        ("watch bravo", "watch"),
        ("line recover bravo", "recover"),
        ("courier export bravo", "courier_export"),
        ("peer revoke bravo --confirm bravo", "revoke"),
        ("status --check bravo", "status"),
    ],
)
def test_a_line_that_waits_for_sighup_is_told_as_such(
    operator: Operator, daemon: FakeDaemon, arguments: str, method: str
) -> None:
    """The daemon says that there is none, and the configuration shows it: only one is still true."""
    daemon.refuses(method, "unknown-line", "there is no line 'bravo'")
    daemon.answers("status", {"station": "alpha", "station_id": "00", "lines": []})
    done = operator.run(*arguments.split())
    assert done.code == 5
    assert done.err.splitlines()[-2:] == [
        "hotline: the daemon has not taken up line bravo yet",
        "hint: send it SIGHUP: systemctl reload hotline, or kill -HUP PID; its log tells if it cannot",
    ]


def test_a_line_that_nobody_knows_is_told_as_such(operator: Operator, daemon: FakeDaemon) -> None:
    """A name that was mistyped is no line that waits to be taken up."""
    daemon.refuses("send", "unknown-line", "there is no line 'brvo'")
    daemon.answers("status", {"station": "alpha", "station_id": "00", "lines": []})
    done = operator.run("send", "brvo", "hi")
    assert (done.code, done.err) == (5, "hotline: there is no line 'brvo'\nhint: try less\n")
    done = operator.run("status", "--check", "brvo")
    assert (done.code, done.err) == (
        5,
        "hotline: there is no line brvo\nhint: see: hotline peer list\n",
    )


def test_peer_add_leaves_a_configuration_it_cannot_extend(operator: Operator) -> None:
    """Lines written as an inline array cannot be appended to; the file must stay as it was."""
    path = operator.folder / "hotline.toml"
    path.write_text("line = []\n" + path.read_text().split("# The station bravo")[0])
    before = files(operator.folder)
    done = operator.run("peer", "add", "peer/bravo.card")
    assert (done.code, files(operator.folder)) == (2, before)
    assert "by hand" in done.err


def test_peer_add_keeps_the_file_s_mode(operator: Operator) -> None:
    """An operator who closed the file to others did so for a reason."""
    path = operator.folder / "hotline.toml"
    path.chmod(0o600)
    path.write_text(path.read_text().rstrip("\n"))
    assert operator.run("init", "charlie", "--dir", "c").code == 0
    assert operator.run("peer", "add", "c/charlie.card").code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [line.name for line in load(path).lines] == ["bravo", "charlie"]


def waits_for_a_lock(pid: int) -> bool:
    """Tell whether a process stands before a lock that another one has (proc(5), locks)."""
    rows = [row.split() for row in Path("/proc/locks").read_text().splitlines()]
    return any(row[1] == "->" and row[5] == str(pid) for row in rows)


@pytest.mark.parametrize(
    ("card", "code", "lines"),
    [("c/charlie.card", 5, ["bravo", "north"]), ("d/delta.card", 0, ["bravo", "north", "south"])],
)
def test_two_who_add_at_once_add_one_after_the_other(
    operator: Operator, daemon: FakeDaemon, card: str, code: int, lines: list[str]
) -> None:
    """One card under two names would be refused by the daemon; a line that is gone, by nobody."""
    for name in ("charlie", "delta"):
        assert operator.run("init", name, "--dir", name[0]).code == 0
    others: list[subprocess.Popen[bytes]] = []

    def trust(_params: Params, _connection: Connection) -> Params:
        if not others:  # asked by the first: it has read the configuration, and has not written it
            other = operator.start("peer", "add", card, "--name", "south")
            others.append(other)
            until(
                "the second one comes to where the first one is, or waits",
                lambda: waits_for_a_lock(other.pid) or len(daemon.params("trust")) > 1,
            )
        return {"revoked_at": None, "revoked_by": None}

    daemon.on("trust", trust)
    first = operator.run("peer", "add", "c/charlie.card", "--name", "north")
    _, told = others[0].communicate(timeout=60)
    assert (first.code, others[0].returncode) == (0, code), told
    assert [line.name for line in load(operator.folder / "hotline.toml").lines] == lines


def test_a_peer_of_this_stations_name_needs_another_name(operator: Operator, folder: Path) -> None:
    """Its card would be kept where this station's own lies: nobody is told to move that away."""
    assert operator.run("init", "alpha", "--dir", "namesake").code == 0
    before = (folder / "alpha.card").read_bytes()
    done = operator.run("peer", "add", "namesake/alpha.card")
    assert done.code == 5
    assert done.err.endswith("is this station's own card\nhint: choose another --name\n")
    assert operator.run("peer", "add", "namesake/alpha.card", "--name", "namesake").code == 0
    assert (folder / "alpha.card").read_bytes() == before


def synced(monkeypatch: pytest.MonkeyPatch, config: Path) -> list[tuple[Path, str]]:
    """Give what the command makes durable, in order: each path, and what config says by then."""
    seen: list[tuple[Path, str]] = []
    watch_syncs(
        monkeypatch,
        lambda path: seen.append((path, config.read_text() if config.exists() else "")),
    )
    return seen


def test_the_folders_that_init_makes_are_durable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was synced in a folder whose name was not is gone after a power cut."""
    config = folder / "a" / "b" / "hotline.toml"
    seen = synced(monkeypatch, config)
    assert main(["init", "north", "--dir", str(config.parent)]) == 0
    assert {path for path, _ in seen} >= {folder, folder / "a", folder / "a" / "b"}
    assert seen[-1] == (config.parent, config.read_text())


def test_a_line_that_was_added_is_durable(
    folder: Path, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator who was told to start the daemon starts it with the line, even after a power cut."""
    assert operator.run("init", "cairo", "--dir", "other").code == 0
    monkeypatch.chdir(folder)
    seen = synced(monkeypatch, folder / "hotline.toml")
    assert main(["peer", "add", "other/cairo.card"]) == 0
    path, said = seen[-1]
    assert (path, 'name = "cairo"' in said) == (folder, True)
