"""What a third person can check: whole logs, runs of them, and the proof of one message.

Checking needs the two cards and nothing else: no store, no secret key, no configuration, no daemon.
"""
