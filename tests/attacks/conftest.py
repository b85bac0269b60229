"""Worlds in which one station is a rogue."""

from support.line_fixtures import make_world, rogue, world

__all__ = ["make_world", "rogue", "world"]
