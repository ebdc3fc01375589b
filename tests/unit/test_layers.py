"""A stage imports only what the table in docs/design.md allows it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "farside"


def table() -> dict[str, set[str]]:
    """Return, for each package or module of farside, those it may import."""
    page = (ROOT / "docs" / "design.md").read_text()
    section = page[page.index("| package | may import |") :].split("\n\n")[0]
    allowed: dict[str, set[str]] = {}
    for row in section.splitlines()[2:]:
        names, may_import = row.split("|")[1:3]
        words = set(re.findall(r"[a-z_]+", may_import))
        if may_import.strip() == "nothing":
            words = set()
        elif may_import.strip() == "all of the above":
            words = set(allowed)
        for name in re.findall(r"`(\w+)`", names):
            allowed[name] = words | {name, "annotations", "records"}
    return allowed


def package_of(path: Path) -> str:
    return path.relative_to(SOURCES).with_suffix("").parts[0]


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and full name of what is imported at run time, relative imports refused."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: farside's imports are absolute"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        else:
            yield from imported(node)


def test_every_import_is_in_the_table() -> None:
    allowed = table()
    wrong = []
    for path in sorted(SOURCES.rglob("*.py")):
        package = package_of(path)
        if package == "__init__":
            continue
        assert package in allowed, f"docs/design.md has no row for {package}"
        for line, name in imported(ast.parse(path.read_text())):
            parts = name.split(".")
            # The package itself holds names and a version, and imports nothing by itself.
            if name != "farside" and parts[0] == "farside" and parts[1] not in allowed[package]:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {package} imports {parts[1]}")
    assert wrong == []


def test_the_table_names_what_exists() -> None:
    existing = {package_of(path) for path in SOURCES.rglob("*.py")}
    assert set(table()) <= existing


def test_the_near_side_of_a_stage_is_never_the_user_interface() -> None:
    for package, may_import in table().items():
        if package not in ("ui", "command", "cli", "__main__"):
            assert not may_import & {"ui", "command", "cli"}


def test_typing_is_for_type_checkers() -> None:
    """It takes a tenth of the time to the first result; see `farside.annotations`."""
    wrong = []
    for path in sorted(SOURCES.rglob("*.py")):
        for line, name in imported(ast.parse(path.read_text())):
            if name.partition(".")[0] == "typing":
                wrong.append(f"{path.relative_to(SOURCES)}:{line}")
    assert wrong == []
