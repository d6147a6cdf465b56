"""The attack corpus, benign requests, and the measurement of what the edge blocks."""
