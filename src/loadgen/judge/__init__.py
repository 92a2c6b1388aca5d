"""The judgement on a run's own numbers: their validity, and the causes that held the generator up."""
