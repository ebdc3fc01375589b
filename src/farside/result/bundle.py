"""Rich display: one value in several formats, by MIME type, and `Display`, one showing of it."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from farside.annotations import TYPE_CHECKING, Any
from farside.errors import ProtocolError
from farside.result.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farside.result.tree import Node

_LENGTH = Struct("<Q")


@dataclass(frozen=True, slots=True)
class Display:
    """What ``farside::display`` showed.

    Attributes:
        data: the value's texts by MIME type, ``text/plain`` always among them; binary formats in
            base64, as Jupyter wants them.
        id: the name that the program gave to the display, else None.
        update: whether it replaces what was shown under that name before.
        problem: what ended the display before its end, else empty.
    """

    data: Mapping[str, str]
    id: str | None
    update: bool
    problem: str = ""

    def __str__(self) -> str:
        """Return its text for a terminal; the program's own text may hold anything."""
        return printable(self.data["text/plain"])


def bundle_of(node: Node) -> dict[str, str]:
    """Return the texts by MIME type that a node of kind BUNDLE holds.

    Raises:
        ProtocolError: it holds something else.
    """
    found: dict[str, str] = {}
    for child in node.children:
        if child.children:
            raise ProtocolError("the far side sent a bundle of values that are no texts")
        if child.label:
            found[child.label] = _text(child.label, child.data)
        else:
            found.update(_from_json(child.data))
    return found


def decode_display(payload: bytes) -> Display:
    """Read the message that ``farside::display`` sends: String id, u8 update, Seq<char> tree.

    Raises:
        ProtocolError: it is none.
    """
    from farside.result.kinds import ValueKind
    from farside.result.value import decode_value

    name, rest = _sequence(payload)
    if not rest or rest[0] > 1:
        raise ProtocolError("the far side sent a display that is malformed")
    tree, rest_of_all = _sequence(rest[1:])
    if rest_of_all:
        raise ProtocolError("the far side sent a display with something behind it")
    value = decode_value(ValueKind.TREE, tree, "display")
    assert value is not None
    data = {"text/plain": value.text, **value.bundle}
    return Display(data, name.decode(errors="replace") or None, rest[0] == 1, value.problem)


def _sequence(payload: bytes) -> tuple[bytes, bytes]:
    if len(payload) < _LENGTH.size:
        raise ProtocolError("the far side sent a display that is too short")
    (length,) = _LENGTH.unpack_from(payload)
    end = _LENGTH.size + length
    if end > len(payload):
        raise ProtocolError("the far side sent a display that is too short")
    return payload[_LENGTH.size : end], payload[end:]


def _text(kind: str, data: bytes) -> str:
    try:
        return data.decode(errors="replace" if kind.startswith("text/") else "strict")
    except UnicodeDecodeError:
        from base64 import b64encode

        return b64encode(data).decode()


def _from_json(data: bytes) -> dict[str, str]:
    """Read a bundle that the program wrote as a JSON object, as with xeus-cpp.

    What is no text itself (``application/json``) stays JSON. A malformed one is the program's own
    affair and gives no formats.
    """
    import json

    try:
        read: Any = json.loads(data)
        if not isinstance(read, dict):
            return {}
        texts = {
            kind: content if isinstance(content, str) else json.dumps(content)
            for kind, content in read.items()
        }
    except (ValueError, RecursionError):
        return {}
    # Half of a surrogate pair, which JSON may hold, can be sent to nobody.
    return {_whole(kind): _whole(content) for kind, content in texts.items()}


def _whole(text: str) -> str:
    return text.encode(errors="replace").decode()
