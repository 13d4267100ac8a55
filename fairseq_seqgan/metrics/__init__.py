"""Metrics, grouped by subject; every module of this folder registers what it defines."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
