"""Names of types as a programmer writes them, out of those that demanglers and Clang give."""

from __future__ import annotations

import re

# The tags of classes that are defined again, and the functions that cells' statements become.
_CELL = re.compile(r"\[abi:cell\d+\]|\bcell\d+s\d+\(\)::")
_DEMANGLED = re.compile(r"std::__(?:cxx11|1)::|> >|\$_\d|\{lambda\(|'lambda")
_INLINE = re.compile(r"\bstd::__(?:cxx11|1)::")
_LAMBDA = re.compile(r"\{lambda\([^{}]*\)#\d+\}|'lambda\d*'\([^()]*\)|\$_\d+")
_TEMPLATE = re.compile(r"[\w:]+\Z")

# By template: the arguments that nobody writes, each in terms of the first.
_OF_ELEMENTS = ("std::allocator<",)
_OF_KEYS = ("std::less<{0}>", *_OF_ELEMENTS)
_OF_HASHED = ("std::hash<{0}>", "std::equal_to<{0}>", *_OF_ELEMENTS)
_OF_CHARACTERS = ("std::char_traits<{0}>", *_OF_ELEMENTS)
_DEFAULTS = {
    **dict.fromkeys(("vector", "deque", "list", "forward_list", "match_results"), _OF_ELEMENTS),
    **dict.fromkeys(("set", "multiset", "map", "multimap"), _OF_KEYS),
    **dict.fromkeys(
        (f"unordered_{many}{kind}" for many in ("", "multi") for kind in ("set", "map")), _OF_HASHED
    ),
    **dict.fromkeys(("basic_string", "basic_string_view"), _OF_CHARACTERS),
    **dict.fromkeys(("stack", "queue"), ("std::deque<{0}>",)),
    "priority_queue": ("std::vector<{0}>", "std::less<{0}>"),
    "unique_ptr": ("std::default_delete<{0}>",),
}
_ALIASES = {
    f"std::basic_string{view}<{character}>": f"std::{prefix}string{view}"
    for view in ("", "_view")
    for character, prefix in (
        ("char", ""),
        ("wchar_t", "w"),
        ("char8_t", "u8"),
        ("char16_t", "u16"),
        ("char32_t", "u32"),
    )
}


def written_type(name: str) -> str:
    """Return the name of a type without what nobody writes.

    These are the tags that tell what is defined again from the old, the functions of cells, inline
    namespaces and default arguments of the library, and the numbers of lambdas.
    """
    name = _CELL.sub("", name)
    if _DEMANGLED.search(name) is None:  # Clang has written it
        return name
    whole = _LAMBDA.sub("(lambda)", _INLINE.sub("std::", name))
    try:
        parts, end = _parts(whole, 0)
    except ValueError:
        return whole
    return ", ".join(parts) if end == len(whole) else whole


def _parts(text: str, at: int) -> tuple[list[str], int]:
    """Return the parts of a list that commas separate, and where it ends.

    Raises:
        ValueError: brackets do not match, as where ``<`` is an operator.
    """
    found: list[str] = []
    now = ""
    round_brackets = 0
    inner = at > 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "<":
            arguments, at = _parts(text, at)
            now = _made(now, arguments)
            continue
        round_brackets += (char == "(") - (char == ")")
        if char == ">" and inner and not round_brackets:
            return [*found, now.strip()], at
        if char == "," and not round_brackets:
            found.append(now.strip())
            now = ""
        else:
            now += char
    if inner or round_brackets:
        raise ValueError(text)
    return [*found, now.strip()], at


def _made(before: str, arguments: list[str]) -> str:
    """Return what ends in a template's name, with those of its arguments that are no defaults."""
    match = _TEMPLATE.search(before)
    name = match.group() if match else ""
    defaults = list(_DEFAULTS.get(name.removeprefix("std::"), ())) if "std::" in name else []
    arguments = list(arguments)
    while defaults and len(arguments) > 1:
        if not arguments[-1].startswith(defaults.pop().format(arguments[0])):
            break
        arguments.pop()
    made = f"{name}<{', '.join(arguments)}>"
    return before.removesuffix(name) + _ALIASES.get(made, made)
