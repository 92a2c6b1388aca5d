"""The leader of load tests of queues: the processes of workers and producers, and what they are started with."""
