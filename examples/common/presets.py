"""Presets: YAML files that state only what differs from the files that they name as their base.

    base: [nottingham, authors]     # merged from left to right; this file is put on top of them
    options:
      mle: {max-epoch: 30}
      discriminator: {d-l2: ~}      # ~ takes out what the base states
    rows: [real, mle, seqgan]       # which systems are trained, in this order; default: the base's

A base may state anything. The file that is run may only change what its base states, so that a
typing error is refused at once; it may add systems and groups of options (``OPEN``). A file without
a base is taken as it is.
"""

from __future__ import annotations

import difflib
import math
from pathlib import Path
from typing import Any, cast

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from .console import ExperimentError
from .shared import reading

EXAMPLES = Path(__file__).resolve().parents[1]
# Where the file that is run may add a name; * is one key.
OPEN = (("options",), ("systems",), ("systems", "*"), ("people", "sources"))

MOST = reading.MIB  # of a recipe
Tree = dict[str, Any]


def load(path: Path, folder: Path) -> Tree:
    """Return what the YAML file *path* holds, on top of its base.

    Args:
        folder: of the experiment, in which a base is looked for.

    Raises:
        ExperimentError: a file cannot be read, or states a key that its base does not have.
    """
    own = _read(path)
    if "base" not in own:
        return own
    base = _merge_bases(path, own, folder, (path.resolve(),))
    _refuse_unknown(path, own, base)
    merged = _merge(path, [base, own])
    _choose_systems(path, own, base, merged)
    return _without_null(merged)


def _read(path: Path) -> Tree:
    try:
        text = reading.read_bytes(path, MOST).decode("utf-8")
        _refuse_aliases(path, text)
        found = yaml.safe_load(text)
        _refuse_nan(found)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ExperimentError(f"{path}: cannot be read as a recipe ({reason})") from error
    if not isinstance(found, dict):
        raise ExperimentError(f"{path}: not a recipe, which has sections such as 'options'")
    return found


def _refuse_nan(value: object, where: str = "") -> None:
    """Check that every number is finite; NaN does not equal itself, so no run could be resumed."""
    for key, own in value.items() if isinstance(value, dict) else ():
        _refuse_nan(own, f"{where}{key}: ")
    for own in value if isinstance(value, list) else ():
        _refuse_nan(own, where)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where}{value} is not a finite number")


def _refuse_aliases(path: Path, text: str) -> None:
    """Check that *text* names no part of itself: a few lines could stand for gigabytes."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1
            raise ExperimentError(f"{path}, line {line}: '*{event.anchor}': no aliases in a recipe")


def _merge_bases(path: Path, own: Tree, folder: Path, seen: tuple[Path, ...]) -> Tree:
    """Return the bases that the file *path* names, merged; *seen* are the files on the way."""
    names = own.get("base", [])
    found = []
    for name in names if isinstance(names, list) else [names]:
        base = _find(path, name, folder)
        if base.resolve() in seen:
            raise ExperimentError(f"{path}: base '{name}' is built on this file itself")
        tree = _read(base)
        found += [_merge_bases(base, tree, folder, (*seen, base.resolve())), tree]
    return _merge(path, found)


def _find(path: Path, name: object, folder: Path) -> Path:
    """Return the file of the base *name*.

    It is NAME.yaml beside *path* or in the experiment's *folder*, examples/NAME/base.yaml,
    examples/bases/NAME.yaml, or a path from the folder of *path*.
    """
    beside = path.parent
    places = [beside / f"{name}.yaml", folder / f"{name}.yaml", EXAMPLES / f"{name}/base.yaml"]
    places += [EXAMPLES / "bases" / f"{name}.yaml", beside / str(name)]
    for place in places:
        if place.is_file() and place.resolve() != path.resolve():
            return place
    raise ExperimentError(
        f"{path}: there is no base '{name}'; a base is a preset, a file in {EXAMPLES / 'bases'} "
        "or a path"
    )


def _merge(path: Path, trees: list[Tree]) -> Tree:
    try:
        merged = OmegaConf.merge({}, *map(OmegaConf.create, trees))
    except (OmegaConfBaseException, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ExperimentError(f"{path}: cannot be merged with its base ({reason})") from error
    return cast(Tree, OmegaConf.to_container(merged))


def _refuse_unknown(path: Path, own: Tree, base: Tree, above: tuple[str, ...] = ()) -> None:
    """Check that *own* has no key that *base* does not have, where none may be added.

    What the base has as a section, a list or one value stays so.
    """
    for key, value in own.items():
        known = [*base, *(() if above else ("base", "rows"))]
        if key in base:
            kinds = [_kind(each) for each in (value, base[key])]
            if not above and key == "base":
                continue  # which may be one name or several
            if value is not None and base[key] is not None and kinds[0] != kinds[1]:
                place = "".join(f"{name}: " for name in (*above, key))
                raise ExperimentError(f"{path}: {place}{kinds[0]}, and in its base {kinds[1]}")
            if isinstance(value, dict) and isinstance(base[key], dict):
                _refuse_unknown(path, value, base[key], (*above, str(key)))
        elif key not in known and not _is_open(above):
            near = difflib.get_close_matches(str(key), map(str, known), n=1)
            advice = f"; did you mean '{near[0]}'?" if near else ""
            place = "".join(f"{name}: " for name in above)
            line = _line(path, (*above, str(key)))
            raise ExperimentError(f"{path}, line {line}: {place}'{key}' is not in its base{advice}")


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "a section"
    return "a list" if isinstance(value, list) else "one value"


def _is_open(place: tuple[str, ...]) -> bool:
    return any(
        len(place) == len(pattern)
        and all(b in ("*", a) for a, b in zip(place, pattern, strict=True))
        for pattern in OPEN
    )


def _line(path: Path, keys: tuple[str, ...]) -> int:
    """Return the line of the file *path* on which the last of the nested *keys* stands."""
    node, line = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader), 1
    for wanted in keys:
        for key, value in node.value:
            if key.value == wanted:
                node, line = value, key.start_mark.line + 1
                break
    return line


def _choose_systems(path: Path, own: Tree, base: Tree, merged: Tree) -> None:
    """Leave in *merged* the systems of ``rows``, in its order, and the groups that they name."""
    rows, systems = merged.pop("rows", None), merged.get("systems")
    merged.pop("base", None)
    if not isinstance(systems, dict) or not isinstance(merged.get("options"), dict):
        return  # refused by whoever checks the sections
    names = list(systems) if rows is None else rows
    if not isinstance(names, list):
        raise ExperimentError(f"{path}: rows: not a list of systems")
    for name in names:
        if not isinstance(name, str) or systems.get(name) is None:
            raise ExperimentError(f"{path}: rows: there is no system '{name}'")
    for name in own.get("systems") or {}:
        if name not in names:
            line = _line(path, ("systems", name))
            raise ExperimentError(f"{path}, line {line}: systems: '{name}' is not one of its rows")
    merged["systems"] = {name: systems[name] for name in names}
    used = set()
    for name, system in merged["systems"].items():
        groups = (system.get("train") or []) if isinstance(system, dict) else []
        if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
            raise ExperimentError(f"{path}: systems: {name}: train: not a list of groups")
        used.update(groups)
    for name in own.get("options") or {}:
        if name not in used and name not in base["options"]:
            line = _line(path, ("options", name))
            raise ExperimentError(f"{path}, line {line}: options: no system trains with '{name}'")
    merged["options"] = {
        name: merged["options"][name] for name in merged["options"] if name in used
    }


def _without_null(tree: Any) -> Any:
    """Return *tree* without the keys whose value is ~."""
    if isinstance(tree, dict):
        return {key: _without_null(value) for key, value in tree.items() if value is not None}
    return tree
