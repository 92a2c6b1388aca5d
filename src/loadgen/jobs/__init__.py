"""Durable jobs: queues on Redis Streams, on lists and on SQLite, for programs and for load tests of queues."""
