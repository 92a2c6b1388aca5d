"""The library: plans by keyword, and functions on a plan. `import loadgen` has its names; see docs/LIBRARY.md."""
