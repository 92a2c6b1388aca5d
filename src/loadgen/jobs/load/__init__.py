"""Load tests of job queues: producers publish, workers execute, and a ledger says what became of each job."""
