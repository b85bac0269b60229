"""Worlds for the tests of lines."""

from support.line_fixtures import apart, make_world, rogue, world

__all__ = ["apart", "make_world", "rogue", "world"]
