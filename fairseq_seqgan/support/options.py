"""Options as dataclasses, combined from parts that other files and users define."""

import dataclasses
from collections.abc import Iterable

from fairseq.dataclass import FairseqDataclass

from .errors import InputError, flag


def combine(
    name: str,
    base: type[FairseqDataclass],
    parts: Iterable[type[FairseqDataclass]],
    **choices: dict,
) -> type[FairseqDataclass]:
    """Return a dataclass called *name* with the fields of *base* and of all *parts*.

    Args:
        base: its fields come first.
        parts: classes of options; a field that two of them inherit from one class is one option.
        choices: further fields by name, each ``{"type": ..., "default": ..., "help": ...}``.

    Raises:
        InputError: two classes define the same option. That includes a class that redefines an
            inherited option: its default would silently become that of the other classes too.
    """
    parts = list(parts)
    _refuse_clashes([base, *parts])
    bases = [base]
    for part in parts:
        if not any(issubclass(known, part) for known in bases):
            # A subclass must stand in front of its base for Python's method resolution order.
            bases = [known for known in bases if not issubclass(part, known)] + [part]
    fields = [
        (
            field,
            about["type"],
            dataclasses.field(default=about["default"], metadata={"help": about["help"]}),
        )
        for field, about in choices.items()
    ]
    return dataclasses.make_dataclass(name, fields, bases=tuple(bases))


def _refuse_clashes(classes: list[type]) -> None:
    """Refuse *classes* of which two have a field of the same name from different definitions."""
    defined: dict[str, type] = {}
    for part in classes:
        own: dict[str, type] = {}  # which class defines a field as *part* has it
        for owner in part.__mro__:
            for field in vars(owner).get("__annotations__", {}):
                own.setdefault(field, owner)
        for field, owner in own.items():
            other = defined.setdefault(field, owner)
            if other is not owner:
                raise InputError(
                    f"{flag(field)} is defined by {other.__name__} and by {owner.__name__}: give "
                    "one of the options another name"
                )
