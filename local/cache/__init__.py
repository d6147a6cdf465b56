"""A Redis or Valkey server, private to one folder."""

from local.cache.server import CacheServer

__all__ = ["CacheServer"]
