"""The rooms of the house import one way only, stay readable in size, and hold nothing that does not belong there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tcpchat
from tcpchat.core.version import VERSION

SRC = Path(__file__).resolve().parent.parent / "src"

# What a room may import of the others. Everything may import itself.
MAY_IMPORT: dict[str, set[str]] = {
    "core": set(),
    "doors": {"core"},
    "log": {"core"},
    "trust": {"core"},
    "i18n": set(),
    "config": {"core"},
    "server": {"core", "doors", "log", "trust", "config"},
    "client": {"core", "doors", "trust"},
    "menu": {"core", "client", "i18n"},
    "tui": {"core", "client", "i18n"},
    "cli": {"core", "doors", "log", "trust", "config", "server", "client", "menu", "tui", "i18n"},
    "tcp": {"core", "doors", "log", "trust", "config", "server", "client", "menu", "i18n"},
    "tcpchat": {"server", "client", "core"},
}
FUNCTION_LINES = 60
FILE_LINES = 700
ATTRIBUTES = 25  # what one object may hold and still be kept in mind


def room_of(module: str) -> str:
    """The room a dotted module name lives in."""
    parts = module.split(".")
    if parts[0] != "tcpchat":
        return parts[0]
    if len(parts) == 1 or parts[1] == "__init__":
        return "tcpchat"
    if parts[1] == "__main__":
        return "cli"
    return parts[1]


def sources() -> list[Path]:
    return sorted(path for path in SRC.rglob("*.py"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(SRC).with_suffix("").parts)


def own_imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            if node.module == "tcpchat":
                yield from (f"tcpchat.{alias.name}" for alias in node.names)
            else:
                yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_imports_point_one_way(path: Path) -> None:
    here = room_of(module_name(path))
    allowed = MAY_IMPORT[here] | {here}
    for name in own_imports(ast.parse(path.read_text(encoding="utf-8"))):
        if name.split(".")[0] not in {"tcpchat", "tcp"}:
            continue
        there = room_of(name)
        if there not in MAY_IMPORT:  # `from tcpchat import Client`: a public name of the package itself
            there = "tcpchat"
            assert here in {"cli", "tcp", "tui", "menu"}, f"{path}: {name}"
            continue
        assert there in allowed, f"{here} must not import {there} ({name})"


FORBIDDEN_IN_CORE = {
    "asyncio",
    "socket",
    "sqlite3",
    "time",
    "random",
    "secrets",
    "os",
    "threading",
    "datetime",
}


@pytest.mark.parametrize("path", sorted((SRC / "tcpchat" / "core").rglob("*.py")), ids=lambda p: p.name)
def test_core_is_pure(path: Path) -> None:
    for name in own_imports(ast.parse(path.read_text(encoding="utf-8"))):
        assert name.split(".")[0] not in FORBIDDEN_IN_CORE, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", sorted((SRC / "tcpchat" / "doors").rglob("*.py")), ids=lambda p: p.name)
def test_doors_do_no_io(path: Path) -> None:
    for name in own_imports(ast.parse(path.read_text(encoding="utf-8"))):
        assert name.split(".")[0] not in {"asyncio", "socket", "sqlite3", "threading"}, f"{path.name}: {name}"


PEER = ["peer", "numbering", "cursor", "record", "outcomes"]


@pytest.mark.parametrize("name", PEER)
def test_the_clients_half_of_the_protocol_does_no_io(name: str) -> None:
    path = SRC / "tcpchat" / "client" / f"{name}.py"
    for there in own_imports(ast.parse(path.read_text(encoding="utf-8"))):
        assert there.split(".")[0] not in FORBIDDEN_IN_CORE | {"pathlib", "ssl", "select"}, f"{path.name}: {there}"
        if there.startswith("tcpchat.client."):
            assert there.removeprefix("tcpchat.client.") in [*PEER, "errors"], f"{path.name}: {there}"


@pytest.mark.parametrize("path", sorted((SRC / "tcpchat" / "client").rglob("*.py")), ids=lambda p: p.name)
def test_no_object_of_the_client_is_several(path: Path) -> None:
    for kind in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(kind, ast.ClassDef):
            held = {
                node.attr
                for node in ast.walk(kind)
                if isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and isinstance(node.value, ast.Name)
                and node.value.id == "self"
            }
            assert len(held) <= ATTRIBUTES, f"{kind.name} holds {sorted(held)}"


DOOR_NAMES = {"native", "original", "seed", "irc", "web", "http"}


@pytest.mark.parametrize("room", ["core", "server"])
def test_only_doors_know_their_names(room: str) -> None:
    """Elsewhere a door is known by its traits: what follows from a name is asked again for every new door."""
    found = []
    for path in sorted((SRC / "tcpchat" / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                words = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)} & DOOR_NAMES
                found += [f"{path.name}:{node.lineno} {word}" for word in words]
    assert found == []


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_sizes_stay_readable(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= FILE_LINES, "split this file along a topic"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            assert size <= FUNCTION_LINES, f"{node.name} has {size} lines"


def test_one_place_names_the_version() -> None:
    """From bare sources too: nobody asks whether the package is installed."""
    for path in sources():
        assert "importlib.metadata" not in set(own_imports(ast.parse(path.read_text(encoding="utf-8")))), path
    assert re.fullmatch(r"\d+\.\d+\.\d+(\w+\d+)?", VERSION)
    project = (SRC.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert 'path = "src/tcpchat/core/version.py"' in project
    assert tcpchat.__version__ == VERSION


def modules_of(room: str) -> dict[str, Path]:
    """Dotted name -> file, of everything in a room."""
    found = {}
    for path in sorted((SRC / "tcpchat" / room).rglob("*.py")):
        parts = path.relative_to(SRC).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def all_imports(path: Path) -> Iterator[str]:
    """Every module imported anywhere in a file: at the top, inside functions, for types only."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def circles(room: str) -> list[list[str]]:
    """Groups of modules that import each other in a circle (Tarjan's strongly connected components)."""
    files = modules_of(room)
    packages = {name for name, path in files.items() if path.name == "__init__.py"}
    edges = {name: {there for there in all_imports(path) if there in files} - {name} for name, path in files.items()}
    for name in edges:  # a package's face is not a room of its own: what it gathers may not be asked for through it
        edges[name] -= {there for there in edges[name] if there in packages and name.startswith(there + ".")}
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for there in edges[name]:
            if there not in index:
                visit(there)
                low[name] = min(low[name], low[there])
            elif there in stack:
                low[name] = min(low[name], index[there])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in files:
        if name not in index:
            visit(name)
    return found


@pytest.mark.parametrize("room", ["client", "core", "server"])
def test_no_import_goes_in_a_circle(room: str) -> None:
    """Counting those inside functions and for types."""
    assert circles(room) == []


def test_the_stages_of_a_login_are_set_in_one_file() -> None:
    core = SRC / "tcpchat" / "core"
    setting = re.compile(r"\.stage\b(?:, [\w.]+)* =(?!=)")
    found = {path.name for path in core.glob("*.py") if setting.search(path.read_text(encoding="utf-8"))}
    assert found == {"sessions.py", "stages.py"}  # where one begins, and the table


IRC = sorted((SRC / "tcpchat" / "doors" / "irc").rglob("*.py"))


@pytest.mark.parametrize("path", IRC, ids=lambda p: p.name)
def test_doors_have_no_clock_no_files_and_no_randomness(path: Path) -> None:
    """Time, secrets and files come in by the calls and by the Site."""
    forbidden = {"time", "secrets", "random", "pathlib", "os"}
    assert not {name.split(".")[0] for name in all_imports(path)} & forbidden


@pytest.mark.parametrize("path", IRC, ids=lambda p: p.name)
def test_no_door_writes_to_another(path: Path) -> None:
    """Whatever others must learn goes through the chat: there is no list of sister doors to go along."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.For | ast.comprehension):
            walked = ast.unparse(node.iter)
            assert not re.search(r"\.doors\b", walked), f"{path.name}: for ... in {walked}"
