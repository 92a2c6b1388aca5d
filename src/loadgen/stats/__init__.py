"""Statistics as pure functions and values: numbers in, numbers out.

Nothing here does I/O or reads a clock; what draws a random number is given its seed.
"""
