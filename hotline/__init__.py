"""Hotline: one truthful line between two stations that do not trust each other.

The package refuses to have: groups, relays, remote execution, plugins, cipher negotiation, a key
directory, and deniability. Nothing is imported here, so that an operator's command starts quickly.
"""

__version__ = "0.1.0"
