"""The machine that loadgen runs on: its CPUs and quotas, idle CPUs kept awake, stop signals, and stored results."""
