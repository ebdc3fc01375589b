"""The page about Python does what it says.

``pycon`` blocks are sessions of Python's, one after the other; a ``python`` block is a program, and
the ``text`` block after it what it prints; ``ipython`` blocks are cells of a notebook.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.testing.globalipapp import start_ipython

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
BLOCKS: list[tuple[str, str]] = re.findall(
    r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
)


def test_every_block_is_of_a_kind_that_is_run() -> None:
    assert {kind for kind, _ in BLOCKS} == {"pycon", "python", "text", "ipython"}


def test_examples() -> None:
    text = "\n".join(code for kind, code in BLOCKS if kind == "pycon")
    names: dict[str, Any] = {}
    examples = doctest.DocTestParser().get_doctest(text, names, "python.md", str(PAGE), 0)
    said = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    result = runner.run(examples, out=said.write, clear_globs=False)
    if "session" in examples.globs:
        examples.globs["session"].close()
    assert result.attempted > 20
    assert result.failed == 0, said.getvalue()


def test_programs() -> None:
    for (kind, code), (after, text) in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True):
        if kind == "python":
            assert after == "text"
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(code, str(PAGE), "exec"), {})
            assert out.getvalue() == text


def test_notebooks() -> None:
    shell: Any = start_ipython() or InteractiveShell.instance()  # type: ignore[no-untyped-call]
    for kind, code in BLOCKS:
        if kind == "ipython":
            assert shell.run_cell(code).success, code
    shell.run_line_magic("unload_ext", "farside")
