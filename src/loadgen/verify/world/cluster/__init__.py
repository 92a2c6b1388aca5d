"""A model of Redis Cluster: nodes that know slots, redirect, take over and move keys."""
