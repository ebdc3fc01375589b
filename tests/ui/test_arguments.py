"""The command line: what each word means, and what is said about a wrong one."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farside.errors import OptionError
from farside.options import Options
from farside.remote.address import is_loopback, parse_address
from farside.ui.arguments import HELP, Input, parse_arguments, parse_size


def options(*argv: str) -> Options:
    return parse_arguments(argv).options


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.cpp", "b.o", "c.a", "libd.so", "libe.so.6", "x"):
        (tmp_path / name).touch()
    return tmp_path


def test_nothing() -> None:
    invocation = parse_arguments([])
    assert invocation == ("run", Options(), (), (), frozenset(), None, None)


@pytest.mark.parametrize(
    ("argv", "changes"),
    [
        (["-std=c++20"], {"std": "c++20"}),
        (["--std=c++20"], {"std": "c++20"}),
        (["-std", "c++20"], {"std": "c++20"}),
        (["-xc"], {"language": "c"}),
        (["-x", "c"], {"language": "c"}),
        (["-xc++"], {"language": "c++"}),
        (["-stdlib=libc++"], {"stdlib": "libc++"}),
        (["-O0"], {"opt": 0}),
        (["-O3"], {"opt": 3}),
        (["-Ione", "-I", "two", "-I=x"], {"include_dirs": ("one", "two", "x")}),
        (["-DA", "-D", "B=1"], {"defines": ("A", "B=1")}),
        (["-include", "vector", "-include=map"], {"includes": ("vector", "map")}),
        (["--Xcc=-g", "-Xcc=-w", "-Xcc", "-v", "--Xcc", "-x"], {"xcc": ("-g", "-w", "-v", "-x")}),
        (["--no-pch"], {"use_pch": False}),
        (["--slab-allocate=2GB"], {"slab_bytes": 2 << 30}),
        (["--time-limit=2.5"], {"time_limit": 2.5}),
        (["-L", "/a", "-L/b", "--library-path=/c"], {"library_dirs": ("/a", "/b", "/c")}),
        (["-L", "a"], {"library_dirs": (os.path.abspath("a"),)}),
        (["--autoload=ask"], {"autoload": "ask"}),
        (["--compile-memory=3GB"], {"compile_memory": 3 << 30}),
        (["--memory-limit=1GB"], {"memory_limit": 1 << 30}),
        (["-slab-allocate", "512KB"], {"slab_bytes": 512 << 10}),
    ],
)
def test_options(argv: list[str], changes: dict[str, object]) -> None:
    assert options(*argv) == Options().with_(**changes)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("4096", 4096), ("1K", 1024), ("3kb", 3072), ("2MiB", 2 << 20), ("1GB", 1 << 30)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "GB", "1TB", "-1", "1.5GB", "9" * 30, "x", "1 2", "²"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(OptionError, match="is no size"):
        parse_size(text)


@pytest.mark.usefixtures("here")
def test_files_libraries_and_code() -> None:
    words = ["a.cpp", "b.o", "./c.a", "libd.so", "libe.so.6", "-", "int y = 1;", "y", "-1", "x"]
    assert parse_arguments(words).inputs == (
        Input("file", "a.cpp"),
        Input("link", "b.o"),
        Input("link", "./c.a"),
        Input("link", "libd.so"),
        Input("link", "libe.so.6"),
        Input("file", "-"),
        Input("code", "int y = 1;"),
        Input("code", "y"),
        Input("code", "-1"),
        Input("file", "x"),  # a file of that name exists
    )


def test_code_is_told_from_a_missing_file() -> None:
    for code in ("f()", "2+3", "std::cout", "-1;", "!x"):
        assert parse_arguments(["-c", "0", code]).inputs[1] == Input("code", code)
    for code in ("f()", "2+3", "std::cout", "!x", "x y"):
        assert parse_arguments([code]).inputs == (Input("code", code),)
    assert parse_arguments(["x;", "a.b"]).inputs[1] == Input("code", "a.b")
    assert parse_arguments(["-c", "y"]).inputs == (Input("code", "y"),)
    assert parse_arguments(["%help"]).inputs == (Input("code", "%help"),)
    for missing in ("y", "nosuch.cpp", "/no/such/file", "libstdc++.so"):
        with pytest.raises(OptionError, match="no such file"):
            parse_arguments([missing])


def test_what_follows_two_dashes_is_for_main() -> None:
    invocation = parse_arguments(["-c", "1", "--", "-x", "--help", "--"])
    assert invocation.args == ("-x", "--help", "--")
    assert invocation.action == "run"


@pytest.mark.parametrize(
    ("argv", "part"),
    [
        (["--hlep"], "did you mean --help?"),
        (["--slab=1"], "did you mean --slab-allocate=?"),
        (["-fno-rtti"], "--Xcc=-fno-rtti"),
        (["-O4"], "-O4"),
        (["-I"], "-I needs a value"),
        (["-c"], "-c needs a value"),
        (["-stdlib=foo"], "libstdc++ and libc++"),
        (["-x", "rust"], "c++ and c"),
        (["--slab-allocate=much"], "'much' is no size"),
        (["--time-limit=soon"], "'soon' is no time limit"),
        (["--time-limit=0"], "'0' is no time limit"),
        (["--autoload=perhaps"], "it can be on, ask or off"),
        (["--library-path="], "needs the path of a directory"),
        (["-std="], "-std= needs a value"),
        (["-std", ""], "-std needs a value"),
        (["-D="], "-D= needs a value"),
        (["--ssh", ""], "--ssh needs a value"),
        (["--time-limit=nan"], "'nan' is no time limit"),
        (["--time-limit=-1"], "'-1' is no time limit"),
        (["--snapshots=-1"], "--snapshots takes a number from 0 to 1000"),
        (["--memory-limit=-5"], "'-5' is no size"),
    ],
)
def test_mistakes_are_named(argv: list[str], part: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_arguments(argv)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_actions() -> None:
    assert parse_arguments(["--version"]).action == "version"
    assert parse_arguments(["--prepare", "-std=c++17"]).action == "prepare"
    assert parse_arguments(["--version", "--help"]).action == "help"


def test_the_help_names_every_option() -> None:
    for word in ("-std=", "-x", "-stdlib=", "-O0", "-I", "-D", "-include", "--Xcc=", "--no-pch"):
        assert word in HELP
    for word in ("--slab-allocate=", "--prepare", "--version", "--help", "-c CODE", "link"):
        assert word in HELP
    assert max(map(len, HELP.splitlines())) <= 100


@given(st.lists(st.text(st.characters(exclude_characters="\0"), max_size=8), max_size=6))
def test_any_words_make_an_invocation_or_an_option_error(argv: list[str]) -> None:
    with contextlib.suppress(OptionError):
        parse_arguments(argv)


@pytest.mark.parametrize("word", ["--version", "--help"])
def test_asking_about_farside_starts_nothing(word: str) -> None:
    program = (
        "import subprocess, os, sys\n"
        "from farside.cli import main\n"
        "def refuse(event, args):\n"
        "    if event in ('subprocess.Popen', 'os.posix_spawn', 'os.fork'):\n"
        "        raise RuntimeError(event)\n"
        "sys.addaudithook(refuse)\n"
        f"status = main([{word!r}])\n"
        "heavy = {'argparse', 'prompt_toolkit', 'pygments', 'farside.session'} & set(sys.modules)\n"
        "sys.exit(status or ', '.join(heavy) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"farside" in done.stdout


def test_far_sides_have_clang_repls_options() -> None:
    plain = parse_arguments(["--oop-executor", "--orc-runtime"]).options
    assert plain == Options()
    chosen = parse_arguments(
        ["--oop-executor=/opt/exe", "-orc-runtime=/opt/rt.a", "--slab-allocate=256MB"]
    ).options
    assert (chosen.executor, chosen.orc_runtime) == (Path("/opt/exe"), Path("/opt/rt.a"))
    assert chosen.slab_bytes == 256 << 20
    connect = parse_arguments(
        ["--oop-executor-connect=[::1]:4711", "--token-file", "t", "--insecure"]
    ).options
    assert (connect.connect, connect.token_file) == ("[::1]:4711", Path("t"))
    assert connect.insecure
    assert parse_arguments(["--ssh=box"]).options.ssh == "box"


@pytest.mark.parametrize(
    ("text", "address"),
    [("localhost:1", ("localhost", 1)), ("[::1]:65535", ("::1", 65535)), ("10.0.0.1:0", None)],
)
def test_addresses(text: str, address: tuple[str, int] | None) -> None:
    assert parse_address(text) == (address or ("10.0.0.1", 0))
    assert is_loopback(text.rpartition(":")[0].strip("[]")) == (address is not None)


@pytest.mark.parametrize("text", ["", "host", ":1", "host:", "::1:1", "host:65536", "host:-1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(OptionError, match="no address"):
        parse_address(text)
