"""``session.fn``: what the program has, as attributes that can be called."""

from __future__ import annotations

import re

from farside.annotations import TYPE_CHECKING, Any, Protocol
from farside.errors import CallError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farside.result.value import Value


class CallHost(Protocol):
    """What can be called through."""

    def call(self, callee: str, /, *arguments: object) -> Any:
        """Call something of the program's."""


_LITERAL = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])+'", re.DOTALL)
_INNERMOST = re.compile(r"\([^()\[\]{}]*\)|\[[^()\[\]{}]*\]|\{[^()\[\]{}]*\}")
# What a name may be apart from what stands in brackets, up to its first template argument.
_NAME = re.compile(
    r"\s*(?:::\s*)?(?:[*&]\s*)*(?:(?:template\s+)?~?\s*(?:[^\W\d]\w*)?\s*(?:::|\.|->)\s*)*"
    r"(?:template\s+)?~?\s*(?:[^\W\d]\w*)?\s*(?:<.*>[\w:\s.~]*)?\s*",
    re.DOTALL,
)


def _may_be_called(text: str) -> bool:
    if "operator" in text:
        return True
    outside, before = _LITERAL.sub('"', text), ""
    while outside != before:
        before, outside = outside, _INNERMOST.sub("", outside)
    ends = ("::", ".", "->", "~", "*", "&")
    return (
        bool(text.strip())
        and _NAME.fullmatch(outside) is not None
        and not outside.rstrip().endswith(ends)
    )


def _checked(text: str) -> str:
    """Return what a program may call a name of C++, or an expression that can be called.

    Clang is asked only when it is called, and finds meanings for much that nobody meant.

    Raises:
        CallError: it is neither.
        TypeError: it is no str.
    """
    if not isinstance(text, str):
        raise TypeError(f"a name of C++ is a str, not {type(text).__name__}")
    if not _may_be_called(text):
        raise CallError(
            f"{text!r} is no name of C++ that could be called; write it as C++ does, such as"
            ' fn["std::max<double>"] or fn["operator+"]',
            text,
        )
    return text


class Callee:
    """Something of the program's that can be called, or a namespace or class that has such.

    ``callee(…)`` calls it, ``callee.name`` is ``callee::name``, and ``callee["<double>"]`` adds
    template arguments or whatever else stands behind a name.
    """

    __slots__ = ("_host", "_name")
    __iter__ = None  # there is no list of names; Python would ask for 0, 1, 2, …

    def __init__(self, host: CallHost, name: str) -> None:
        self._host = host
        self._name = name

    def __call__(self, *arguments: object, **named: object) -> Any:
        """Call it with Python values; see `farside.session.Session.call`.

        Raises:
            TypeError: an argument has a name, which C++ does not know.
        """
        if named:
            raise by_name(self._name, named)
        return self._host.call(self._name, *arguments)

    def __getattr__(self, name: str) -> Callee:
        if name.startswith("__"):
            raise AttributeError(name)
        return Callee(self._host, f"{self._name}::{name}")

    def __getitem__(self, text: str) -> Callee:
        joint = "" if _checked(text).startswith("<") else "::"
        return Callee(self._host, f"{self._name}{joint}{text}")

    def __repr__(self) -> str:
        return f"<C++ {self._name}>"


def by_name(name: str, named: Mapping[str, object]) -> TypeError:
    """Return what is raised for arguments that are given by name."""
    return TypeError(
        f"{name}: C++ knows no arguments by name, such as {', '.join(named)}; give the values"
        " alone, in the order of the parameters"
    )


class Method:
    """A member function of an object of the program's."""

    __slots__ = ("_host", "_name", "_object")

    def __init__(self, host: CallHost, name: str, alive: Value) -> None:
        self._host = host
        self._name = name
        self._object = alive

    def __call__(self, *arguments: object, **named: object) -> Any:
        """Call it with Python values; see `Callee.__call__`."""
        if named:
            raise by_name(self._name, named)
        return self._host.call(self._name, self._object, *arguments)

    def __repr__(self) -> str:
        return f"<C++ {self._object.type}{self._name}>"


class Methods:
    """The member functions of an object of the program's."""

    __slots__ = ("_host", "_object")
    __iter__ = None

    def __init__(self, host: CallHost, alive: Value) -> None:
        self._host = host
        self._object = alive

    def __getattr__(self, name: str) -> Method:
        if name.startswith("__"):
            raise AttributeError(name)
        return Method(self._host, f".{name}", self._object)

    def __getitem__(self, text: str) -> Method:
        return Method(self._host, f".{_checked(text)}", self._object)


class Functions:
    """The names of the program: ``fn.name``, or ``fn["any::name<with, arguments>"]``."""

    __slots__ = ("_host",)
    __iter__ = None

    def __init__(self, host: CallHost) -> None:
        self._host = host

    def __getattr__(self, name: str) -> Callee:
        if name.startswith("__"):
            raise AttributeError(name)
        return Callee(self._host, name)

    def __getitem__(self, text: str) -> Callee:
        return Callee(self._host, _checked(text))
