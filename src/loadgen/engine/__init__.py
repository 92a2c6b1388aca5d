"""One worker's hot path, compiled. It is told the time and knows no Python of ours."""
