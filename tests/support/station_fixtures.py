"""Real stations as fixtures: for a test of its own, and one pair that many gentle tests share."""

from collections.abc import Iterator

import pytest

from support.stations import Station, Stations, start, stations_at_work


@pytest.fixture
def stations() -> Iterator[Stations]:
    """Give a maker of stations."""
    with stations_at_work() as made:
        yield made


@pytest.fixture(scope="session")
def shared_stations() -> Iterator[Stations]:
    """Make the pair that tests share; nobody may stop it."""
    with stations_at_work() as made:
        made.running_pair()
        yield made


@pytest.fixture
def pair(shared_stations: Stations) -> Iterator[tuple[Station, Station]]:
    """Give alpha and bravo, whose line is up and has been used before: ids must be a test's own."""
    alpha, bravo = shared_stations.all
    for station in (alpha, bravo):
        if not station.running.alive:
            start(station)
    alpha.up("bravo")
    bravo.up("alpha")
    yield alpha, bravo
    shared_stations.show_logs()
