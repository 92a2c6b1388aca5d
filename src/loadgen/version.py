"""The version of loadgen."""

__version__ = "0.1.0"
