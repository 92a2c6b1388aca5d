"""Statistics as pure functions and values: numbers in, numbers out.

Nothing here does I/O, reads a clock or draws a random number.
"""
