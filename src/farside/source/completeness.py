"""Is this input finished, or does it go on in the next line?

A terminal has to decide that before Clang sees anything. An input goes on while

* a bracket, brace or parenthesis is open, or a block comment, or a raw string;
* its last line ends in ``\\``;
* an ``#if`` waits for its ``#endif``;
* what stands at its end can only be a beginning: ``template <class T>``, ``struct S``,
  ``namespace n``, ``extern "C"``, ``if (x)``, ``else``, or what looks like the head of a function,
  ``int f(int x)``. A blank line ends an input of this last sort.

A closer that nothing opened ends the input, so that Clang can report it at once.

Where C++ is ambiguous a line by itself is preferred: ``a * f(x)`` and ``S& f(x)`` are taken for
expressions, so the ``{`` of a function with such a head belongs on the same line. So does the
``else`` that follows a ``}``: an input that could be finished is.

Each character is looked at once, whatever the input: 1 MB takes well below a second.
"""

from __future__ import annotations

import re

from farside.records import NamedTuple

_TOKEN = re.compile(
    r"""
      (?P<space> \s+ )
    | (?P<line_comment> // )
    | (?P<block_comment> /\* )
    | (?P<raw> (?:u8|[uUL])? R " (?P<delimiter> [^()\\\s"]{0,16} ) \( )
    | (?P<string> (?:u8|[uUL])? " (?: [^"\\] | \\. )*+ "? )
    | (?P<char> (?:(?:u8|[uUL])(?='))? ' (?: [^'\\] | \\. )*+ '? )
    | (?P<number> \.?\d (?: [eEpP][+-] | '\w | [\w.] )*+ )
    | (?P<word> [^\W\d]\w*+ )
    | (?P<open> [(\[{] | <% | <:(?!:) )
    | (?P<close> [)\]}] | %> | :> )
    | (?P<other> :: | -> | . )
    """,
    re.VERBOSE | re.DOTALL,
)
# Tokens that say nothing within brackets, as many as there are. A token that begins like one that
# does say something is left to `_TOKEN`.
_INERT = re.compile(
    r"""
    (?: \s+
      | (?! (?:u8|[uUL])? R? ["'] ) [^\W\d]\w*+
      | \.?\d (?: [eEpP][+-] | '\w | [\w.] )*+
      | ::
      | [^\s\w"'/<%:()\[\]{}]
      | /(?![/*]) | <(?![%:]) | %(?!>) | :(?!>)
    )*+
    """,
    re.VERBOSE,
)
_DIRECTIVE = re.compile(r"\s*(?:\#|%:)\s*(\w*)\s*(\w*)")
_DIGRAPHS = {"<%": "{", "%>": "}", "<:": "[", ":>": "]"}
_BRACKETS = dict.fromkeys("([{", "open") | dict.fromkeys(")]}", "close")
_OPENER = {")": "(", "]": "[", "}": "{"}

_DECLARATION_WORDS = frozenset(
    "auto bool char char8_t char16_t char32_t const consteval constexpr constinit double explicit"
    " extern float friend inline int long mutable short signed static thread_local unsigned virtual"
    " void volatile wchar_t".split()
)
_EXPRESSION_WORDS = frozenset(
    "alignof and and_eq asm bitand bitor case co_await co_return co_yield compl decltype default"
    " delete do else for goto if new not not_eq or or_eq return sizeof static_assert switch throw"
    " typedef typeid using while xor xor_eq".split()
)
_BODY_FOLLOWS = frozenset("class concept enum namespace struct template union".split())
_CONTROL = frozenset("for if switch while".split())
_DANGLING = frozenset("do else try".split())
_AFTER_PARAMETERS = frozenset(["const", "final", "noexcept", "override", "try", "volatile"])


class _Bracket(NamedTuple):
    """An open bracket; linked, so that a conditional can keep the state at its ``#if`` for free."""

    opener: str
    outer: _Bracket | None


class _Conditional(NamedTuple):
    """The state at an ``#if``, and whether it is ``#if 0``."""

    brackets: _Bracket | None
    broken: bool
    never: bool


class _Statement:
    """What is known of the tokens since the last ``;`` or ``}`` outside of brackets."""

    __slots__ = (
        "adjacent",
        "angle",
        "arrow",
        "before_paren",
        "count",
        "expression",
        "first",
        "last",
        "operator",
        "parens",
        "previous",
    )

    def __init__(self) -> None:
        self.first = ""
        self.last = ""
        self.previous = ""  # the kind of the last token
        self.count = 0
        self.parens = 0
        self.before_paren = ""
        self.adjacent = False
        self.angle = False
        self.arrow = False
        self.expression = False
        self.operator = False

    def add(self, kind: str, text: str) -> None:
        """Take a token outside of brackets; of a bracketed group its two brackets count."""
        if kind == "word":
            if not self.count:
                self.first = text
            if not self.parens and (self.previous == "word" or (self.last == ">" and self.angle)):
                self.adjacent = True
            self.expression = self.expression or text in _EXPRESSION_WORDS
            self.operator = self.operator or text == "operator"
        elif text == "(":
            if not self.parens:
                named = self.operator or (self.previous == "word" and self.count > 1)
                self.before_paren = self.last if named else ""
            self.parens += 1
        elif text == "<":
            self.angle = True
        elif text == "->":
            self.arrow = True
        elif text == "=" and not self.operator:
            self.expression = True
        self.count += 1
        self.previous = kind
        self.last = text

    def only_begins(self) -> bool:
        """Tell whether this cannot be a whole input."""
        if self.last in _DANGLING:
            return True
        if self.first in _BODY_FOLLOWS:
            return True
        if self.first in _CONTROL:
            return self.parens == 1 and self.last == ")"
        if self.first == "extern" and self.previous == "string":
            return True
        return self._heads_function()

    def _heads_function(self) -> bool:
        if self.expression or not self.before_paren:
            return False
        if not (self.adjacent or self.first in _DECLARATION_WORDS):
            return False
        return self.last == ")" or self.last in _AFTER_PARAMETERS or self.arrow


class Scanner:
    """Reads an input line by line and knows whether it is finished."""

    def __init__(self) -> None:
        self._brackets: _Bracket | None = None
        self._conditionals: list[_Conditional] = []
        self._statement = _Statement()
        self._spliced: list[str] = []  # lines whose end was a backslash
        self._until = ""  # ends the comment or raw string that is open
        self._broken = False

    @property
    def finished(self) -> bool:
        """Whether what was fed so far can be handed to Clang."""
        if self._spliced or self._until or self._conditionals:
            return False
        if self._broken:
            return True
        return self._brackets is None and not self._statement.only_begins()

    def feed(self, text: str) -> None:
        """Read whole lines; the last may lack its line end."""
        lines = text.split("\n")
        if lines[-1] == "" and len(lines) > 1:
            lines.pop()
        for line in lines:
            stripped = line.rstrip()
            if stripped.endswith("\\"):
                self._spliced.append(stripped[:-1])
            elif self._spliced:
                whole = "".join([*self._spliced, line])
                self._spliced.clear()
                self._line(whole)
            else:
                self._line(line)

    def _line(self, line: str) -> None:
        """Read one logical line: the lines of a splice are one."""
        start = 0
        if self._until:
            start = self._skip(line, 0)
        elif not line.strip():
            if self._brackets is None:
                self._statement = _Statement()
            return
        elif (directive := _DIRECTIVE.match(line)) is not None:
            self._conditional(directive[1], directive[2])
            self._tokens(line, directive.end(1), directive=True)
            return
        self._tokens(line, start, directive=False)

    def _skip(self, line: str, start: int) -> int:
        """Go to the end of the open comment or raw string, or of the line."""
        end = line.find(self._until, start)
        if end < 0:
            return len(line)
        end += len(self._until)
        self._until = ""
        return end

    def _tokens(self, line: str, position: int, *, directive: bool) -> None:
        while position < len(line):
            if self._brackets is not None and (inert := _INERT.match(line, position)) is not None:
                position = inert.end()
                kind = _BRACKETS.get(line[position : position + 1])
                if kind is not None and not directive:
                    self._significant(kind, line[position])
                    position += 1
                    continue
            token = _TOKEN.match(line, position)
            if token is None:  # at the end: the last alternative takes any character
                return
            position = token.end()
            kind = token.lastgroup or ""
            if kind == "line_comment":
                return
            if kind == "block_comment":
                self._until = "*/"
                position = self._skip(line, position)
            elif kind == "space" or directive:
                continue
            elif kind == "raw":
                self._until = f'){token["delimiter"]}"'
                position = self._skip(line, position)
                self._significant("string", '"')
            else:
                self._significant(kind, token[0])

    def _significant(self, kind: str, text: str) -> None:
        text = _DIGRAPHS.get(text, text)
        if kind == "open":
            if self._brackets is None:
                self._statement.add(kind, text)
            self._brackets = _Bracket(text, self._brackets)
            return
        if kind == "close":
            if self._brackets is None or self._brackets.opener != _OPENER[text]:
                self._broken = True
                return
            self._brackets = self._brackets.outer
        if self._brackets is not None:
            return
        if text in (";", "}"):
            self._statement = _Statement()
        else:
            self._statement.add(kind, text)

    def _conditional(self, name: str, condition: str) -> None:
        """Follow ``#if`` and its kin: of several branches the last one's brackets count."""
        if name in ("if", "ifdef", "ifndef"):
            self._conditionals.append(_Conditional(self._brackets, self._broken, condition == "0"))
        elif not self._conditionals:
            return
        elif name in ("else", "elif", "elifdef", "elifndef"):
            opened = self._conditionals[-1]
            self._brackets, self._broken = opened.brackets, opened.broken
            self._conditionals[-1] = opened._replace(never=False)
        elif name == "endif":
            opened = self._conditionals.pop()
            if opened.never:
                self._brackets, self._broken = opened.brackets, opened.broken


def is_complete(text: str) -> bool:
    """Tell whether `text` is a finished input."""
    scanner = Scanner()
    scanner.feed(text)
    return scanner.finished
