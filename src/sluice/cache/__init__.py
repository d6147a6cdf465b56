"""The read cache: items as a replica showed them, until a load touches them.

Nothing here is imported where the parameter ReadCache is off, but for `generation`, by the loader.
"""
