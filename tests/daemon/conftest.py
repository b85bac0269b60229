"""A station at home."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Give the files of four stations, of which alpha is run."""
    return Home(tmp_path)
