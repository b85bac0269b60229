"""Two stations with fixed keys, so that a failure repeats."""

import pytest

from hotline.identity import Card, SecretKeys


@pytest.fixture(scope="session")
def keys() -> SecretKeys:
    """Give north's secret keys; its seeds are 32 times 1, 2 and 3."""
    return SecretKeys.from_seeds(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32)


@pytest.fixture(scope="session")
def card(keys: SecretKeys) -> Card:
    """Give north's card."""
    return Card.make("north", keys, 1_700_000_000_000_000_000)


@pytest.fixture(scope="session")
def other_keys() -> SecretKeys:
    """Give south's secret keys; its seeds are 32 times 4, 5 and 6."""
    return SecretKeys.from_seeds(b"\x04" * 32, b"\x05" * 32, b"\x06" * 32)


@pytest.fixture(scope="session")
def other_card(other_keys: SecretKeys) -> Card:
    """Give south's card."""
    return Card.make("south", other_keys, 1_700_000_000_000_000_001)
