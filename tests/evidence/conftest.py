"""One line with something to prove; nobody may change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.evidence_case import Case

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """Give the line."""
    made = Case(tmp_path_factory.mktemp("evidence"))
    yield made
    made.close()
