"""Which nodes there are, and what each is for: asked of a Redis Cluster, or of sentinels. No I/O."""
