"""Which station an operator means: its configuration file, and from there its daemon."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hotline.errors import ConfigError, RefusedError

if TYPE_CHECKING:
    import argparse

    from hotline.cli.client import Client
    from hotline.daemon.config import LineConfig, StationConfig

DEFAULT_CONFIG: Final = "hotline.toml"


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
    given = getattr(args, "config", None) or os.environ.get("HOTLINE_CONFIG")
    return Path(given) if given else None


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


def connect(args: argparse.Namespace) -> Client:
    """Reach the station's daemon; raises ConfigError or UnreachableError."""
    from hotline.cli.client import Client

    path = config_path(args)
    return Client.connect(
        load(args).control_path,
        hint=f"start it with: hotline --config {shlex.quote(str(path))} run",
    )


def selection(args: argparse.Namespace) -> dict[str, str]:
    """Give the params that say which message an operator means: ``--line`` only where given."""
    return {"id": args.id} if args.line is None else {"id": args.id, "line": args.line}
