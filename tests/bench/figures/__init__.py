"""All measurements, in the order of the table: importing this enters each under its name."""

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
    stored,
    throughput,
    verbs,
)

__all__ = [
    "drain",
    "flash",
    "handshake",
    "idle",
    "latency",
    "lines",
    "memory",
    "sizes",
    "slow_link",
    "stored",
    "throughput",
    "verbs",
]
