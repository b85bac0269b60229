"""Worlds for the tests of lines."""

from support.line_fixtures import make_world, rogue, world

__all__ = ["make_world", "rogue", "world"]
