"""Soaks: does it leak, does it drift, is it still healthy after hours."""
