"""What to do next: the line's state machines. Time and randomness come in, effects go out.

Every public method that depends on time takes a Moment; nothing here reads a clock, draws a random
number, opens a socket or starts a thread. That is what lets the same code run under a daemon and
under a simulator with a virtual clock.
"""
