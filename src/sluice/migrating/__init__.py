"""Brings the database's schema to what the resources say. Only the migrate function imports this package."""
