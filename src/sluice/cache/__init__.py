"""The read cache: items as a replica showed them, until a load touches them.

With the parameter ReadCache off, functions import nothing of this package, except that the loader imports `epoch`.
"""
