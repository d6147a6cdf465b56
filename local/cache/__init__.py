"""A real Redis or Valkey server, private to one folder."""

from local.cache.server import Cache

__all__ = ["Cache"]
