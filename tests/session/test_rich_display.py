"""Rich display, used wrongly: no display costs the session, and what can be shown is."""

from __future__ import annotations

import pytest

from farside.result.value import Value
from farside.session import Session
from tests.session.conftest import NewSession, shown

HEADER = (
    "#include <farside/display.h>\n#include <vector>\n#include <string_view>\n#include <thread>"
)


@pytest.fixture
def session(new_session: NewSession) -> Session:
    """Return a session whose cells may display."""
    session = new_session()
    session.run(HEADER)
    return session


def value_of(session: Session, code: str) -> Value:
    value = session.run(code).value
    assert value is not None
    return value


def displayed(session: Session, code: str) -> list[str]:
    """Return the plain texts that a cell displays."""
    return [str(display) for display in session.run(code).displays]


def test_bundles_that_are_none_are_not_asked(session: Session) -> None:
    session.run(
        "struct Number {}; int mime_bundle(const Number &) { return 3; }"
        "struct Nothing {}; void mime_bundle(const Nothing &) {}"
        "struct Views {}; std::map<std::string_view, std::string_view> mime_bundle(const Views &)"
        ' { return {{"text/html", "v"}}; }'
        "struct Pointer {}; farside::Bundle *mime_bundle(const Pointer &) { return nullptr; }"
    )
    for name in ("Number", "Nothing", "Views", "Pointer"):
        value = value_of(session, f"{name}{{}}")
        assert (value.text, dict(value.bundle), value.problem) == ("{}", {}, "")
        assert displayed(session, f"farside::display({name}{{}});") == ["{}"]


def test_odd_bundles(session: Session) -> None:
    session.run(
        "struct Empty {}; farside::Bundle mime_bundle(const Empty &) { return {}; }"
        "struct Names {}; farside::Bundle mime_bundle(const Names &) { return"
        ' {{"", "x"}, {"nonsense", "1"}, {"\\xff/\\x1b[1m", "2"}, {"text/html", "\\xff<b>"},'
        ' {"image/png", "\\xff"}}; }'
        "struct Twice {}; std::vector<std::pair<std::string, std::string>>"
        ' mime_bundle(const Twice &) { return {{"text/html", "v"}, {"text/html", "w"}}; }'
        "struct J { std::string text; std::string dump() const { return text; } };"
        "struct Json { std::string text; }; J mime_bundle_repr(const Json &j) { return {j.text}; }"
    )
    assert value_of(session, "Empty{}").bundle == {}
    assert value_of(session, "Names{}").bundle == {
        "nonsense": "1",
        "\ufffd/\\x1b[1m": "2",
        "text/html": "\ufffd<b>",
        "image/png": "/w==",
    }
    assert value_of(session, "Twice{}").bundle == {"text/html": "w"}
    for text in ("", "{", "[]", "3", "\\xff", '{\\"a\\":' + "[" * 5000 + "]" * 5000 + "}"):
        assert value_of(session, f'Json{{"{text}"}}').bundle == {}
    assert value_of(session, 'Json{R"({"a": "\\ud800", "b": null})"}').bundle == {
        "a": "?",
        "b": "null",
    }


def test_bundles_that_are_too_large(session: Session) -> None:
    session.run(
        "struct Large { std::size_t size; int n = 7; };"
        " farside::Bundle mime_bundle(const Large &l)"
        ' { return {{"text/html", std::string(l.size, 120)}, {"text/latex", "small"}}; }'
    )
    value = value_of(session, "Large{100 << 20}")
    assert value.bundle == {"text/latex": "small"}
    assert value.text == ("{ size = 104857600, n = 7 } <display left out formats beyond 15 MiB>")
    whole = value_of(session, "Large{14 << 20}")
    assert len(whole.bundle["text/html"]) == 14 << 20
    assert whole.problem == ""
    for size in range((15 << 20) - 1200, (15 << 20) + 200, 200):  # at the very end of the room
        assert "n = 7 }" in value_of(session, f"Large{{{size}}}").text


def test_a_display_within_a_display_is_undone_with_it(session: Session) -> None:
    session.run(
        "struct Chatty { int n = 1; }; farside::Bundle mime_bundle(const Chatty &)"
        ' { farside::display(3); return {{"text/html", "after"}}; }'
        "struct Self {}; farside::Bundle mime_bundle(const Self &self)"
        ' { farside::display(self); return {{"text/html", "deep"}}; }'
    )
    for name, text in (("Chatty", "{ n = 1 }"), ("Self", "{}")):
        result = session.run(f"farside::display({name}{{}}); {name}{{}}")
        assert result.value is not None
        assert result.value.problem == ""
        (display,) = result.displays
        assert display.data["text/plain"] == result.value.text == text
        assert display.data["text/html"] == result.value.bundle["text/html"]


def test_what_cannot_be_shown_is_displayed_by_its_address(session: Session) -> None:
    session.run(
        "template <class T> struct R {"
        " T *begin() const { static_assert(sizeof(T) == 1); return 0; }"
        " T *end() const { return 0; } }; R<int> r; void function() {}"
    )
    texts = displayed(session, "farside::display(r);")
    assert [text[:3] for text in texts] == ["@0x"]
    assert displayed(session, "farside::display(std::vector<int>{1});") == ["{ 1 }"]
    texts = displayed(session, "farside::display(function);")
    assert [text[:13] for text in texts] == ["Function @0x7"]


def test_displays_from_everywhere(session: Session) -> None:
    assert len(displayed(session, "for (int i = 0; i < 200; ++i) farside::display(i);")) == 200
    texts = displayed(
        session,
        "{ auto each = [](int from) { for (int i = from; i < from + 20; ++i)"
        " farside::display(std::vector<int>{i}); };"
        " std::thread a(each, 0), b(each, 20); a.join(); b.join(); }",
    )
    assert sorted(texts) == sorted(f"{{ {i} }}" for i in range(40))
    assert displayed(
        session,
        "struct Ends { ~Ends() { farside::display(2); } };"
        " struct Begins { Begins() { farside::display(1); } };"
        " static Begins begins; { Ends ends; }",
    ) == ["1", "2"]
    result = session.run(
        'farside::update_display(3, "never"); farside::display(4, "\\xff\\x1b[1m");'
    )
    assert [(each.id, each.update) for each in result.displays] == [
        ("never", True),
        ("\ufffd\x1b[1m", False),
    ]
    assert shown(session.run("1")) == "1"
