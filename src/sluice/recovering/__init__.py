"""Recovering: one at a time, wait for the primary, see that the replica follows."""
