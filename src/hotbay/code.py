"""What can be said of a plugin's Python code without running it: capabilities, and habits that outlive a plugin."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from hotbay.errors import Problem

CAPABILITY_FILES = ("__init__.py", "routes.py", "plugin.py", "hooks.py", "jobs.py")
_NAMES = {"app", "start", "stop", "health", "Settings", "on_settings", "plugin"}
_ADDON = {"register_routes", "install", "uninstall", "create_tables", "drop_tables"}
_MARKS = {"hotbay_sdk." + name for name in ("on", "filters", "every", "cron", "service")}
_MARKS |= {name.replace("hotbay_sdk.", "hotbay_sdk.plugin.") for name in _MARKS}
_SHARED = {"sys.modules", "sys.path", "sys.meta_path", "sys.path_hooks"}
_MUTATORS = {"append", "insert", "extend", "remove", "pop", "clear", "update", "setdefault", "popitem"}
_IMPORTERS = {"importlib.import_module", "importlib.reload", "__import__"}
_CLOSE = "undo it in stop(), or register the undoing with context(__name__).on_close"
_HABITS = {
    "atexit.register": ("runs when the process ends, not when the plugin stops", _CLOSE),
    "signal.signal": ("changes the host's signal handling", "leave signals to the host"),
    "os.fork": ("forks the host with all its threads", "use context(__name__).spawn or a subprocess"),
    "threading.Timer": ("a timer may outlive the plugin", "use @every, or cancel it with on_close"),
    "os._exit": ("ends the host", "raise an exception"),
}


def capabilities(module: ast.Module, path: str) -> set[str]:
    """The names of what a module of a backend offers to a host."""
    aliases = _aliases(module)
    wanted = _NAMES | ({"router"} if path.endswith("routes.py") else set())
    found: set[str] = set()
    for node in module.body:
        found |= wanted & set(_bound(node))
        if isinstance(node, ast.ClassDef):
            found |= {item.name for item in node.body if isinstance(item, _FUNCTIONS)} & _ADDON
        if isinstance(node, _FUNCTIONS):
            marks = (item.func if isinstance(item, ast.Call) else item for item in node.decorator_list)
            found |= {_dotted(mark, aliases) for mark in marks} & _MARKS
    return found


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _bound(node: ast.stmt) -> Iterator[str]:
    """The names that a statement gives to its module."""
    if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
        yield node.name
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from (alias.asname or alias.name for alias in node.names)
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name))
    elif isinstance(node, (ast.If, ast.Try, ast.With)):
        for part in ast.iter_child_nodes(node):
            yield from _bound(part) if isinstance(part, ast.stmt) else ()


def warnings_in(module: ast.Module, path: str, plugin: str) -> Iterator[Problem]:
    """What does not end with the plugin, or misses its generation, with file and line."""
    aliases = _aliases(module)
    for node in ast.walk(module):
        for rule, mend in _of_node(node, aliases, plugin):
            yield Problem(f"line {getattr(node, 'lineno', 1)}", rule, _source(node), path, mend)


def _of_node(node: ast.AST, aliases: dict[str, str], plugin: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Call):
        yield from _of_call(node, aliases, plugin)
    elif isinstance(node, ast.ImportFrom) and node.module == "app.core.database":
        if any(alias.name == "Base" for alias in node.names):
            yield (
                "models on the host's declarative base stay in the host when the plugin goes",
                "give the plugin a base of its own: class Base(DeclarativeBase)",
            )
    elif isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, (ast.Store, ast.Del)):
        yield from _of_target(node, aliases, plugin)


def _of_call(node: ast.Call, aliases: dict[str, str], plugin: str) -> Iterator[tuple[str, str]]:
    name = _dotted(node.func, aliases)
    owner, _, method = name.rpartition(".")
    if name in _HABITS:
        yield _HABITS[name]
    elif name in _IMPORTERS and node.args and _own(node.args[0], plugin):
        mend = "use an import statement, or import_module('.name', __package__)"
        yield "imports itself by its public name, which may be another generation", mend
    elif owner in _SHARED and method in _MUTATORS:
        yield f"changes {owner}, which all plugins share", "import from the plugin's own package"
    elif name == "threading.Thread" and not _is_daemon(node):
        yield "a thread that is no daemon keeps the process alive", "pass daemon=True, and " + _CLOSE
    elif name == "setattr" and node.args and _foreign(node.args[0], aliases, plugin):
        yield "changes what lives outside the plugin (monkeypatching)", _CLOSE


def _of_target(node: ast.Attribute | ast.Subscript, aliases: dict[str, str], plugin: str) -> Iterator[tuple[str, str]]:
    name = _dotted(node if isinstance(node, ast.Attribute) else node.value, aliases)
    if name in _SHARED:
        yield f"changes {name}, which all plugins share", "import from the plugin's own package"
    elif isinstance(node, ast.Attribute) and _foreign(node.value, aliases, plugin):
        yield "changes what lives outside the plugin (monkeypatching)", _CLOSE


def _own(node: ast.expr, plugin: str) -> bool:
    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
    return text.partition(".")[0] == plugin


def _is_daemon(node: ast.Call) -> bool:
    given = [word.value for word in node.keywords if word.arg == "daemon"]
    return bool(given) and not (isinstance(given[0], ast.Constant) and not given[0].value)


def _foreign(node: ast.expr, aliases: dict[str, str], plugin: str) -> bool:
    """True for a name that an absolute import brought from outside the plugin."""
    while isinstance(node, ast.Attribute):
        node = node.value
    origin = aliases.get(node.id, "") if isinstance(node, ast.Name) else ""
    return bool(origin) and not origin.startswith(".") and origin.partition(".")[0] != plugin


def _aliases(module: ast.Module) -> dict[str, str]:
    """What imported names stand for: `il` → `importlib`, `Thread` → `threading.Thread`, relative ones with a dot."""
    names: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            names.update({alias.asname or alias.name: f"{origin}.{alias.name}" for alias in node.names})
    return names


def _dotted(node: ast.AST, aliases: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, aliases)}.{node.attr}"
    return aliases.get(node.id, node.id) if isinstance(node, ast.Name) else ""


def _source(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 80 else text[:77] + "..."
