"""The C++ that is measured."""

from __future__ import annotations

from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"

HEADERS = (
    "#include <iostream>",
    "#include <vector>",
    "#include <string>",
    "#include <map>",
    "#include <algorithm>",
)

# Uses all five headers.
USE_HEADERS = (
    "std::vector<int> numbers{3, 1, 2}; std::sort(numbers.begin(), numbers.end());"
    ' std::map<std::string, int> ages; ages["far"] = numbers[0];'
    ' std::cout << ages["far"] << std::endl; {mark};'
)

TRIVIAL = "x = x + 1;"


# Around each program, so that it tells how long its own `main` took, however it was started.
TIMED_PROGRAM = """\
#define main program_main
#include "{path}"
#undef main
#include <chrono>
int timed_main() {{
  const auto began = std::chrono::steady_clock::now();
  const int status = program_main();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("status %d after %.9f s.\\n", status, took.count());
  return std::fflush(stdout);
}}
"""


def function(number: int) -> str:
    """Return a cell that defines a function."""
    return f"int f{number}(int a) {{ return a * {number} + 1; }} int r{number} = {{mark}};"


def templates(number: int) -> str:
    """Return a cell that instantiates containers, algorithms and closures with a new type.

    The work is in a function: clang-repl 22 crashes on a closure in a statement.
    """
    thing = f"Thing{number}"
    return (
        f"struct {thing} {{ int a; bool operator<(const {thing} &o) const {{ return a < o.a; }} }};"
        f" int use{number}() {{ std::map<{thing}, std::vector<{thing}>> things;"
        f" std::vector<{thing}> &list = things[{thing}{{1}}]; list.push_back({thing}{{2}});"
        f" std::sort(list.begin(), list.end(),"
        f" [](const {thing} &a, const {thing} &b) {{ return b < a; }});"
        f' std::map<std::string, {thing}> named; named["one"] = list[0];'
        f" return named.size() + list.size(); }} int used{number} = use{number}() + {{mark}};"
    )


def long_cell(number: int, lines: int = 1000) -> str:
    """Return a cell of so many lines, one function; each ends in a backslash but the last."""
    body = [f"int long{number}(int a) {{"]
    body += [f"  a = (a ^ {line}) * {line % 7 + 3} + {number};" for line in range(lines - 2)]
    body.append(f"return a; }} int t{number} = {{mark}};")
    return " \\\n".join(body)
