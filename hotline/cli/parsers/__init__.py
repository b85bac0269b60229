"""The verbs' options, a module for each group of verbs; hotline.cli.parser puts them together."""
