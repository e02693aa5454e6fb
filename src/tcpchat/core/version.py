"""The version of this program: the one place that says it. The package's metadata is made from this line."""

VERSION = "0.1.0"
