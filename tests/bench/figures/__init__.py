"""All measurements: importing this enters each under its name."""

from typing import Final

from bench.figures import (
    drain,
    flash,
    handshake,
    idle,
    latency,
    lines,
    memory,
    sizes,
    slow_link,
    stages,
    stored,
    strangers,
    throughput,
    verbs,
)

ORDER: Final = (
    "latency",
    "throughput",
    "drain",
    "flash",
    "slow-link",
    "memory-queued",
    "memory-moving",
    "stored",
    "handshake",
    "idle",
    "lines",
    "strangers",
    "verbs",
    "stages",
    "sizes",
)
"""Of the table."""

__all__ = [
    "ORDER",
    "drain",
    "flash",
    "handshake",
    "idle",
    "latency",
    "lines",
    "memory",
    "sizes",
    "slow_link",
    "stages",
    "stored",
    "strangers",
    "throughput",
    "verbs",
]
