"""Worlds for the tests of lines."""

from support.line_fixtures import agreed, apart, make_world, rogue, world

__all__ = ["agreed", "apart", "make_world", "rogue", "world"]
