"""One module per verb; each has ``run(args)``, which gives the exit code."""
