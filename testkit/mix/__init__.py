"""A realistic mix of requests: its trace, the model of the caches, the player, and what is stale."""
