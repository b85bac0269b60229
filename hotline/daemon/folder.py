"""The state folder: where store, logs and control socket lie, for one user only."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from hotline.errors import ConfigError
from hotline.text import reason

if TYPE_CHECKING:
    from pathlib import Path

    from hotline.daemon.config import StationConfig


def state_folder(config: StationConfig) -> Path:
    """Make the state folder, for this user only, and give it; raises ConfigError if it is open."""
    try:
        _make(config.state)
        found = config.state.stat()
    except OSError as error:
        raise ConfigError(f"cannot make the state folder {config.state}: {reason(error)}") from None
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise ConfigError(
            f"state folder {config.state} is open to others than this user",
            hint=f"chmod 700 {config.state}, and look who has been there",
        )
    return config.state


def _make(folder: Path) -> None:
    """Make a folder, with those above it, and its name durable: a store syncs only what is inside.

    Those above are private too: one of them may be the state folder of another station.
    """
    above = folder.parent
    if not above.exists():
        _make(above)
    folder.mkdir(mode=0o700, exist_ok=True)
    # Also where it is there: who made it may have died before this. (It may be in a closed one.)
    with suppress(PermissionError):
        descriptor = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def has_store(config: StationConfig) -> bool:
    """Tell whether there is a store; raises ConfigError if this user may not look at it."""
    path = config.store_path
    try:
        path.stat()
        allowed = os.access(path, os.R_OK, effective_ids=True)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        allowed = False
    if not allowed:
        raise ConfigError(
            f"not allowed to read {path}", hint="run this as the user who runs the daemon"
        )
    return True
