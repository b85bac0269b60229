"""Stations for a test of its own, and one pair that many gentle tests share."""

from support.station_fixtures import pair, shared_stations, stations

__all__ = ["pair", "shared_stations", "stations"]
