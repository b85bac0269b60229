"""What is made durable, as it happens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def watch_syncs(monkeypatch: pytest.MonkeyPatch, note: Callable[[Path], None]) -> None:
    """Have note called with each path that this process has synced."""
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        sync(descriptor)
        note(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", fsync)
