"""The guide's examples do what the guide says.

A ``cpp`` block is an input. A ``text`` block after it is what it shows, all of it; an ``error``
block is a part of what is said about it. An input without either shows nothing and succeeds. Each
section is a session.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from farside.options import Options
from farside.session import Session
from farside.ui.console import Console

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    code: str
    text: str | None
    error: str | None


def sections() -> dict[str, list[Example]]:
    """Return the examples by section; a section without any is left out."""
    found: dict[str, list[Example]] = {}
    for part in re.split(r"^## ", GUIDE.read_text(), flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        examples: list[Example] = []
        for kind, content in _BLOCK.findall(body):
            if kind == "cpp":
                examples.append(Example(content, None, None))
            else:
                assert kind in ("text", "error"), f"{title}: unknown block {kind}"
                examples[-1] = examples[-1]._replace(**{kind: content})
        if examples:
            found[title] = examples
    return found


def test_the_guide_has_examples() -> None:
    assert len(sections()) >= 5


@pytest.mark.parametrize("title", sections())
def test_examples(title: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    with Session(Options(output="capture")) as session:
        console = Console(session, out, err)
        for example in sections()[title]:
            for stream in (out, err):
                stream.seek(0)
                stream.truncate()
            went_well = console.execute(example.code.rstrip("\n"))
            assert went_well == (example.error is None), err.getvalue()
            assert out.getvalue() == (example.text or ""), example.code
            if example.error is not None:
                assert example.error.strip() in err.getvalue()
