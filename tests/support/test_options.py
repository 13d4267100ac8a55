"""Options put together from parts that several files define."""

import dataclasses
from dataclasses import dataclass, field

import pytest
from fairseq.dataclass import ChoiceEnum, FairseqDataclass

from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.support.options import combine


def option(default, text="a help text"):
    return field(default=default, metadata={"help": text})


@dataclass
class Base(FairseqDataclass):
    of_base: int = option(1)


@dataclass
class Shared(FairseqDataclass):
    shared: int = option(2)


@dataclass
class First(Shared):
    of_first: str = option("first")


@dataclass
class Second(Shared):
    of_second: float = option(0.5, "of the second")


@dataclass
class Third(First):
    of_third: bool = option(False)


@dataclass
class Clashing(FairseqDataclass):
    of_first: str = option("another")


@dataclass
class ClashingWithBase(FairseqDataclass):
    of_base: int = option(3)


@dataclass
class Changed(Shared):
    shared: int = option(9)


def defaults(cls):
    return {f.name: f.default for f in dataclasses.fields(cls) if f.name != "_name"}


def test_all_fields_are_there():
    """With their defaults and help texts; those of the base, too."""
    combined = combine("Combined", Base, [First, Second])
    assert combined.__name__ == "Combined"
    expected = {"of_base": 1, "shared": 2, "of_first": "first", "of_second": 0.5}
    assert defaults(combined) == expected
    about = {f.name: f for f in dataclasses.fields(combined)}["of_second"]
    assert about.type is float and about.metadata["help"] == "of the second"
    assert combined(of_first="given").of_first == "given"
    assert isinstance(combined(), Base) and isinstance(combined(), Second)


def test_without_parts_it_is_the_base():
    assert defaults(combine("Combined", Base, [])) == {"of_base": 1}


@pytest.mark.parametrize(
    "parts", [[Shared, First, Third], [Third, First, Shared], [First, Third], [Third, First, First]]
)
def test_a_part_may_extend_another(parts):
    """What they inherit from one class is one option, in whatever order they are registered."""
    expected = {"of_base": 1, "shared": 2, "of_first": "first", "of_third": False}
    assert defaults(combine("Combined", Base, parts)) == expected


def test_a_part_alone_may_change_what_it_inherits():
    """There is nobody else whose default it would be."""
    assert defaults(combine("Combined", Base, [Changed])) == {"of_base": 1, "shared": 9}


def test_a_choice_is_a_further_field():
    """Such as the name of the reward; its type may depend on what is registered."""
    kind = ChoiceEnum(["a", "b"])
    about = {"type": kind, "default": "a", "help": "which"}
    combined = combine("Combined", Base, [First], chosen=about)
    assert defaults(combined)["chosen"] == "a"
    found = {f.name: f for f in dataclasses.fields(combined)}["chosen"]
    assert found.type is kind and found.metadata["help"] == "which"


@pytest.mark.parametrize(
    ("parts", "option", "owners"),
    [
        ([First, Clashing], "--of-first", ("First", "Clashing")),
        ([Clashing, Third], "--of-first", ("First", "Clashing")),
        ([Second, ClashingWithBase], "--of-base", ("Base", "ClashingWithBase")),
        # A changed default would become that of the others as well.
        ([First, Changed], "--shared", ("Shared", "Changed")),
        ([Shared, Changed], "--shared", ("Shared", "Changed")),
    ],
)
def test_a_clash_is_refused_by_name(parts, option, owners):
    """One line with the option and both of its classes."""
    with pytest.raises(InputError) as refused:
        combine("Combined", Base, parts)
    line = str(refused.value)
    assert line.startswith(f"error: {option} is defined by ") and "\n" not in line
    assert all(f"by {owner}" in line for owner in owners)
