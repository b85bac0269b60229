"""Bytes to values and back: units, records, frames, entries, heads. No state but a stream's place."""
