"""Names of types out of demanglers."""

from __future__ import annotations

import pytest

from farside.result.type_names import written_type

STRING = "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        (STRING, "std::string"),
        (
            "std::__1::basic_string<wchar_t, std::__1::char_traits<wchar_t>,"
            " std::__1::allocator<wchar_t> >",
            "std::wstring",
        ),
        (f"std::vector<{STRING}, std::allocator<{STRING} > >", "std::vector<std::string>"),
        (
            f"std::map<{STRING}, int, std::less<{STRING} >,"
            f" std::allocator<std::pair<{STRING} const, int> > >",
            "std::map<std::string, int>",
        ),
        (
            "std::set<int, std::greater<int>, std::allocator<int> >",
            "std::set<int, std::greater<int>>",
        ),
        (
            "std::vector<int, Arena<int> >",
            "std::vector<int, Arena<int>>",
        ),
        (
            f"std::pair<{STRING}, std::allocator<int> >",
            "std::pair<std::string, std::allocator<int>>",
        ),
        (f"std::function<int ({STRING}, long)>", "std::function<int (std::string, long)>"),
        (
            "std::priority_queue<int, std::vector<int, std::allocator<int> >, std::less<int> >",
            "std::priority_queue<int>",
        ),
        ("mine::vector<int, std::allocator<int> >", "mine::vector<int, std::allocator<int>>"),
        ("S[abi:cell7]", "S"),
        ("Box<S[abi:cell7]>", "Box<S>"),
        ("$_0", "(lambda)"),
        ("main::{lambda(int)#1}", "main::(lambda)"),
        ("cell179s0()::{lambda()#2}", "(lambda)"),
        ("Less<&(operator< <int>)> >", "Less<&(operator< <int>)> >"),
        ("std::vector<int, std::allocator<int>>", "std::vector<int, std::allocator<int>>"),
    ],
)
def test_as_written(name: str, written: str) -> None:
    assert written_type(name) == written
