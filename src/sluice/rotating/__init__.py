"""Rotating the passwords of the database."""
