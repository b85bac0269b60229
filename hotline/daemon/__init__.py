"""The daemon: the only place with sockets, clocks, threads and trio. It decides nothing.

Nothing is imported here, because client verbs read the configuration from this package.
"""
