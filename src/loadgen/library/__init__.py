"""The library: plans by keyword, and what can be done with one. `import loadgen` has its names; see docs/LIBRARY.md."""
