"""Lets the tests of all doors share ``hostile``."""
