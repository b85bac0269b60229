"""The configuration file: what it may say, and what is said of everything else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline import limits
from hotline.daemon.config import CONFIG_BYTES, Address, LogConfig, StationConfig, load
from hotline.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]

STATION = """
[station]
name = "alpha"
key = "alpha.key"
card = "alpha.card"
state = "state"
"""
LINE = """
[[line]]
name = "bravo"
card = "bravo.card"
"""


def write(folder: Path, text: str | bytes) -> Path:
    """Make a configuration file."""
    path = folder / "hotline.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(folder: Path, text: str | bytes) -> ConfigError:
    """Give the error with which a file is refused, after checking the form of its words."""
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    assert not message.endswith(".")
    assert caught.value.hint
    return caught.value


# --- what is accepted -----------------------------------------------------------------------------


def test_every_key_arrives(tmp_path: Path) -> None:
    """A value that lands in the wrong field would be obeyed without a word."""
    text = f"""
    {STATION}
    listen = ["127.0.0.1:1963", "[::1]:1964"]
    [log]
    rotate_bytes = 100000
    keep = 3
    {LINE}
    addresses = ["198.51.100.7:2000", "bravo.example"]
    heartbeat_s = 2
    secret = "/var/lib/bravo.secret"
    queue_messages = 10
    queue_bytes = 2000000
    """
    config = load(str(write(tmp_path, text)))
    assert (config.path, config.name) == (tmp_path / "hotline.toml", "alpha")
    assert (config.key, config.card) == (tmp_path / "alpha.key", tmp_path / "alpha.card")
    assert config.listen == (Address("127.0.0.1", 1963), Address("::1", 1964))
    assert config.log == LogConfig(rotate_bytes=100000, keep=3)
    (line,) = config.lines
    assert (line.name, line.card) == ("bravo", tmp_path / "bravo.card")
    assert line.addresses == (Address("198.51.100.7", 2000), Address("bravo.example", 1963))
    assert line.heartbeat_s == 2.0
    assert isinstance(line.heartbeat_s, float)
    assert line.secret == Path("/var/lib/bravo.secret")
    assert (line.queue_messages, line.queue_bytes) == (10, 2000000)


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    """The smallest file must give a station that works, with the bounds that the docs name."""
    config = load(write(tmp_path, STATION + LINE))
    assert (config.listen, config.log) == ((), LogConfig(64 * limits.MIB, 8))
    (line,) = config.lines
    assert (line.addresses, line.secret, line.heartbeat_s) == ((), None, 5.0)
    assert (line.queue_messages, line.queue_bytes) == (1_000_000, 4096 * limits.MIB)
    assert load(write(tmp_path, STATION)).lines == ()


def test_state_files_have_fixed_names(tmp_path: Path) -> None:
    """Daemon and client verbs must look for the socket and the logs in the same place."""
    config = load(write(tmp_path, STATION))
    state = tmp_path / "state"
    assert config.store_path == state / "store.db"
    assert config.control_path == state / "control.sock"
    assert config.daemon_log == state / "daemon.jsonl"
    assert config.heartbeat_log == state / "heartbeat.jsonl"


def test_paths_start_at_the_file_not_at_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verb run from another folder, or a daemon that changes its own, would miss the keys."""
    write(tmp_path, STATION)
    monkeypatch.chdir(tmp_path.parent)
    config = load(Path(tmp_path.name) / "hotline.toml")
    monkeypatch.chdir("/")
    assert config.key == tmp_path / "alpha.key"


@pytest.mark.parametrize(("name", "peer"), [("alpha", "bravo"), ("bravo", "alpha")])
def test_the_demo_stations_fit_each_other(name: str, peer: str) -> None:
    """The committed files are the first that a newcomer runs."""
    ours, theirs = (load(ROOT / "config" / f"{each}.toml") for each in (name, peer))
    assert isinstance(ours, StationConfig)
    (line,) = ours.lines
    assert (ours.name, line.name) == (name, peer)
    assert line.addresses == theirs.listen
    assert line.card.resolve() == theirs.card.resolve()
    assert ours.key.resolve() == ROOT / "keys" / f"{name}.key"
    assert ours.state.resolve() == ROOT / "state" / name


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        (STATION + 'nmae = "x"', "station.nmae", "station.name"),
        (STATION + "[log]\nrotate = 1", "log.rotate", "log.rotate_bytes"),
        (STATION + LINE + "heartbeats = 1", "line.bravo.heartbeats", "line.bravo.heartbeat_s"),
        (STATION + "[[lines]]", "lines", "line"),
        (STATION + '[[line]]\nnane = "bravo"', "line[1].nane", "line[1].name"),
        (STATION + '["sta\\ntion\\u202e"]', "'sta\\ntion\\u202e'", "station"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(
    tmp_path: Path, text: str, key: str, nearest: str
) -> None:
    """A misspelt bound that silently does nothing is found on the worst day."""
    error = refused(tmp_path, text)
    assert str(error).endswith(f": {key} is not known")
    assert error.hint == f"the nearest known key is {nearest}"


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        ("verify_days = 3" + STATION, "verify_days", "it belongs under [station]"),
        ("keep = 3" + STATION, "keep", "it belongs under [log]"),
        (STATION + "heartbeat_s = 3", "station.heartbeat_s", "it belongs under [[line]]"),
        (STATION + LINE + "listen = []", "line.bravo.listen", "it belongs under [station]"),
        ('card = "a.card"' + STATION, "card", "it belongs under [station] or [[line]]"),
        ("bogus = 3" + STATION, "bogus", "known here: station, log, line"),
        (STATION + "[log]\nbogus = 1", "log.bogus", "known here: rotate_bytes, keep"),
        (STATION + '[""]', "''", "known here: station, log, line"),
    ],
)
def test_an_unknown_key_is_told_where_it_belongs(
    tmp_path: Path, text: str, key: str, hint: str
) -> None:
    """A key in the wrong table is spelled rightly; what is near to nothing has no nearest."""
    error = refused(tmp_path, text)
    assert (str(error).endswith(f": {key} is not known"), error.hint) == (True, hint)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "station is missing"),
        ('station = "alpha"', "station is text, not a table"),
        ("[[station]]", "station is a list, not a table"),
        ("log = 5" + STATION, "log is an integer, not a table"),
        ("line = {}" + STATION, "line is a table, not a list"),
        ("line = [1.5]" + STATION, "line[1] is a number, not a table"),
        (STATION.replace('name = "alpha"', ""), "station.name is missing"),
        (STATION.replace('"alpha"', "true"), "station.name is a truth value, not text"),
        (STATION.replace('"alpha"', '"Alpha"'), "station.name is 'Alpha', not a name"),
        (STATION.replace('"alpha"', '"a\\n"'), "station.name is 'a\\n', not a name"),
        (STATION.replace('"alpha.key"', '""'), "station.key is empty"),
        (STATION.replace('"alpha.key"', '"a\\u0000b"'), "station.key holds a NUL"),
        (STATION.replace('"alpha.key"', "1979-05-27"), "station.key is a date or time, not text"),
        (STATION + 'listen = "127.0.0.1"', "station.listen is text, not a list"),
        (STATION + "listen = [1963]", "station.listen is an integer, not text"),
        (STATION + 'listen = [":1963"]', "station.listen holds ':1963': '' is not a host"),
        (
            STATION + 'listen = ["a:0"]',
            "station.listen holds 'a:0': port 0 is outside 1..65535",
        ),
        (
            STATION + 'listen = ["::1:1963"]',
            "station.listen holds '::1:1963': '::1:1963' is not an address",
        ),
        (STATION + 'listen = ["a", "a:1963"]', "station.listen holds a:1963 twice"),
        (STATION + "[log]\nkeep = 0", "log.keep is outside 1..1000"),
        (STATION + "[log]\nkeep = true", "log.keep is a truth value, not an integer"),
        (STATION + "[log]\nrotate_bytes = 1.5", "log.rotate_bytes is a number, not an integer"),
        (STATION + LINE + "heartbeat_s = 61", "line.bravo.heartbeat_s is outside 0.05..60.0"),
        (STATION + LINE + "heartbeat_s = nan", "line.bravo.heartbeat_s is outside 0.05..60.0"),
        (STATION + LINE + "heartbeat_s = true", "line.bravo.heartbeat_s is a truth value, not a"),
        (STATION + LINE + "secret = []", "line.bravo.secret is a list, not text"),
        (STATION + LINE + "queue_messages = 0", "line.bravo.queue_messages is outside 1.."),
        (STATION + LINE + "queue_bytes = 1000", "line.bravo.queue_bytes is outside 1050624.."),
        (STATION + LINE + LINE, "line[2].name is 'bravo', which another line has"),
        (STATION.replace('"state"', f'"{"s" * 100}"'), "station.state makes the control socket's"),
    ],
)
def test_a_wrong_value_is_refused_by_its_full_name(tmp_path: Path, text: str, told: str) -> None:
    """An operator with three lines must know which key of which table is meant."""
    assert str(refused(tmp_path, text)).partition(": ")[2].startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"[station]\nname = \xff", "not UTF-8 at byte 17"),
        (b"#" * (CONFIG_BYTES + 1), f"longer than {CONFIG_BYTES} bytes"),
        (b"[station", "not TOML: "),
        (b'[station]\n"\\u001b[2J" = 1\n"\\u001b[2J" = 2', "not TOML: "),
        (b"a = " + b"9" * 5000, "not TOML: a value beyond all bounds"),
        (b"a = " + b"[" * 100_000, "not TOML: a value beyond all bounds"),
    ],
)
def test_what_is_not_toml_is_refused(tmp_path: Path, text: bytes, told: str) -> None:
    """The wrong file must give one line for the operator, never a traceback or its own bytes."""
    assert str(refused(tmp_path, text)).partition(": ")[2].startswith(told)


def test_the_longest_file_is_read(tmp_path: Path) -> None:
    """The bound is inclusive."""
    text = STATION + "#" * (CONFIG_BYTES - len(STATION))
    assert load(write(tmp_path, text)).name == "alpha"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("missing.toml", "no such file"),
        (".", "cannot be read: is a directory"),
        ("a/\0b", "cannot be read: not a path"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, told: str) -> None:
    """The first mistake of all is a wrong --config."""
    with pytest.raises(ConfigError, match=told) as caught:
        load(tmp_path / name)
    assert caught.value.hint
    assert str(caught.value).isprintable()


# --- addresses ------------------------------------------------------------------------------------

hosts = st.one_of(
    st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9_-]{1,63}){0,2}", fullmatch=True),
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map(lambda address: f"{address}%eth0"),
)


@given(hosts, st.integers(1, 65535))
def test_an_address_round_trips(host: str, port: int) -> None:
    """An address shown by status must be one that a configuration file takes."""
    address = Address(host, port)
    assert Address.parse(str(address)) == address


@given(st.text() | st.from_regex(r"[\[\]a:.%0-9]{0,12}", fullmatch=True))
def test_any_text_is_an_address_or_a_config_error(text: str) -> None:
    """No text of an operator's may end in a traceback."""
    try:
        address = Address.parse(text)
    except ConfigError as error:
        told = f"{error} {error.hint}"
    else:
        told = str(address)
        assert Address.parse(told) == address
    assert told.isprintable()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("bravo.example", Address("bravo.example", 1963)),
        ("198.51.100.7:7", Address("198.51.100.7", 7)),
        ("[::]", Address("::", 1963)),
        ("[fe80::1%eth0]:65535", Address("fe80::1%eth0", 65535)),
    ],
)
def test_addresses_are_read(text: str, address: Address) -> None:
    """Each form that the docs show."""
    assert Address.parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", ":1", "a:", "a:b", "a:0", "a:65536", "a:-1", "a:\uff11", "a: 1", "a b:1", "a:1:2"),
        *("[]", "[]:1", "[::1", "[::1]1", "[::1]:", "[a]:1", "[127.0.0.1]:1", "::1"),
        *("[::1%]:1", "[::1%\n]", "[1::2::3]:1", "-a:1", "a\0:1", "a\n", "\xe4:1", "a" * 254),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """A guess at what was meant would be dialled, with the station's name on it."""
    with pytest.raises(ConfigError):
        Address.parse(text)


# --- an operator waits for no import --------------------------------------------------------------


def test_loading_loads_nothing_heavy() -> None:
    """Every client verb reads the configuration; one careless import slows all of them."""
    heavy = ("trio", "structlog", "cryptography", "apsw", "difflib", "asyncio")
    program = f"""
import sys
from hotline.daemon.config import load
load({str(ROOT / "config" / "alpha.toml")!r})
print(*(name for name in {heavy} if name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == []
