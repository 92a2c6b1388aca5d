"""What is said of a run's own numbers: whether they hold, and what held the generator up."""
