"""What a Python argument can be in C++: its forms, best first, and how its bytes are made.

Overloads are for Clang to choose between, so a form is an ordinary C++ value of the type that a C++
programmer would have written: ``int``, ``double``, ``std::string``, ``std::vector<double>``. Only
where no function takes the first forms are the others tried, the last of which converts to
whatever the parameter's type is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from os import PathLike

from farside.annotations import TYPE_CHECKING, Any
from farside.calls.copies import Copy
from farside.calls.records import holds_record, is_record
from farside.calls.wire import (
    DATE,
    DURATION,
    TIME,
    Encoder,
    array_of,
    elements_of,
    encoded,
    integer,
    moment,
    scalar_of,
)
from farside.errors import ArgumentMismatch
from farside.records import NamedTuple
from farside.result.numbers import ELEMENTS
from farside.result.objects import CppObject
from farside.result.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable

MADE = re.compile(r"\(\*reinterpret_cast<(.+) \*>\((0x[0-9a-f]+)ul /\* \d+ \*/\)\)")
_INT32 = range(-(1 << 31), 1 << 31)
_INT64 = range(-(1 << 63), 1 << 63)
_UINT64 = range(1 << 64)
_TYPE = re.compile(r"[\w:<>,*&\s\[\]()]+")


class Form(NamedTuple):
    """One way to give an argument.

    Attributes:
        declare: statements that read it; ``@`` stands for its name, ``#`` for its number.
        give: the expression that the function is given.
        headers: what they need.
        narrowed: as `declare`, where the parameter is a type of numbers, ``$``, that does not hold
            all values of this one; empty where there is no such form.
        forwarded: as `declare`, for a template of the library that hands it on to what converts it;
            empty where there is no such form.
        taken: as `declare`, for a template that takes the argument's type for its own; empty where
            `declare` is fit for that.
    """

    declare: str
    give: str
    headers: tuple[str, ...] = ()
    narrowed: str = ""
    forwarded: str = ""
    taken: str = ""


class Argument(NamedTuple):
    """One argument.

    Attributes:
        key: equal for arguments that the same code serves.
        forms: best first.
        encode: appends its bytes.
        said: what it is, for messages.
        ref: what is to be changed after the call, None for most.
        scalar: the letter of the struct module for what has no tag, empty for all else.
        exact: a form that becomes whatever class the parameter's type is, and checks that it can;
            None where there is none.
    """

    key: str
    forms: tuple[Form, ...]
    encode: Callable[[Encoder], object]
    said: str
    ref: Ref | None = None
    scalar: str = ""
    exact: Form | None = None


@dataclass(eq=False)
class Ref:
    """An argument that the function may change: a variable that lives as long as the call.

    ``value`` is what it holds, before the call and after it. An array (numpy's, for example) is
    changed in place. ``type`` is the C++ type where the value does not say it: ``Ref(3, "long")``.
    """

    value: Any
    type: str = ""
    offset: int | None = field(default=None, repr=False)
    """Where an array lies beside the bytes of the call that runs."""
    size: int = field(default=0, repr=False)
    """Bytes of an array, when the call began."""


@dataclass(frozen=True)
class As:
    """A value given as a certain C++ type: ``As("unsigned char", 7)``, ``As("Color", 1)``."""

    type: str
    value: Any


def rvalue(kind: str, read: str, headers: tuple[str, ...] = ()) -> Form:
    """Return the form of a value of a type."""
    declare = f"{kind} @ = farside::wire::argument(#, [&]() -> {kind} {{ return {read}; }});"
    return Form(declare, f"static_cast<{kind} &&>(@)", headers)


def tagged(kind: str, headers: tuple[str, ...] = ()) -> Form:
    """Return the form of a type that ``farside::wire::Read`` reads."""
    return rvalue(kind, _READ.format(kind), headers)


def _number(kind: str, headers: tuple[str, ...] = ()) -> Form:
    """Return the form of a number of a type, which perhaps only C++ knows to be one of numbers."""
    return tagged(kind, headers)._replace(
        narrowed=f"$ @ = {_CHECKED.format('$')};",
        forwarded=f"const farside::wire::Forwarded @(#, {_CHECKED.format(kind)});",
    )


def _exact_number(kind: str) -> Form:
    return Form(f"const farside::wire::Exact @(#, {_CHECKED.format(kind)});", "@")


_READ = "farside::wire::Read<{}>::from(__fs_in)"
_CHECKED = f"farside::wire::argument(#, [&] {{{{ return {_READ}; }}}})"
_NARROWED = "$ @ = farside::wire::cut<$>(#, __fs_in.raw<{}>());"
_FORWARDED = "const farside::wire::Forwarded<{0}> @(#, __fs_in.raw<{0}>());"


def _raw(kind: str, wire: str) -> Form:
    declare = f"{kind} @ = static_cast<{kind}>(__fs_in.raw<{wire}>());"
    return Form(
        declare, f"static_cast<{kind} &&>(@)", (), _NARROWED.format(wire), _FORWARDED.format(wire)
    )


_BOOL = (Form("bool @ = __fs_in.raw<unsigned char>() != 0;", "static_cast<bool &&>(@)"),)
_INT = (_raw("int", "long"),)
_LONG = (_raw("long", "long"),)
_ULONG = (_raw("unsigned long", "unsigned long"),)
_DOUBLE = (_raw("double", "double"),)

FLEXIBLE = Form("farside::wire::Flexible @(#, farside::wire::skip(__fs_in));", "@")
_RECORD = Form("farside::wire::FlexibleRecord @(#, farside::wire::skip(__fs_in));", "@")

SCALARS: dict[str, tuple[Form, ...]] = {
    "?": _BOOL,
    "i": _INT,
    "q": _LONG,
    "Q": _ULONG,
    "d": _DOUBLE,
}
"""The forms of plain numbers, by the letter that stands for them in a key."""

_EXACT = {
    letter: Form(f"const farside::wire::Exact @(#, {read});", "@")
    for letter, read in (
        ("?", "__fs_in.raw<unsigned char>() != 0"),
        ("i", "__fs_in.raw<long>()"),
        ("q", "__fs_in.raw<long>()"),
        ("Q", "__fs_in.raw<unsigned long>()"),
        ("d", "__fs_in.raw<double>()"),
    )
}

LETTERS = {"?": "?", "i": "q", "q": "q", "Q": "Q", "d": "d"}
"""How plain numbers are packed."""

_SCALAR_NAMES = {"?": "bool", "i": "int", "q": "int", "Q": "int", "d": "float"}
_STRING = tagged("std::string", ("string",))
TEXT_POINTER = tagged("const char *")
"""The form of a str where a function takes a pointer. It is not what a str is to a template."""

_COMPLEX = tagged("std::complex<double>", ("complex",))
_NULL = tagged("std::nullptr_t")
# A std::optional's own template would take what converts to anything.
_NULLOPT = rvalue(
    "std::nullopt_t",
    "static_cast<void>(farside::wire::Read<std::nullptr_t>::from(__fs_in)), std::nullopt",
    ("optional",),
)
_MONOSTATE = rvalue(
    "std::monostate",
    "static_cast<void>(farside::wire::Read<std::nullptr_t>::from(__fs_in)), std::monostate()",
    ("variant",),
)
_FUNCTION = Form(
    "const farside::wire::Function @{farside::wire::Read<farside::Callable>::from(__fs_in)};",
    "@",
    ("functional",),
)
_CALLABLE = Form(
    "const auto @ = farside::wire::Read<farside::Callable>::from(__fs_in);",
    "@",
    ("functional",),
)


_PATH = tagged("std::filesystem::path", ("filesystem",))
_WIDE = ("w", (_number("__int128"), FLEXIBLE))
_UNSIGNED_WIDE = ("W", (_number("unsigned __int128"), FLEXIBLE))
_CHRONO = ("chrono",)
_ANY_TIME = FLEXIBLE._replace(headers=_CHRONO)
_OF_MOMENTS = {
    DURATION: "std::chrono::microseconds",
    TIME: "std::chrono::sys_time<std::chrono::microseconds>",
    DATE: "std::chrono::year_month_day",
}
# What fits the parameter comes first: chrono's own conversions overflow in silence.
_MOMENTS = {
    DURATION: ("t", (_ANY_TIME, tagged(_OF_MOMENTS[DURATION], _CHRONO))),
    TIME: ("T", (_ANY_TIME, tagged(_OF_MOMENTS[TIME], _CHRONO))),
    DATE: ("D", (tagged(_OF_MOMENTS[DATE], _CHRONO), _ANY_TIME)),
}


def letter_of(value: object) -> str:
    """Return the letter of a plain Python number, empty for all else."""
    kind = type(value)
    if kind is int:
        assert isinstance(value, int)
        if value in _INT32:
            return "i"
        if value in _INT64:
            return "q"
        if value in _UINT64:
            return "Q"
    if kind is float:
        return "d"
    return "?" if kind is bool else ""


def describe(value: object) -> Argument:
    """Return what an argument can be.

    Raises:
        ArgumentMismatch: it has no form in C++.
    """
    letter = letter_of(value)
    if letter:
        forms, said, exact = SCALARS[letter], _SCALAR_NAMES[letter], _EXACT[letter]
        return Argument(letter, forms, _never, said, None, letter, exact)
    if isinstance(value, Value):
        return _alive(value)
    if isinstance(value, Ref):
        return _reference(value)
    if isinstance(value, As):
        return _as(value)
    if isinstance(value, str):
        encoded(value)
        return _plain("s", (_STRING, TEXT_POINTER, FLEXIBLE), value, "str")
    if (kind := getattr(value, "type", "")) and isinstance(value, int) and _is_type(kind):
        return _typed_number(value, kind)
    if type(value) is int:
        integer(value)
        return _plain(*(_WIDE if value < 1 << 127 else _UNSIGNED_WIDE), value, "int")
    if (when := moment(value)) is not None:
        return _plain(*_MOMENTS[when[0]], value, type(value).__name__)
    scalar = scalar_of(value)
    if scalar is not None:
        return _of_library(value, scalar)
    if value is None:
        none = _plain("n", (_NULL, _NULLOPT, _MONOSTATE, FLEXIBLE), None, "None")
        # Before C++23 a std::optional<std::string> takes a null pointer for a string.
        return none._replace(exact=_NULLOPT)
    if isinstance(value, complex):
        flexible = FLEXIBLE._replace(headers=_COMPLEX.headers)
        return _plain("c", (_COMPLEX, flexible), value, "complex")
    if isinstance(value, bytes):
        return _plain("b", (_STRING, FLEXIBLE), value, "bytes")
    view = array_of(value)
    if view is not None and view.ndim == 0 and type(value).__name__ == "longdouble":
        return _long_double(view)
    if view is not None:
        return _array(view, type(value).__name__)
    if isinstance(value, PathLike):
        return _plain("p", (_PATH, _STRING, TEXT_POINTER, FLEXIBLE), value, type(value).__name__)
    if isinstance(value, CppObject):
        return _copy(value)
    if isinstance(value, Mapping | Sequence | AbstractSet) or is_record(value):
        return _container(value)
    if callable(value):
        return _plain("f", (_FUNCTION, _CALLABLE), value, "callable")
    if isinstance(value, int | float):  # a subclass, such as an enumeration of Python's
        return describe(int(value) if isinstance(value, int) else float(value))
    if getattr(getattr(value, "dtype", None), "kind", "") in ("m", "M"):
        raise ArgumentMismatch(
            f"an array of {value.dtype} has no form in C++; give its numbers, as from"  # type: ignore[attr-defined]
            ' .astype("int64"), or a list of its elements'
        )
    raise ArgumentMismatch(f"a Python {type(value).__name__} has no form in C++")


def _copy(value: CppObject) -> Argument:
    """Return a copy of an object that C++ gave, as an object of its class again."""
    copy = Copy(value, _is_type)

    def encode(encoder: Encoder) -> None:
        for each in copy.leaves:
            encoder.value(each)

    kind, headers = value.__cpp_type__, _headers_for(copy.leaves)
    forms = tuple(
        Form(
            f"{kind} @ = farside::wire::argument(#, [&]() -> {kind} {{ {body} }});",
            f"static_cast<{kind} &&>(@)",
            headers,
        )
        for body in copy.bodies
    )
    # Members of members are members of the key, too: what they are made of stands in the code.
    return Argument(f"{{{copy.bodies[-1]}}}", forms, encode, kind)


def _container(value: object) -> Argument:
    """Return what holds other values, as the type that it has in C++ or what is asked for."""
    found = cpp_type(value)
    records = holds_record(value)
    if found is None:  # empty, perhaps, and so of whatever it is asked for
        forms = (_RECORD,) if records else (FLEXIBLE, _RECORD)
    else:
        asked = (_RECORD if records else FLEXIBLE)._replace(headers=found.headers)
        forms = (tagged(found.text, found.headers), asked)
    key = f"<{'' if found is None else found.text}{'{}' if records else ''}>"
    return _plain(key, forms, value, type(value).__name__)


def _headers_for(values: list[object]) -> tuple[str, ...]:
    found = [cpp_type(each) for each in values]
    return tuple(sorted({name for each in found if each is not None for name in each.headers}))


def _never(_: Encoder) -> None:
    """Plain numbers are packed by the signature's own struct."""


def _plain(key: str, forms: tuple[Form, ...], value: object, said: str) -> Argument:
    exact = next((each for each in forms[1:] if each.declare == FLEXIBLE.declare), None)
    return Argument(key, forms, lambda encoder: encoder.value(value), said, exact=exact)


def _is_type(text: object) -> bool:
    return isinstance(text, str) and _TYPE.fullmatch(text) is not None


def _typed_number(value: int, kind: str) -> Argument:
    """Return an enumerator or a pointer, as a result of a call or of ``eval``."""
    read = "__fs_in.raw<long>()" if not kind.endswith("*") else "__fs_in.raw<unsigned long>()"
    narrowed = _NARROWED.format("long") if not kind.endswith("*") else ""
    form = Form(f"{kind} @ = ({kind}){read};", f"static_cast<{kind} &&>(@)", (), narrowed)
    number = int(value)

    def encode(encoder: Encoder) -> None:
        mask = number & ((1 << 64) - 1)
        encoder.parts.append(mask.to_bytes(8, "little"))

    return Argument(f"#{kind}", (form,), encode, kind)


_OWN = ("bool", "double", "std::complex<double>")  # of Python's numbers, too


def _of_library(value: object, scalar: bool | int | float | complex) -> Argument:
    """Return a number of numpy's, which knows its own type."""
    kind = ELEMENTS.get(str(getattr(value, "dtype", "")))
    if kind is None or kind in _OWN:
        return describe(scalar)
    if isinstance(scalar, complex):
        form = tagged(kind, _COMPLEX.headers)
        return _plain(f"({kind})", (form,), scalar, type(value).__name__)
    number = _plain(f"({kind})#", (_number(kind),), scalar, type(value).__name__)
    return number._replace(exact=_exact_number(kind))


def _as(value: As) -> Argument:
    if not _is_type(value.type):
        raise ArgumentMismatch(f"{value.type!r} is no type of C++")
    inner = value.value
    if isinstance(inner, As | Ref | Value):
        raise ArgumentMismatch(f"As({value.type!r}, …) takes a plain value")
    scalar = scalar_of(inner)
    if not isinstance(inner if scalar is None else scalar, int | float):
        return _plain(f"({value.type})", (tagged(value.type),), inner, value.type)
    number = _plain(f"({value.type})#", (_number(value.type),), inner, value.type)
    return number._replace(exact=_exact_number(value.type))


def _alive(value: Value) -> Argument:
    """Return an object of the program, which is given by reference."""
    name = getattr(value, "name", "")
    if not name:
        raise ArgumentMismatch(
            f"this value ({value.type}) is only what was shown of an object; it is not alive in the"
            " program and cannot be an argument"
        )
    made = MADE.fullmatch(name)
    if made is None:
        return Argument(f"@{name}", (Form("", name),), _never, value.type)
    # One that a call made: all of its type are served by the same code.
    kind, address = made.group(1), int(made.group(2), 16)
    declare = f"auto *@ = reinterpret_cast<{kind} *>(__fs_in.raw<unsigned long>());"
    encode = address.to_bytes(8, "little")
    return Argument(
        f"*{kind}",
        (Form(declare, "(*@)"),),
        lambda encoder: encoder.parts.append(encode),
        value.type,
    )


def _reference(ref: Ref) -> Argument:
    inner = ref.value
    view = None if isinstance(inner, str | bytes) else array_of(inner)
    if view is not None:
        return _changed_array(ref, view)
    if isinstance(inner, Ref | As):
        raise ArgumentMismatch("Ref takes a plain value; a type is its second argument")
    if ref.type:
        described = _as(As(ref.type, inner))
    else:
        described = describe(inner)
        if described.scalar:
            described = _retagged(described, inner)
    form = described.forms[0]
    if "@" not in form.declare or form is FLEXIBLE or not form.give.startswith("static_cast<"):
        raise ArgumentMismatch(
            f'Ref({described.said}) needs its C++ type, as in Ref(value, "std::vector<int>")'
        )
    changed = Form(form.declare, "@", form.headers)
    return Argument(
        f"&{described.key}", (changed,), described.encode, f"Ref({described.said})", ref
    )


def _retagged(described: Argument, value: object) -> Argument:
    """Return a plain number as it is within other values, with its tag."""
    kind = {"?": "bool", "i": "int", "q": "long", "Q": "unsigned long", "d": "double"}
    return _plain(described.key, (tagged(kind[described.scalar]),), value, described.said)


def _headers_of(view: memoryview) -> tuple[str, ...]:
    return ("complex",) if elements_of(view).kind == "c" else ()


def _array_type(view: memoryview, constant: bool) -> str:
    name = elements_of(view).type
    return f"{'const ' if constant else ''}{name}, {view.ndim}"


def _array_form(kind: str, view: memoryview) -> Form:
    """Return the form of an array: what becomes a pointer or container, but to a template a span.

    Args:
        kind: elements and dimensions.
        view: of the array.
    """
    array = f"farside::wire::readArray<{kind}>(__fs_in)"
    read = f"= farside::wire::argument(#, [&] {{ return {array}; }});"
    element = kind.rpartition(",")[0]
    span = f"std::span<{element}>" if view.ndim == 1 else f"farside::ndspan<{kind}>"
    return Form(f"auto @ {read}", "@", _headers_of(view), taken=f"{span} @ {read}")


def _long_double(view: memoryview) -> Argument:
    """Return the one number of numpy's that no number of Python's holds, as an array of none."""
    read = "farside::wire::readScalar<{}>(__fs_in)".format
    form = rvalue("long double", read("long double"))._replace(
        narrowed=f"$ @ = farside::wire::argument(#, [&] {{ return {read('$')}; }});",
        forwarded=f"const farside::wire::Forwarded<long double> @(#, {read('long double')});",
    )
    return Argument("(long double)[]", (form,), lambda encoder: encoder.array(view), "longdouble")


def _array(view: memoryview, said: str) -> Argument:
    kind = _array_type(view, constant=True)
    form = _array_form(kind, view)
    shape = "×".join(map(str, view.shape or ()))
    return Argument(
        f"[{kind}]",
        (form, FLEXIBLE),
        lambda encoder: encoder.array(view),
        f"{said} of {elements_of(view).type}, {shape}",
    )


def _changed_array(ref: Ref, view: memoryview) -> Argument:
    if getattr(getattr(ref.value, "dtype", None), "byteorder", "=") == ">":
        raise ArgumentMismatch(
            "an array that a call is to change must have the machine's byte order; give a copy, as"
            ' from .astype(array.dtype.newbyteorder("="))'
        )
    if view.readonly or not view.c_contiguous:
        raise ArgumentMismatch(
            "an array that a call is to change must be writable and contiguous; give a copy"
        )
    kind = _array_type(view, constant=False)
    form = _array_form(kind, view)

    def encode(encoder: Encoder) -> None:
        ref.offset, ref.size = encoder.array(view), view.nbytes

    return Argument(f"&[{kind}]", (form,), encode, f"Ref(array of {elements_of(view).type})", ref)


class CppType(NamedTuple):
    """A type that holds a Python value, and the headers that it needs."""

    text: str
    headers: tuple[str, ...] = ()


def cpp_type(value: object, depth: int = 0) -> CppType | None:
    """Return the type that a C++ programmer would choose for a value; None where there is none."""
    if depth > 8:
        return None
    kind = type(value)
    if kind is bool:
        return CppType("bool")
    if kind is int:
        assert isinstance(value, int)
        wide = "long" if value in _INT64 else "unsigned long"
        if value not in _INT64 and value not in _UINT64:
            return CppType("__int128" if value < 1 << 127 else "unsigned __int128")
        return CppType("int" if value in _INT32 else wide)
    if kind is float:
        return CppType("double")
    if kind is complex:
        return CppType("std::complex<double>", ("complex",))
    if isinstance(value, str):
        return CppType("std::string", ("string",))
    if isinstance(value, PathLike):
        return CppType("std::filesystem::path", ("filesystem",))
    if isinstance(value, CppObject):
        named = _is_type(value.__cpp_type__) and "(" not in value.__cpp_type__
        return CppType(value.__cpp_type__) if named else None
    if (when := moment(value)) is not None:
        return CppType(_OF_MOMENTS[when[0]], _CHRONO)
    if isinstance(value, tuple):
        parts = [cpp_type(each, depth + 1) for each in value]
        return _made("std::tuple", "tuple", parts) if parts else None
    if isinstance(value, Mapping):
        of_keys, of_values = common(value.keys(), depth), common(value.values(), depth)
        return _made("std::map", "map", [of_keys, of_values])
    if isinstance(value, AbstractSet):
        return _made("std::set", "set", [common(value, depth)])
    if isinstance(value, list):
        return _made("std::vector", "vector", [common(value, depth)])
    if isinstance(value, bytes):
        return CppType("std::string", ("string",))
    view = array_of(value)
    return None if view is None or not view.ndim else _vectors(view)


def _vectors(view: memoryview) -> CppType:
    """Return what owns the elements of an array: within other values no span is given."""
    made = CppType(elements_of(view).type, _headers_of(view))
    for _ in range(view.ndim):
        made = CppType(f"std::vector<{made.text}>", tuple(sorted({*made.headers, "vector"})))
    return made


def _made(template: str, header: str, parts: Sequence[CppType | None]) -> CppType | None:
    known = [each for each in parts if each is not None]
    if len(known) != len(parts):
        return None
    headers = {header, *(name for each in known for name in each.headers)}
    inner = ", ".join(each.text for each in known)
    return CppType(f"{template}<{inner}>", tuple(sorted(headers)))


_RANKS = ("int", "long", "unsigned long", "double")


def common(values: Any, depth: int) -> CppType | None:
    """Return the type that all elements have; numbers are widened."""
    if isinstance(values, list) and set(map(type, values)) == {float}:
        return CppType("double")
    found: CppType | None = None
    for each in values:
        kind = cpp_type(each, depth + 1)
        if kind is None:
            return None
        if found is None or found == kind:
            found = kind
        elif found.text in _RANKS and kind.text in _RANKS:
            found = max(found, kind, key=lambda one: _RANKS.index(one.text))
        else:
            return None
    return found
