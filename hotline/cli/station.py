"""Which station an operator means: its configuration file, and from there its daemon."""

from __future__ import annotations

import os
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hotline.cli.exits import UnreachableError
from hotline.errors import ConfigError, RefusedError

if TYPE_CHECKING:
    import argparse

    from hotline.cli.client import Client
    from hotline.daemon.config import LineConfig, StationConfig

DEFAULT_CONFIG: Final = "hotline.toml"

SIGHUP: Final = "systemctl reload hotline, or kill -HUP PID"
"""How a daemon is told to read its configuration again."""


def config_path(args: argparse.Namespace) -> Path:
    """Give the configuration file: ``--config``, else HOTLINE_CONFIG, else ./hotline.toml."""
    given = named_config(args)
    if given is not None:
        return given
    if not Path(DEFAULT_CONFIG).exists():
        raise ConfigError(
            f"no configuration file: there is no {DEFAULT_CONFIG} here",
            hint="pass --config FILE, set HOTLINE_CONFIG, or make a station: hotline init NAME",
        )
    return Path(DEFAULT_CONFIG)


def named_config(args: argparse.Namespace) -> Path | None:
    """Give the configuration file that --config or HOTLINE_CONFIG names, if one does."""
    given = typed_config(args) or os.environ.get("HOTLINE_CONFIG")
    return Path(given) if given else None


def typed_config(args: argparse.Namespace) -> str | None:
    """Give what --config names: every further command has to name it again."""
    given: str | None = getattr(args, "config", None)
    return given


def load(args: argparse.Namespace) -> StationConfig:
    """Read the station's configuration; raises ConfigError."""
    from hotline.daemon import config

    return config.load(config_path(args))


def line_of(config: StationConfig, name: str) -> LineConfig:
    """Give the line of this name; raises RefusedError if there is none."""
    line = next((line for line in config.lines if line.name == name), None)
    if line is None:
        raise unknown_line(name)
    return line


def unknown_line(name: str) -> RefusedError:
    """Say that there is no line of this name."""
    return RefusedError("unknown-line", f"there is no line {name}", hint="see: hotline peer list")


def unknown_to_daemon(config: StationConfig, name: str) -> RefusedError | None:
    """Say that the daemon has not taken up a line that stands in the configuration; None for others."""
    if all(line.name != name for line in config.lines):
        return None
    return RefusedError(
        "unknown-line",
        f"the daemon has not taken up line {name} yet",
        hint=f"send it SIGHUP: {SIGHUP}; its log tells if it cannot",
    )


def connect(args: argparse.Namespace) -> Client:
    """Reach the station's daemon; raises ConfigError or UnreachableError."""
    from hotline.cli.client import Client

    config = load(args)
    client = Client.connect(
        config.control_path, hint=f"start it with: {command('run', config_path(args))}"
    )
    client.explain = partial(_explained, config, getattr(args, "line", None))
    return client


def _explained(config: StationConfig, name: str | None, refused: RefusedError) -> RefusedError:
    """Tell a line that was added beside a running daemon from one that was mistyped."""
    if refused.code != "unknown-line" or name is None:
        return refused
    return unknown_to_daemon(config, name) or refused


def is_daemon_there(args: argparse.Namespace) -> bool:
    """Tell whether a daemon answers; raises ConfigError."""
    try:
        connect(args).close()
    except UnreachableError:
        return False
    return True


def command(verb: str, config: Path | str | None) -> str:
    """Give a command for an operator to type; config is the file to be named, if one must be."""
    named = "" if config is None else f"--config {shlex.quote(str(config))} "
    return f"hotline {named}{verb}"


def selection(args: argparse.Namespace) -> dict[str, str]:
    """Give the params that say which message an operator means: ``--line`` only where given."""
    return {"id": args.id} if args.line is None else {"id": args.id, "line": args.line}
