"""The C++ that stands for a call: one function that reads arguments, calls, and gives the result.

It is compiled once for each function and kinds of arguments. Each argument stands on a line of its
own, so that the place of what Clang says of it tells which one it is.
"""

from __future__ import annotations

import re
from functools import partial

from farside.annotations import TYPE_CHECKING
from farside.errors import ArgumentCount, ArgumentMismatch, CallError, CompileError, UndefinedName
from farside.frontend.diagnostics import of_old_definition
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set

    from farside.calls.arguments import Argument, Form
    from farside.frontend.diagnostics import Diagnostic

_OPERATOR = re.compile(r"(?:.*::)?operator\s*([-+*/%^&|~!=<>,]+|\[\]|\(\))\Z", re.DOTALL)
_NARROWING = (
    "-Wimplicit-int-conversion",
    "-Wshorten-64-to-32",
    "-Wsign-conversion",
    "-Wfloat-conversion",
    "-Wliteral-conversion",
    "-Wimplicit-float-conversion",
)
# Of native/compiler/call_check.cpp.
_CONVERTED = "a constructor converts this"
_TAKEN = "a template takes this"
_ARRAY_TAKEN = "a template takes this array"
_NULL_TEXT = "a null pointer becomes text"
_POINTER_TAKEN = "a template takes this pointer"
_CAST = "a cast changes this to "
_CAST_FLOAT = "a cast changes this float to "
_ONLY_CAST = "only a cast turns this to "
_FRACTION = "-Wfloat-conversion"
_FLOATS = ("float", "double", "long double")
_FORWARDED = "a template hands this on"
_KEPT_NUMBER = "a template takes a number for what it is"
_OBJECTS = ("@", "*", "#")  # the keys of such begin with these
_ALIVE_KEYS = ("@", "*")
_NEEDS_MOVE = re.compile(r"call to (?:implicitly-)?deleted|expects an rvalue|to rvalue reference")
_WIRE = "farside::wire::"
_UNREAD = re.compile(r"undefined template 'farside::wire::Read<(.*)>'\Z")
_WIRE_ARRAY = re.compile(r"\bwire::(?:Nd)?Array<")
_VALUES = re.compile(r"farside::(?:wire::(?!cut|Forwarded)|Callable\b)")
# Types that are no name of a call in C++: of several words, and pointers.
_NO_SIMPLE_TYPE = re.compile(
    r"\s*(?:(?:const|volatile|unsigned|signed|long|short|int|char|double|__int128)\b\s*){2,}"
    r"|(?!.*\boperator\b)[\w:<>,\s*]+\*\s*(?:const\s*)?",
    re.DOTALL,
)
# Of native/include/farside/call_callables.h.
_REFERENCE = "a Python callable returns no reference"
_WHOLE = ("values", "complex", "times", "bitset", "any")  # headers for more than numbers
_WHOLE_INPUT = (
    "farside::wire::Keeper __fs_kept;",
    "farside::wire::Reader"
    " __fs_in(__fs_data, __fs_size, __fs_memory, __fs_memory_size, &__fs_kept);",
)
# The result is made where it lives on, even if nothing can move it.
_ALIVE = (
    "farside::wire::Alive{__fs_given} + [&]() __attribute__((nodebug)) -> decltype(auto) { return"
)
_KEPT_RESULT = "deleted constructor of 'wire::Returned'"
_FLEXIBLE_TYPE = re.compile(
    r"'(?:const )?(?:farside::)?(?:wire::)?(?:Flexible(?:Record)?|Function|Callable)'"
    r"((?: to '[^\n]*' for (\d+)\w\w argument)?)"
)
_NO_RESULT = re.compile(
    r"no known conversion from '(?:const )?(?:farside::)?(?:wire::)?(?:Function|Callable)'"
    r" to '(?:const )?std::function<"
)
_QUOTED = re.compile(r"'([^']+)'")
_TO = re.compile(r" to '([^']+)'(?: \(aka '([^']+)'\))?")
_UNKNOWN = (
    "use of undeclared identifier",
    "no member named",
    "no template named",
    "unknown type name",
    "no type named",
)
_NO_MEMBER = "no member named"
# Of native/include/farside/call_values.h.
_TOO_OLD = "calls with more than numbers need C++20 or later"
_MEMBER = re.compile(r"farside::wire::member<decltype\((.*?)\)>")
_OVERRIDES = "-Winitializer-overrides"
_USES_DELETED = "attempt to use a deleted function"
_DELETED_HERE = "explicitly marked deleted here"
_COUNT = re.compile(r"requires (?:at least |at most |single |exactly )?.*argument|no arguments")
_MISFIT = (
    "no matching",
    "no viable",
    "cannot ",
    "incompatible",
    "no known conversion",
    "ambiguous",
    "call to",
    "invalid operands",
    "too few arguments",
    "too many arguments",
    "expects an l-value",
    "static assertion",
    "drops 'const'",
    "constraints not satisfied",
    "binding reference",
)


class StubText(NamedTuple):
    """The text of a stub.

    Attributes:
        code: of the cell.
        symbol: of its function.
        callee_line: where the name of what is called stands; the arguments' lines follow.
        argument_lines: the number of the argument that stands on a line.
        copies: the lines that make objects again of their members, with the objects' types.
    """

    code: str
    symbol: str
    callee_line: int
    argument_lines: Mapping[int, int]
    copies: Mapping[int, str]


def stub_text(
    number: int,
    callee: str,
    arguments: Sequence[Argument],
    forms: Sequence[Form],
    narrowed: Mapping[int, str],
    *,
    alive: bool = False,
) -> StubText:
    """Return the code of a call.

    Args:
        number: of the stub, unique in the session.
        callee: what is called, as C++.
        arguments: of the call.
        forms: of each argument.
        narrowed: the integer types that some are to be given as, by their numbers.
        alive: whether the result is to live on in the program.
    """
    symbol = f"__farside_call_{number}"
    lines = [f"#include <{name}>" for name in sorted({n for form in forms for n in form.headers})]
    whole = any(_VALUES.search(form.declare) for form in forms)
    lines += [
        "#include <farside/call.h>",
        *[f"#include <farside/call_{name}.h>" for name in (_WHOLE if whole else ())],
        # What the session asks Clang to warn of, perhaps as errors, is about code of the user's.
        "#pragma clang diagnostic push",
        '#pragma clang diagnostic ignored "-Weverything"',
        f'#pragma clang diagnostic warning "{_OVERRIDES}"',
        f'extern "C" __attribute__((nodebug)) void {symbol}(const void *__fs_data,'
        " unsigned long __fs_size, void *__fs_memory, unsigned long __fs_memory_size) {",
        *(_WHOLE_INPUT if whole else ("farside::wire::Input __fs_in(__fs_data, __fs_size);",)),
        "bool __fs_given = false;",
    ]
    gives = []
    copies: dict[int, str] = {}
    for index, form in enumerate(forms):
        declare, give = form.declare, form.give
        if index in narrowed and form.narrowed:
            declare = form.narrowed.replace("$", narrowed[index])
            give = f"static_cast<{narrowed[index]} &&>(@)"
        name = f"__fs_{index}"
        lines.append(declare.replace("@", name).replace("#", str(index + 1)))
        if arguments[index].key.startswith("{"):
            copies[len(lines)] = arguments[index].said
        gives.append(give.replace("@", name))
    after = [
        line
        for index, argument in enumerate(arguments)
        for line in _afterwards(f"__fs_{index}", argument)
    ]
    if after:
        lines += ["auto __fs_after = [&]() __attribute__((nodebug)) {", *after, "};"]
        lines.append("farside::wire::Told __fs_told(__fs_after);")
    lines.append("#pragma clang diagnostic push")
    lines += [f'#pragma clang diagnostic warning "{option}"' for option in _NARROWING]
    # Clang would have the call trap.
    lines.append('#pragma clang diagnostic error "-Wnon-pod-varargs"')
    lines.append(_ALIVE if alive else "farside::wire::Result{__fs_given},")
    before, between, behind = _shape(callee, len(gives))
    lines.append(before)
    callee_line = len(lines)
    argument_lines: dict[int, int] = {}
    for index, give in enumerate(gives):
        lines += give.split("\n")
        argument_lines[len(lines)] = index
        if index + 1 < len(gives):
            lines.append(between if index == 0 else ",")
    lines.append(f"{behind}; }};" if alive else f"{behind};")
    lines.append("#pragma clang diagnostic pop")
    lines.append("if (!__fs_given) __farside_value(0, nullptr, 0);")
    if after:
        lines.append("__fs_after();")
    lines += ["}", "#pragma clang diagnostic pop"]
    return StubText("\n".join(lines), symbol, callee_line, argument_lines, copies)


def _afterwards(name: str, argument: Argument) -> list[str]:
    if argument.key == "f":
        return [f"{{ bool kept = {name}.isKept(); __farside_value(1, &kept, 1); }}"]
    if argument.ref is None:
        return []
    if argument.key.startswith("&["):
        return [f"__fs_in.tellArray({name}.data(), {name}.size() * sizeof *{name}.data());"]
    return [f"farside::wire::give({name});"]


def _shape(callee: str, count: int) -> tuple[str, str, str]:
    """Return what comes before the first argument, after it, and after the last."""
    if callee.startswith(".") and count:
        return "", f"{callee}(", ")" if count > 1 else f"{callee}())"[:-1]
    if _NO_SIMPLE_TYPE.fullmatch(callee):
        return f"typename farside::wire::Itself<{callee}>::type(", ",", ")"
    found = _OPERATOR.fullmatch(callee)
    if found is None or callee.count("(") > 1:
        return f"{callee}(", ",", ")"
    sign = found.group(1)
    if sign == "[]" and count == 2:
        return "(", "[", "])"
    if sign == "()" and count >= 1:
        return "(", "(" if count > 1 else "", "))" if count > 1 else "())"
    if count == 1:
        return f"({sign}", "", ")"
    if count == 2:
        return "(", sign, ")"
    return f"{callee}(", ",", ")"


def narrowings(
    callee: str,
    diagnostics: Sequence[Diagnostic],
    text: StubText,
    given: Sequence[tuple[Argument, Form]],
    file: str,
) -> dict[int, str]:
    """Return the arguments that would be changed silently, with the type that they would have.

    Raises:
        ArgumentMismatch: a float would lose its fraction, or a variable of the caller's be copied.
    """
    found: dict[int, str] = {}
    for each in diagnostics:
        cast = each.message.startswith((_CAST, _CAST_FLOAT))
        warned = cast or each.option in _NARROWING
        if not warned or each.file != file:
            continue
        index = text.argument_lines.get(each.line)
        match = _TO.search(each.message)
        if index is None or match is None:
            continue
        kind = (match.group(2) or match.group(1)).removeprefix("const ")
        if kind not in _FLOATS and (
            each.option == _FRACTION or each.message.startswith(_CAST_FLOAT)
        ):
            raise ArgumentMismatch(
                f"{callee}: argument {index + 1} is a float and would become {kind}; give an int,"
                f' or farside.As("{kind}", …)',
                callee,
            )
        argument, form = given[index]
        if form.narrowed:
            found[index] = kind
        elif argument.ref is not None or kind not in _FLOATS:
            raise _not_narrowed(callee, index, argument, kind)
    return found


def _not_narrowed(callee: str, index: int, argument: Argument, kind: str) -> ArgumentMismatch:
    """Return the refusal of what cannot be given as a number of another type."""
    advice = f'; give Ref(value, "{kind}")' if argument.ref is not None else "; give its value"
    return ArgumentMismatch(
        f"{callee}: argument {index + 1} is {argument.said} and would become {kind},"
        f" which may not hold it{advice}",
        callee,
    )


def converted(diagnostics: Sequence[Diagnostic], text: StubText, file: str) -> set[int]:
    """Return the arguments that a constructor of the library, or a template, converts.

    What it does to a number, in a header of the library, is not known; ``std::optional<int>`` cuts
    a ``long``.
    """
    return _marked(_CONVERTED, diagnostics, text, file)


def forwarded(diagnostics: Sequence[Diagnostic], text: StubText, file: str) -> set[int]:
    """Return the numbers that a template hands on to what converts them."""
    return _marked(_FORWARDED, diagnostics, text, file)


def keeps_number(diagnostics: Sequence[Diagnostic]) -> bool:
    """Tell whether a number that was to be handed on is taken as the class that it is given as."""
    return any(each.message == _KEPT_NUMBER for each in diagnostics)


def taken_arrays(diagnostics: Sequence[Diagnostic], text: StubText, file: str) -> set[int]:
    """Return the arrays whose type a template deduces; they need one that has a name."""
    if any(each.is_error and _WIRE_ARRAY.search(each.message) for each in diagnostics):
        return set(text.argument_lines.values())  # in a template, one of them
    return _marked(_ARRAY_TAKEN, diagnostics, text, file)


def overridden(
    callee: str, diagnostics: Sequence[Diagnostic], text: StubText, file: str
) -> ArgumentMismatch | None:
    """Return the refusal of a copy of which one member would be initialised and then another."""
    for each in diagnostics:
        if each.option == _OVERRIDES and each.file == file and each.line in text.copies:
            return ArgumentMismatch(
                f"{callee}: an object of {text.copies[each.line]} cannot be made again of its"
                " members: they share their memory; make one in the program, with session.new",
                callee,
                (),
                tuple(diagnostics),
            )
    return None


def only_cast(
    callee: str,
    described: Sequence[Argument],
    diagnostics: Sequence[Diagnostic],
    text: StubText,
    file: str,
) -> ArgumentMismatch | None:
    """Return the refusal of what Clang accepts and no value of Python's means.

    That is a pointer that becomes a bool or a number.
    With objects of the program's, and pointers that it gave, C++ may do as it does.
    """
    said = [each.said for each in described]
    for each in diagnostics:
        index = text.argument_lines.get(each.line)
        if index is None or described[index].key[:1] in _OBJECTS or each.file != file:
            continue
        if not each.message.startswith(_ONLY_CAST):
            continue
        match = _TO.search(each.message)
        kind = (match.group(2) or match.group(1)) if match else "that"
        this = "None" if said[index] == "None" else f"this {said[index]}"
        return ArgumentMismatch(
            f"{written(callee, said)}: argument {index + 1}: {this} cannot become {kind}",
            callee,
            (),
            tuple(diagnostics),
        )
    return None


def check_deduced(
    callee: str,
    said: Sequence[str],
    diagnostics: Sequence[Diagnostic],
    text: StubText,
    file: str,
) -> None:
    """Refuse what has no type of its own where a template asks for one.

    Raises:
        ArgumentMismatch: a template's parameter is to be deduced from such an argument.
    """
    for index in _marked(_TAKEN, diagnostics, text, file):
        raise ArgumentMismatch(
            f"{callee}: argument {index + 1}: a template takes it, and this {said[index]} does not"
            ' say which type of C++ it is; give one, as in farside.As("std::vector<int>", …)',
            callee,
        )


def check_pointers(
    callee: str,
    pointers: Set[int],
    diagnostics: Sequence[Diagnostic],
    text: StubText,
    file: str,
) -> None:
    """Refuse text that only as a pointer would be what a template takes: it would add to it.

    Args:
        pointers: the arguments that are given as pointers to text, without having been asked for.

    Raises:
        ArgumentMismatch: a template deduces the type of its parameter from one of them.
    """
    for index in _marked(_POINTER_TAKEN, diagnostics, text, file) & pointers:
        raise ArgumentMismatch(
            f"{callee}: argument {index + 1}: a template takes it, for which text is a std::string,"
            ' and that does not fit; to give a pointer instead, use farside.As("const char *", …)',
            callee,
        )


def null_for_text(
    callee: str, said: Sequence[str], diagnostics: Sequence[Diagnostic], text: StubText, file: str
) -> ArgumentMismatch | None:
    """Return what to raise where None would be the address of a text; nothing where it is not."""
    for index in _marked(_NULL_TEXT, diagnostics, text, file):
        return ArgumentMismatch(
            f"{written(callee, said)}: argument {index + 1}: None would be a text's"
            " address; std::optional, a std::variant with std::monostate, and pointers take None",
            callee,
        )
    return None


def _marked(message: str, diagnostics: Sequence[Diagnostic], text: StubText, file: str) -> set[int]:
    found = (
        text.argument_lines.get(each.line)
        for each in diagnostics
        if each.file == file and each.message == message
    )
    return {index for index in found if index is not None}


def written(callee: str, said: Sequence[str]) -> str:
    """Return a call as messages have it; a member function stands behind its object."""
    if callee.startswith(".") and said:
        return f"{said[0]}{callee}({', '.join(said[1:])})"
    return f"{callee}({', '.join(said)})"


def may_try_again(diagnostics: Sequence[Diagnostic]) -> bool:
    """Tell whether other forms of the arguments may do better."""
    errors = [each for each in diagnostics if each.severity in ("error", "fatal")]
    if any(_REFERENCE in each.message or each.message == _TOO_OLD for each in errors):
        return False
    return not any(
        each.message.startswith(_UNKNOWN) and not any(word in each.message for word in _MISFIT[:2])
        for each in errors[:1]
    )


def refusal(
    callee: str,
    described: Sequence[Argument],
    diagnostics: Sequence[Diagnostic],
    text: StubText,
    file: str,
) -> CallError | CompileError:
    """Return what is raised for a call that Clang refused."""
    said = [each.said for each in described]
    errors = [each for each in diagnostics if each.severity in ("error", "fatal")]
    first = errors[0] if errors else None
    call = written(callee, said)
    if first is None:
        return ArgumentMismatch(f"{call} cannot be compiled", callee, (), tuple(diagnostics))
    inside = first.file == file
    if inside and first.line == text.callee_line and first.message.startswith(_UNKNOWN):
        return UndefinedName(
            f"{call}: {_without_stub(first.message)}",
            diagnostics,
            tuple(_QUOTED.findall(first.message)[:1]),
        )
    if inside and callee.startswith(".") and first.message.startswith(_NO_MEMBER):
        names = tuple(_QUOTED.findall(first.message)[:1])
        return UndefinedName(f"{call}: {_without_stub(first.message)}", diagnostics, names, "")
    if first.message == _TOO_OLD:
        return ArgumentMismatch(
            f"{call}: {_TOO_OLD}; this session has an older standard (std)",
            callee,
            (),
            tuple(diagnostics),
        )
    if inside and first.line in text.copies:
        kind = text.copies[first.line]
        why = f" of its members ({_of_member(text, first)}); make one in the program, with"
        if first.message.startswith(_NO_MEMBER):
            why = (
                f": {kind} was defined again, and this object is of the old class; get another with"
            )
        return ArgumentMismatch(
            f"{call}: an object of {kind} cannot be made again{why} session.new",
            callee,
            (),
            tuple(diagnostics),
        )
    if _REFERENCE in first.message:
        reason = first.message[first.message.index(_REFERENCE) :]
        return ArgumentMismatch(f"{call}: {reason}", callee, (), tuple(diagnostics))
    if inside and (unread := _UNREAD.search(first.message)):
        return ArgumentMismatch(
            f"{call}: no value of Python's becomes {unread.group(1)}: a class would have to be an"
            " aggregate of public members, all of its own and none of a union; make it in the"
            " program, with session.new",
            callee,
            (),
            tuple(diagnostics),
        )
    if _KEPT_RESULT in first.message:
        where = "" if inside else f"{first.file}, line {first.line}: "
        return ArgumentMismatch(
            f"{call}: {where}a template would keep what a Python callable returns, which has no"
            " type of C++ until it becomes one, as in int x = f(1) and f.as<int>(1)",
            callee,
            (),
            tuple(diagnostics),
        )
    if _WIRE in first.message:
        return ArgumentMismatch(
            f"{call}: a template takes an argument that does not say which type of C++ it is; give"
            ' one, as in farside.As("std::vector<int>", …)',
            callee,
            (),
            tuple(diagnostics),
        )
    candidates = tuple(
        _candidate(note, file)
        for note in first.notes
        if "candidate" in note.message or _DELETED_HERE in note.message
    )
    message = f"{call}: {_without_stub(first.message)}"
    if inside and first.line in text.argument_lines:
        index = text.argument_lines[first.line]
        reason = first.message
        if reason == _USES_DELETED:
            reason = f"the conversion of this {said[index]} is deleted"
        message = f"{call}: argument {index + 1}: {reason}"
    elif not inside:
        message = f"{call}: {first.file}, line {first.line}: {first.message}"
    if any("l-value" in each or "lvalue" in each for each in (message, *candidates)):
        message += "\nto give an argument that the function changes, use farside.Ref(value)"
    if any(_NEEDS_MOVE.search(each) for each in (message, *candidates)):
        message += _how_to_move(callee, described)
    for each in candidates:
        message += f"\n  {each}"
    if "callable" in said and _NO_RESULT.search(message):
        message += (
            "\nwhat a Python callable returns does not become what this std::function is to return"
        )
    message = _FLEXIBLE_TYPE.sub(partial(_python_type, said), message)
    if old := of_old_definition(diagnostics):
        message += f"\n{old}"
    counts = "too few arguments" in first.message or "too many arguments" in first.message
    if counts or (candidates and all(_COUNT.search(each) for each in candidates)):
        return ArgumentCount(message, callee, candidates, tuple(diagnostics))
    return ArgumentMismatch(message, callee, candidates, tuple(diagnostics))


def _how_to_move(callee: str, described: Sequence[Argument]) -> str:
    """Return what to do where an object of the program's cannot be copied into a call."""
    if not any(each.key[:1] in _ALIVE_KEYS for each in described):
        return ""
    given = ["std::move({value})" if each.key[:1] in _ALIVE_KEYS else "…" for each in described]
    if callee.startswith("."):
        callee, given = f"{{object}}{callee}", given[1:]
    return (
        "\nan object of the program's is given as itself, and not moved; to move it, write"
        f' the call in C++: session.eval(f"{callee}({", ".join(given)})")'
    )


def _of_member(text: StubText, error: Diagnostic) -> str:
    """Return why a copy cannot be made again: which member it is, where that is known."""
    line = text.code.split("\n")[error.line - 1]
    found = _MEMBER.match(line, line.rfind(_WIRE, 0, error.column - 1 + len(_WIRE)))
    if found is None or "'member'" not in error.message:
        return _without_stub(error.message)
    return f"values of Python's do not become {found.group(1)}, of this type"


def _python_type(said: Sequence[str], found: re.Match[str]) -> str:
    """Return what Clang is to say of an argument whose type only the parameter's says."""
    number = int(found.group(2) or 0)
    kind = f"a Python {said[number - 1]}" if 0 < number <= len(said) else "this Python value"
    return f"{kind}{found.group(1)}"


def _candidate(note: Diagnostic, file: str) -> str:
    where = "" if note.file == file or not note.file else f"{note.file}, line {note.line}: "
    source = note.source.strip() if note.source and note.file != file else ""
    return f"{where}{source}\n    {note.message}" if source else f"{where}{note.message}"


def _without_stub(message: str) -> str:
    return re.sub(r"__fs_\d+", "…", message)
