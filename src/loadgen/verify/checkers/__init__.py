"""Checkers: laws that a history must keep, and the least that shows where it does not.

They read histories and return values. They know no clock, file, server or output.
"""
