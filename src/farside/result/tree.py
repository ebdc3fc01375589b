"""Values made of other values: the tokens that the far side sent, the tree they mean, its text.

The tokens are those of ``native/include/farside/value_kinds.h``: ``u8 kind, u32 size, bytes``. They
were written by a process that runs user code, perhaps up to the moment of its death: whatever is
not closed at the end counts as closed, and all else that is out of place is a `ProtocolError`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from struct import Struct

from farside.annotations import TYPE_CHECKING
from farside.errors import ProtocolError
from farside.result.kinds import ValueKind as Kind
from farside.result.text import plain_text
from farside.result.type_names import written_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    LeafText = Callable[[Kind, bytes], str]  # how plain values are written

_HEAD = Struct("<BI")
_ARRAY = Struct("<BQ")
_COUNT = Struct("<Q")

MAX_DEPTH = 64
"""Values within values; the far side stops earlier."""

WIDTH = 100
"""Columns beyond which a value is folded."""

_OPENING = range(Kind.SEQUENCE, Kind.BUNDLE + 1)


@dataclass(slots=True)
class Node:
    """A value in a tree.

    Attributes:
        kind: what it is.
        data: of a plain value its bytes, of one made of others the text that goes with it.
        label: its name in the value that it is a part of.
        children: what it is made of.
        count: how many elements it has in all, where that is known.
        cut: whether it has more than was sent.
    """

    kind: Kind
    data: bytes = b""
    label: str = ""
    children: list[Node] = field(default_factory=list)
    count: int | None = None
    cut: bool = False


def parse_tree(data: bytes) -> tuple[Node | None, str]:
    """Return the value that tokens describe, None where there is none, and what went wrong.

    Raises:
        ProtocolError: they are malformed.
    """
    root = Node(Kind.OPTIONAL)
    open_values = [root]
    label = error = ""
    for kind, payload in _tokens(data):
        top = open_values[-1]
        if kind is Kind.LABEL:
            label = plain_text(payload)
        elif kind is Kind.COUNT:
            top.count = _count(payload)
        elif kind is Kind.CUT:
            top.cut = True
            label = ""
        elif kind is Kind.CLOSE:
            if len(open_values) == 1:
                raise ProtocolError("the far side closed a value that it had not opened")
            open_values.pop()
        elif kind is Kind.ERROR:
            error = plain_text(payload)
            top.cut = True
        elif kind is Kind.ARRAY:
            top.children += _elements(payload)
        else:
            node = Node(kind, payload, label)
            label = ""
            top.children.append(node)
            if kind in _OPENING:
                if len(open_values) == MAX_DEPTH:
                    raise ProtocolError("the far side sent a value that is nested too deep")
                open_values.append(node)
    if len(root.children) > 1 and not all(each.kind is Kind.BUNDLE for each in root.children[:-1]):
        raise ProtocolError("the far side sent more than one value where one was due")
    if error:
        for node in open_values:
            node.cut = True
    return (root if root.children else None), error


def _tokens(data: bytes) -> Iterator[tuple[Kind, bytes]]:
    position, end = 0, len(data)
    while position < end:
        if end - position < _HEAD.size:
            raise ProtocolError("the far side sent a value that ends within a token")
        number, size = _HEAD.unpack_from(data, position)
        position += _HEAD.size
        if size > end - position:
            raise ProtocolError("the far side sent a token that is longer than its value")
        try:
            kind = Kind(number)
        except ValueError:
            raise ProtocolError(f"the far side sent a token of the unknown kind {number}") from None
        if kind in (Kind.NONE, Kind.TREE):
            raise ProtocolError(f"the far side sent {kind.name} within a value")
        yield kind, data[position : position + size]
        position += size


def _count(payload: bytes) -> int:
    if len(payload) != _COUNT.size:
        raise ProtocolError("the far side sent a count that is no number")
    count: int = _COUNT.unpack(payload)[0]
    return count


def _elements(payload: bytes) -> list[Node]:
    if len(payload) < _ARRAY.size:
        raise ProtocolError("the far side sent an array without its head")
    number, size = _ARRAY.unpack_from(payload)
    try:
        kind = Kind(number)
    except ValueError:
        raise ProtocolError(f"the far side sent an array of the unknown kind {number}") from None
    body = payload[_ARRAY.size :]
    if kind >= Kind.TREE or not size or len(body) % size:
        raise ProtocolError(f"the far side sent an array of {kind.name} with elements of {size}")
    return [Node(kind, body[at : at + size]) for at in range(0, len(body), size)]


# ---------------------------------------------------------------------------- text


def tree_text(node: Node, leaf: LeafText) -> str:
    """Return the text of a value, folded into lines where it is long."""
    flat = _flat(node, leaf)
    return flat if len(flat) <= WIDTH and "\n" not in flat else _folded(node, leaf, 0)


_BRACED = (Kind.SEQUENCE, Kind.MAP, Kind.TUPLE, Kind.RECORD, Kind.BUNDLE)


def _flat(node: Node, leaf: LeafText) -> str:
    if node.kind not in _OPENING:
        return _leaf(node, leaf)
    if node.kind in _BRACED:
        parts = _entries(node, [_flat(each, leaf) for each in node.children])
        return f"{{ {', '.join(parts)} }}" if parts else "{}"
    return _around(node, [_flat(each, leaf) for each in node.children])


def _folded(node: Node, leaf: LeafText, indent: int) -> str:
    """Return the text over several lines, the first without indentation."""
    flat = _flat(node, leaf)
    if (len(flat) + indent <= WIDTH and "\n" not in flat) or node.kind not in _OPENING:
        return flat.replace("\n", "\n" + " " * indent)
    if node.kind not in _BRACED:
        return _around(node, [_folded(each, leaf, indent) for each in node.children])
    inner = indent + 2
    pad = " " * inner
    if all(each.kind not in _OPENING for each in node.children) and node.kind is not Kind.RECORD:
        lines = _filled(_entries(node, [_flat(each, leaf) for each in node.children]), inner)
    else:
        entries = _entries(node, [_folded(each, leaf, inner) for each in node.children])
        lines = [entry + "," for entry in entries[:-1]] + entries[-1:]
    body = "\n".join(pad + line for line in lines)
    return f"{{\n{body}\n{' ' * indent}}}"


def _filled(entries: list[str], indent: int) -> list[str]:
    """Return entries with commas, as many on a line as fit."""
    lines, line = [], ""
    for index, entry in enumerate(entries):
        part = entry + ("," if index + 1 < len(entries) else "")
        if line and indent + len(line) + 1 + len(part) > WIDTH:
            lines.append(line)
            line = part
        else:
            line = f"{line} {part}" if line else part
    return [*lines, line] if line else lines


def _entries(node: Node, texts: list[str]) -> list[str]:
    """Return what stands between a value's braces."""
    entries = [
        f"{each.label} = {text}" if each.label else text
        for each, text in zip(node.children, texts, strict=True)
    ]
    shown = len(entries)
    if node.kind is Kind.MAP:
        shown //= 2
        entries = [f"{key} => {value}" for key, value in zip(*[iter(entries)] * 2, strict=False)]
    if node.cut:
        more = (node.count or 0) - shown
        entries.append(f"… {more} more" if more > 0 else "…")
    return entries


def _around(node: Node, parts: list[str]) -> str:
    """Return a value that is shown without braces of its own."""
    text = plain_text(node.data)
    whole = "".join(parts) + ("…" if node.cut else "")
    match node.kind:
        case Kind.TYPED:
            # Of a base the dynamic type is that of the whole.
            return (
                whole if node.label.startswith("<") else f"({written_type(text)}) {whole}".rstrip()
            )
        case Kind.QUANTITY:
            return whole + text
        case Kind.UNEXPECTED:
            return f"unexpected {whole}"
        case Kind.POINTEE:
            return " -> ".join(parts) + ("…" if node.cut else "")
        case _:
            return whole or text


def _leaf(node: Node, leaf: LeafText) -> str:
    data = node.data
    match node.kind:
        case Kind.TEXT:
            return plain_text(data)
        case Kind.NAME:
            return written_type(plain_text(data))
        case Kind.CYCLE:
            return "(cycle)"
        case Kind.UNREADABLE:
            return f"<cannot read memory at {_address(data):#x}>"
        case Kind.MEMBER:
            offset = int.from_bytes(data, "little", signed=True)
            return "nullptr" if offset == -1 else f"(member at offset {offset})"
        case Kind.METHOD:
            return _method(data)
        case Kind.TIME:
            return _time(data)
        case _:
            return leaf(node.kind, data)


def _address(data: bytes) -> int:
    if len(data) != 8:
        raise ProtocolError("the far side sent an address that is none")
    return int.from_bytes(data, "little")


def _method(data: bytes) -> str:
    """Read a pointer to a member function: Itanium C++ ABI, 2.3.2."""
    if len(data) != 16:
        raise ProtocolError("the far side sent a pointer to a member function that is none")
    pointer = int.from_bytes(data[:8], "little")
    if pointer == 0:
        return "nullptr"
    if pointer & 1:
        return f"virtual function #{(pointer - 1) // 8}"
    return f"Function @{pointer:#x}"


def _time(data: bytes) -> str:
    if len(data) != 8:
        raise ProtocolError("the far side sent a time that is none")
    from datetime import datetime, timedelta

    nanoseconds = int.from_bytes(data, "little", signed=True)
    seconds, rest = divmod(nanoseconds, 10**9)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    moment = epoch + timedelta(seconds=seconds)  # 64 bits of nanoseconds are 292 years
    text = f"{moment:%Y-%m-%d %H:%M:%S}"
    return f"{text}.{rest:09d} UTC" if rest else f"{text} UTC"
