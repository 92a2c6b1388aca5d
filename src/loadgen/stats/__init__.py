"""Statistics as pure functions and values: numbers in, numbers out.

Nothing here does I/O or reads a clock; a function that draws random numbers is passed a seed.
"""
