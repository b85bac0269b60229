"""The state folder: where store, logs and control socket lie, for one user only."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from hotline.errors import ConfigError
from hotline.identity.files import make_folder
from hotline.text import reason

if TYPE_CHECKING:
    from pathlib import Path

    from hotline.daemon.config import StationConfig


def state_folder(config: StationConfig) -> Path:
    """Make the state folder, for this user only, and give it; raises ConfigError if it is open."""
    try:
        make_folder(config.state)
        found = config.state.stat()
    except OSError as error:
        raise ConfigError(f"cannot make the state folder {config.state}: {reason(error)}") from None
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise ConfigError(
            f"state folder {config.state} is open to others than this user",
            hint=f"chmod 700 {config.state}, and look who has been there",
        )
    return config.state


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
