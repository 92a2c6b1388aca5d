"""Queues of other libraries under our load: each is an `Adapter` of three methods, and needs the extra `jobs`."""
