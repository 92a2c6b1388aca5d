"""Agents on the workers of a Dask cluster. Only `cluster`, `relay` and `task` import the library distributed."""
