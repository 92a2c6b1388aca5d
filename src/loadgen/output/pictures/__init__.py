"""Intervals drawn: in a terminal and as SVG, on one scale."""
