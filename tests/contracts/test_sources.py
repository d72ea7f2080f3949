"""Facts about the sources that no linter checks: who reads the environment and the clock, what a file may not do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("app", "callbacks", "deploy", "ingest", "models", "pages", "workers")
# What may be read in one file only.
ONLY_IN = {
    "os.environ": "app/settings.py",
    "os.getenv": "app/settings.py",
    "datetime.now": "app/clock.py",
    "datetime.utcnow": "app/clock.py",
    "time.time": "app/clock.py",
    "time.time_ns": "app/clock.py",
}
EDGES = {"app/api/problems.py", "ingest/routes.py", "workers/run.py", "app/ui/errors.py"}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "core", "manager", "service"}


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Every file of the program with its tree."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def dotted(node: ast.AST) -> str:
    """`a.b` of an attribute; nothing for other shapes."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return ""


def test_environment_and_clock_are_read_in_one_file() -> None:
    found = [
        f"{name}:{node.lineno} {dotted(node)}"
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ONLY_IN.get(dotted(node), name) != name
    ]
    assert not found, "use app/settings.py and app/clock.py: " + ", ".join(found)


def test_no_function_imports_what_is_ours() -> None:
    ours = ("app", "callbacks", "ingest", "models", "pages", "workers")
    found = []
    for name, tree in sources():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                    modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                    found += [f"{name}:{node.lineno}" for m in modules if m.split(".")[0] in ours]
    assert not found, f"imports of ours stand at the top: {found}"


def test_only_the_edges_catch_everything() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and name not in EDGES
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")))
    ]
    assert not found, f"catch the narrowest type: {found}"


def test_every_public_function_says_what_it_does() -> None:
    found = []
    for name, tree in sources():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                public = not node.name.startswith("_")
                if public and not ast.get_docstring(node):
                    found.append(f"{name}:{node.lineno} {node.name}")
    assert not found, f"without a docstring: {found}"


def test_modules_are_named_after_what_they_know() -> None:
    found = [name for name, _ in sources() if set(Path(name).with_suffix("").parts) & FORBIDDEN_NAMES]
    assert not found, f"say what it knows: {found}"
