"""The page about calls does what it says."""

from __future__ import annotations

import doctest
import io
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "calls.md"


def test_examples() -> None:
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert {kind for kind, _ in blocks} == {"pycon"}
    text = "\n".join(code for _, code in blocks)
    examples = doctest.DocTestParser().get_doctest(text, {}, "calls.md", str(PAGE), 0)
    said = io.StringIO()
    result = doctest.DocTestRunner().run(examples, out=said.write, clear_globs=False)
    examples.globs["session"].close()
    assert result.attempted > 20
    assert result.failed == 0, said.getvalue()
