"""Worlds in which one station is a rogue, and real stations."""

from support.line_fixtures import agreed, make_world, rogue, world
from support.station_fixtures import pair, shared_stations, stations

__all__ = ["agreed", "make_world", "pair", "rogue", "shared_stations", "stations", "world"]
