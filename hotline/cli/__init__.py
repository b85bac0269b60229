"""The operator's verbs: each is asked, checks, speaks to the daemon, and says what came of it."""
