"""Plots of intervals, in a terminal and as SVG, on one scale."""
