"""What the source may not do with a file that somebody else has made, found in its syntax tree."""

import ast
from collections.abc import Iterator

# Calls by their full names: they run code from a file, or write where a file says.
FORBIDDEN = {
    *("eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec"),
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
    *("shutil.unpack_archive", "tempfile.mktemp", "torch.hub.load", "torch.jit.load"),
    *("runpy.run_path", "code.interact", "numpy.fromregex"),
}
# Attributes, whatever they are called on.
METHODS = {"extractall", "read_pickle", "to_pickle", "load_module"}
MODULES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
YAML = {"safe_load", "safe_dump", "SafeLoader", "YAMLError", "AliasEvent", "compose", "parse"}
# The one unpickler, which refuses every class but stand-ins for arrays of floats.
UNPICKLER = ("pickle.Unpickler", "pickle.UnpicklingError")


def violations(source: str, unpickler: bool = False) -> list[str]:
    """Return what in *source* breaks a rule, each with its line.

    Args:
        unpickler: the file may define a ``pickle.Unpickler`` with its own ``find_class``.
    """
    tree = ast.parse(source)
    names = _imported(tree)
    found = []
    for node in ast.walk(tree):
        found += [f"line {node.lineno}: {what}" for what in _check(node, names, unpickler)]
    return found


def _imported(tree: ast.AST) -> dict[str, str]:
    """Return the full name of everything that is imported, by the name that it has here."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name if alias.asname else alias.name.split(".")[0]
                names[alias.asname or name] = name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _full_name(node: ast.AST, names: dict[str, str]) -> str:
    """Return the dotted name of an expression; empty for any other expression."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        owner = _full_name(node.value, names)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def _check(node: ast.AST, names: dict[str, str], unpickler: bool) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from _check_import(node, unpickler)
    elif isinstance(node, ast.ExceptHandler):
        if node.type is None:
            yield "a bare except"
        elif _full_name(node.type, names) == "BaseException" and not _raises(node):
            yield "except BaseException that does not raise"
    elif isinstance(node, ast.Attribute | ast.Name):
        name = _full_name(node, names)
        allowed = UNPICKLER if unpickler else UNPICKLER[1:]
        if name.split(".")[0] in MODULES and "." in name and name not in allowed:
            yield name
        if name.startswith("yaml.") and name.count(".") == 1 and name[5:] not in YAML:
            yield name
    elif isinstance(node, ast.ClassDef):
        defined = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
        bases = {_full_name(base, names) for base in node.bases}
        if "pickle.Unpickler" in bases and "find_class" not in defined:
            yield "an Unpickler without find_class"
    elif isinstance(node, ast.Call):
        yield from _check_call(node, names)


def _check_import(node: ast.Import | ast.ImportFrom, unpickler: bool) -> Iterator[str]:
    if isinstance(node, ast.Import):
        imported = [alias.name for alias in node.names]
    elif node.level:
        return
    else:
        imported = [f"{node.module}.{alias.name}" for alias in node.names]
    for name in imported:
        allowed = name == "pickle.UnpicklingError" or (unpickler and name == "pickle")
        if name.split(".")[0] in MODULES and not allowed:
            yield f"import of {name}"


def _raises(node: ast.ExceptHandler) -> bool:
    return any(isinstance(inner, ast.Raise) for inner in ast.walk(node))


def _check_call(node: ast.Call, names: dict[str, str]) -> Iterator[str]:
    name = _full_name(node.func, names)
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if name in FORBIDDEN or method in METHODS:
        yield f"{name or method}()"
    if method == "eval" and (node.args or node.keywords):  # model.eval() has none
        yield ".eval() with an argument"
    if any(keyword.arg == "shell" and not _is(keyword.value, False) for keyword in node.keywords):
        yield "shell=True"
    if name == "torch.load" and not _is(_keyword(node, "weights_only"), True):
        yield "torch.load without weights_only=True"
    if name == "numpy.load" and not _is(_keyword(node, "allow_pickle"), False):
        yield "numpy.load without allow_pickle=False"
    if method != "load" and _is(_keyword(node, "allow_pickle"), True):
        yield "allow_pickle=True"
    if name in ("yaml.compose", "yaml.parse"):
        loader = _keyword(node, "Loader")
        if loader is None or _full_name(loader, names) != "yaml.SafeLoader":
            yield f"{name} without Loader=yaml.SafeLoader"


def _keyword(node: ast.Call, name: str) -> ast.expr | None:
    return next((each.value for each in node.keywords if each.arg == name), None)


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value
