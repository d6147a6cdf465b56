"""How many reads the replicas answer together, and what one warm read costs."""
