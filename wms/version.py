"""The version of the suite, one for all daemons and clients."""

VERSION = "0.1.0"
