"""Users' own asyncio code in the simulated world: what a scenario is given, and how it is run from a seed."""
