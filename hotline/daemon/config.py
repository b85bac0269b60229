"""One station's configuration file: TOML in, checked values out.

Client verbs load it too, and an operator waits for no import: nothing here but quick modules of the
standard library. A key that is not known is an error, because a misspelt bound that silently does
nothing is worse than a station that does not start.
"""

from __future__ import annotations

import os
import re
import socket
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hotline import limits
from hotline.errors import ConfigError
from hotline.model import NAME_RULE
from hotline.text import reason

if TYPE_CHECKING:
    from collections.abc import Collection

CONFIG_BYTES: Final = limits.MIB
"""A configuration file: more than anyone writes by hand."""

ROTATE_BYTES: Final = 64 * limits.MIB
ROTATE_MIN_BYTES: Final = 64 * limits.KIB
"""Room for the longest log line, so that rotation always makes progress."""
ROTATE_MAX_BYTES: Final = 2**40
KEEP: Final = 8
KEEP_MAX: Final = 1000

DAYS_MAX: Final = 36500

QUEUE_MESSAGES_MAX: Final = 10**9
QUEUE_BYTES_MAX: Final = 2**50

SOCKET_PATH_BYTES: Final = 107
"""What sockaddr_un holds on Linux, without its final NUL."""

_PORT_MAX: Final = 65535
_HOST_RULE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}")
_LABEL_CHARACTERS: Final = 63
_SCOPE_RULE: Final = re.compile(r"[A-Za-z0-9._-]{1,15}")
_PORT_RULE: Final = re.compile(r"[0-9]{1,5}")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")

_TABLES: Final = ("station", "log", "line")
_STATION_KEYS: Final = ("name", "key", "card", "state", "listen", "verify_days", "key_days")
_LOG_KEYS: Final = ("rotate_bytes", "keep")
_LINE_KEYS: Final = (
    "name",
    "card",
    "addresses",
    "heartbeat_s",
    "secret",
    "own_card",
    "queue_messages",
    "queue_bytes",
)

_PLACES: Final = {"[station]": _STATION_KEYS, "[log]": _LOG_KEYS, "[[line]]": _LINE_KEYS}

_KINDS: Final[dict[type, str]] = {
    str: "text",
    bool: "a truth value",
    int: "an integer",
    float: "a number",
    list: "a list",
    dict: "a table",
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where to dial or listen: a host name, IPv4 or IPv6 address, and a TCP port.

    Raises ConfigError, which does not name the file, for a host or port that cannot be one.
    """

    host: str
    port: int = limits.DEFAULT_PORT

    def __post_init__(self) -> None:
        if not (_is_ipv6(self.host) if ":" in self.host else _is_name(self.host)):
            raise ConfigError(
                f"{self.host!a} is not a host",
                hint="write a host name, an IPv4 address, or an IPv6 address in brackets",
            )
        if not 1 <= self.port <= _PORT_MAX:
            raise ConfigError(f"port {self.port} is outside 1..{_PORT_MAX}", hint="write HOST:PORT")

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``host``, ``host:port``, ``[v6]`` or ``[v6]:port``; the default port is 1963.

        Raises ConfigError for anything else. An IPv6 address without brackets is refused: nobody
        could say where it ends and its port begins.
        """
        if text.startswith("["):
            host, bracket, port = text[1:].partition("]")
            well_formed = bool(bracket) and ":" in host and (not port or port.startswith(":"))
            colon, port = port[:1], port[1:]
        else:
            host, colon, port = text.partition(":")
            well_formed = ":" not in port
        if not well_formed or (colon and not _PORT_RULE.fullmatch(port)):
            raise ConfigError(
                f"{text!a} is not an address", hint="write HOST:PORT, or [IPV6]:PORT with brackets"
            )
        return cls(host, int(port)) if colon else cls(host)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class LogConfig:
    """How much is kept of each log file: ``keep`` rotated ones of ``rotate_bytes`` each."""

    rotate_bytes: int = ROTATE_BYTES
    keep: int = KEEP


@dataclass(frozen=True, slots=True)
class LineConfig:
    """The pairing with one peer; ``addresses`` are tried in order, none means listen only."""

    name: str
    card: Path
    addresses: tuple[Address, ...] = ()
    heartbeat_s: float = limits.HEARTBEAT_S
    secret: Path | None = None
    own_card: Path | None = None
    """The card of this station that the peer has pinned, where it is not the station's first."""
    queue_messages: int = limits.QUEUE_MESSAGES
    queue_bytes: int = limits.QUEUE_BYTES

    @property
    def to_dial(self) -> list[str]:
        """Give the addresses as a line knows them: HOST:PORT."""
        return [str(address) for address in self.addresses]


@dataclass(frozen=True, slots=True)
class StationConfig:
    """A whole checked configuration; every path is absolute, ``path`` is the file it came from."""

    path: Path
    name: str
    key: Path
    card: Path
    state: Path
    listen: tuple[Address, ...] = ()
    lines: tuple[LineConfig, ...] = ()
    log: LogConfig = LogConfig()
    verify_days: int = limits.VERIFY_DAYS
    key_days: int = limits.KEY_DAYS

    def own_card(self, line: LineConfig) -> Path:
        """The card of this station under which a line was founded."""
        return line.own_card or self.card

    @property
    def store_path(self) -> Path:
        """The database."""
        return self.state / "store.db"

    @property
    def control_path(self) -> Path:
        """The Unix socket on which the daemon answers operators."""
        return self.state / "control.sock"

    @property
    def daemon_log(self) -> Path:
        """The log of what the daemon did."""
        return self.state / "daemon.jsonl"

    @property
    def heartbeat_log(self) -> Path:
        """The log of heartbeats alone."""
        return self.state / "heartbeat.jsonl"


def load(path: str | Path) -> StationConfig:
    """Read and check the configuration file at path; relative paths in it start at its folder.

    Raises ConfigError, naming file and key, for everything that is wrong; the first fault is told.
    Files that it names are not opened.
    """
    file = Path(path).absolute()
    top = _Table(file, "", _parse(file, _read(file)), _TABLES)
    station = _Table(file, "station", top.require("station"), _STATION_KEYS)
    log = _Table(file, "log", top.get("log", {}), _LOG_KEYS)
    config = StationConfig(
        path=file,
        name=station.name("name"),
        key=station.path("key"),
        card=station.path("card"),
        state=station.path("state"),
        listen=station.addresses("listen"),
        lines=_lines(file, top),
        log=LogConfig(
            log.integer("rotate_bytes", ROTATE_MIN_BYTES, ROTATE_MAX_BYTES, ROTATE_BYTES),
            log.integer("keep", 1, KEEP_MAX, KEEP),
        ),
        verify_days=station.integer("verify_days", 1, DAYS_MAX, limits.VERIFY_DAYS),
        key_days=station.integer("key_days", 1, DAYS_MAX, limits.KEY_DAYS),
    )
    if (size := len(os.fsencode(config.control_path))) > SOCKET_PATH_BYTES:
        raise station.fault(
            "state",
            f"makes the control socket's path {size} bytes long, over {SOCKET_PATH_BYTES}",
            hint="choose a folder with a shorter path",
        )
    return config


def _is_name(host: str) -> bool:
    """Tell whether host is an IPv4 address or a name of labels that DNS can hold (RFC 1035, 2.3.4)."""
    labels = host.removesuffix(".").split(".")
    return _HOST_RULE.fullmatch(host) is not None and all(
        1 <= len(label) <= _LABEL_CHARACTERS for label in labels
    )


def _is_ipv6(host: str) -> bool:
    address, percent, scope = host.partition("%")
    try:
        socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError):
        return False
    return not percent or _SCOPE_RULE.fullmatch(scope) is not None


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(CONFIG_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"{file}: no such file", hint="make a station with hotline init, or give --config FILE"
        ) from None
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else "not a path"
        raise ConfigError(
            f"{str(file)!a}: cannot be read: {why}",
            hint="give --config a file that this user may read",
        ) from None
    if len(data) > CONFIG_BYTES:
        raise ConfigError(
            f"{file}: longer than {CONFIG_BYTES} bytes", hint="is it a configuration file?"
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{file}: not UTF-8 at byte {error.start}", hint="save the file as UTF-8 text"
        ) from None


def _parse(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # A bare ValueError is an integer of thousands of digits, RecursionError nested brackets.
        known = isinstance(error, tomllib.TOMLDecodeError)
        fault = ascii(str(error))[1:-1] if known else "a value beyond all bounds"
        raise ConfigError(
            f"{file}: not TOML: {fault[:1].lower()}{fault[1:]}",
            hint="texts are quoted, tables are [station], [log] and [[line]]",
        ) from None


def _lines(file: Path, top: _Table) -> tuple[LineConfig, ...]:
    lines: dict[str, LineConfig] = {}
    for number, values in enumerate(top.array("line"), start=1):
        table = _Table(file, _line_label(values, number), values, _LINE_KEYS)
        line = _line(table)
        if line.name in lines:
            raise ConfigError(
                f"{file}: line[{number}].name is {line.name!a}, which another line has",
                hint="give every [[line]] a name of its own",
            )
        lines[line.name] = line
    return tuple(lines.values())


def _line_label(values: object, number: int) -> str:
    """Call a line by its name where it has one: operators do not count tables."""
    name = values.get("name") if isinstance(values, dict) else None
    named = isinstance(name, str) and NAME_RULE.fullmatch(name)
    return f"line.{name}" if named else f"line[{number}]"


def _line(table: _Table) -> LineConfig:
    return LineConfig(
        name=table.name("name"),
        card=table.path("card"),
        addresses=table.addresses("addresses"),
        heartbeat_s=table.number(
            "heartbeat_s", limits.HEARTBEAT_MIN_S, limits.HEARTBEAT_MAX_S, limits.HEARTBEAT_S
        ),
        secret=table.path("secret") if table.get("secret") is not None else None,
        own_card=table.path("own_card") if table.get("own_card") is not None else None,
        queue_messages=table.integer(
            "queue_messages", 1, QUEUE_MESSAGES_MAX, limits.QUEUE_MESSAGES
        ),
        queue_bytes=table.integer(
            "queue_bytes", limits.MESSAGE_ENCODED_BYTES, QUEUE_BYTES_MAX, limits.QUEUE_BYTES
        ),
    )


class _Table:
    """One table of the file: checked access by key, and faults that name the key in full."""

    def __init__(self, file: Path, name: str, values: object, known: Collection[str]) -> None:
        self._file = file
        self._name = name
        if not isinstance(values, dict):
            raise ConfigError(
                f"{file}: {name} is {_kind(values)}, not a table",
                hint=f"write [[line]] or [station], and under it: {', '.join(known)}",
            )
        self._values: dict[str, Any] = values
        # Before anything else: a misspelt key is better told as such than as the missing right one.
        for key in values:
            if key not in known:
                raise self.fault(key, "is not known", hint=self._where(key, known))

    def fault(self, key: str, what: str, *, hint: str) -> ConfigError:
        """Make the error that says what is wrong with key."""
        return ConfigError(f"{self._file}: {self._full(key)} {what}", hint=hint)

    def get(self, key: str, default: object = None) -> Any:
        """Give a value as TOML has it."""
        return self._values.get(key, default)

    def require(self, key: str) -> Any:
        """Give a value as TOML has it, which must be there."""
        if key not in self._values:
            raise self.fault(key, "is missing", hint=f"add it: {self._example(key)}")
        return self._values[key]

    def array(self, key: str) -> list[Any]:
        """Give a list, or an empty one if there is none."""
        value = self.get(key, [])
        if not isinstance(value, list):
            raise self._wrong_kind(key, value, "a list")
        return value

    def text(self, key: str) -> str:
        """Give a required text without NUL, which is not empty."""
        return self._check_text(key, self.require(key))

    def name(self, key: str) -> str:
        """Give a required name of a station or line."""
        value = self.text(key)
        if not NAME_RULE.fullmatch(value):
            raise self.fault(
                key,
                f"is {value!a}, not a name",
                hint="1 to 32 of a-z, 0-9 and -, starting with a letter or digit",
            )
        return value

    def path(self, key: str) -> Path:
        """Give a required path, absolute."""
        return self._file.parent / self.text(key)

    def integer(self, key: str, low: int, high: int, default: int) -> int:
        """Give an integer of low..high."""
        value = self.get(key, default)
        if type(value) is not int:
            raise self._wrong_kind(key, value, "an integer")
        self._check_range(key, value, low, high)
        return value

    def number(self, key: str, low: float, high: float, default: float) -> float:
        """Give a number of low..high."""
        value = self.get(key, default)
        if type(value) not in (int, float):
            raise self._wrong_kind(key, value, "a number")
        self._check_range(key, value, low, high)
        return float(value)

    def addresses(self, key: str) -> tuple[Address, ...]:
        """Give a list of different addresses, or an empty one."""
        found: list[Address] = []
        for value in self.array(key):
            text = self._check_text(key, value)
            try:
                address = Address.parse(text)
            except ConfigError as error:
                raise self.fault(key, f"holds {text!a}: {error}", hint=error.hint) from None
            if address in found:
                raise self.fault(key, f"holds {address} twice", hint="name each address once")
            found.append(address)
        return tuple(found)

    def _check_text(self, key: str, value: object) -> str:
        if not isinstance(value, str):
            raise self._wrong_kind(key, value, "text")
        if not value or "\0" in value:
            raise self.fault(
                key, "is empty" if not value else "holds a NUL", hint="write a text in quotes"
            )
        return value

    def _check_range(self, key: str, value: float, low: float, high: float) -> None:
        if not low <= value <= high:
            raise self.fault(
                key, f"is outside {low}..{high}", hint=f"choose a value of {low} to {high}"
            )

    def _wrong_kind(self, key: str, value: object, wanted: str) -> ConfigError:
        return self.fault(key, f"is {_kind(value)}, not {wanted}", hint=self._example(key))

    def _where(self, key: str, known: Collection[str]) -> str:
        """Say where a key belongs that is not known here: in another table, or in other letters."""
        if places := [place for place, keys in _PLACES.items() if key in keys]:
            return f"it belongs under {' or '.join(places)}"
        if nearest := _nearest(key, known):
            return f"the nearest known key is {self._full(nearest)}"
        return f"known here: {', '.join(known)}"

    def _full(self, key: str) -> str:
        shown = key if _BARE_KEY.fullmatch(key) else ascii(key)
        return f"{self._name}.{shown}" if self._name else shown

    @staticmethod
    def _example(key: str) -> str:
        return _EXAMPLES.get(key, f'{key} = "..."')


_EXAMPLES: Final = {
    "station": "a table [station] with name, key, card and state",
    "line": "one table [[line]] for each peer",
    "name": 'name = "alpha"',
    "listen": f'listen = ["127.0.0.1:{limits.DEFAULT_PORT}"]',
    "addresses": f'addresses = ["198.51.100.7:{limits.DEFAULT_PORT}"]',
    "verify_days": f"verify_days = {limits.VERIFY_DAYS}",
    "key_days": f"key_days = {limits.KEY_DAYS}",
    "heartbeat_s": f"heartbeat_s = {limits.HEARTBEAT_S}",
    "queue_messages": f"queue_messages = {limits.QUEUE_MESSAGES}",
    "queue_bytes": f"queue_bytes = {limits.QUEUE_BYTES}",
    "rotate_bytes": f"rotate_bytes = {ROTATE_BYTES}",
    "keep": f"keep = {KEEP}",
}


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a date or time")


def _nearest(key: str, known: Collection[str]) -> str | None:
    # Imported where it is needed: difflib costs every verb a millisecond, a misspelling is rare.
    from difflib import get_close_matches  # noqa: PLC0415

    return next(iter(get_close_matches(key, known, n=1)), None)
