"""The one place where resources are found."""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

import resources as resource_files
from sluice.model.resource import Resource, get_declared_resources


@cache
def load_resources() -> Mapping[str, Resource]:
    """Import every module of the package `resources` and return what they declare, by collection."""
    for module in pkgutil.iter_modules(resource_files.__path__, "resources."):
        importlib.import_module(module.name)
    return get_declared_resources()
