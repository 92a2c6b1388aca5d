"""The values made from a configuration: plans, and the settings of the rooms that judge."""
