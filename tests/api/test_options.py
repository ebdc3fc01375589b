"""What the options of a session may be is looked at before anything is started."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from farside import Options, Session
from farside.errors import OptionError
from farside.options import changed
from farside.permitted import RULES, permitted

NAN = float("nan")
WRONG: list[tuple[str, Any, str]] = [
    ("output", "x", "output takes 'inherit' or 'capture', but was given 'x'"),
    ("output", None, "output takes 'inherit' or 'capture', but was given None"),
    ("language", "rust", r"language takes 'c\+\+' or 'c', but was given 'rust'"),
    ("stdlib", ["libc++"], r"stdlib takes .*, but was given \['libc\+\+'\] \(list\)"),
    ("autoload", "perhaps", r"autoload takes one of \('on', 'ask', 'off'\)"),
    ("on_loss", "forget", "on_loss takes 'definitions' or 'replay'"),
    ("on_interrupt", 1, r"on_interrupt takes 'restore' or 'keep', but was given 1 \(int\)"),
    ("opt", 9, r"opt takes an int from 0 to 3, or None, but was given 9 \(int\)"),
    ("opt", -1, "opt takes an int from 0 to 3"),
    ("opt", "2", "opt takes an int from 0 to 3, or None, but was given '2'"),
    ("opt", True, r"given True \(bool\)"),
    ("opt", 2.0, r"given 2.0 \(float\)"),
    ("time_limit", "3", "time_limit takes a number of seconds above 0 and below 1e9, or None"),
    ("time_limit", 0, "time_limit takes"),
    ("time_limit", -2.5, "time_limit takes"),
    ("time_limit", NAN, "time_limit takes .* given nan"),
    ("compile_limit", float("inf"), "compile_limit takes .* given inf"),
    ("compile_limit", 10**400, "compile_limit takes"),
    ("memory_limit", -1, r"memory_limit takes a number of bytes, an int from 1 to 2\*\*47 - 1"),
    ("memory_limit", 0, "memory_limit takes"),
    ("compile_memory", 1e9, "compile_memory takes"),
    ("slab_bytes", 1 << 60, "slab_bytes takes"),
    ("snapshot_memory", 0, "snapshot_memory takes"),
    ("process_limit", 0, "process_limit takes an int from 1 to 9,999,999"),
    ("output_limit", None, r"output_limit takes .* 0 to 2\*\*47 - 1, but was given None"),
    ("snapshots", 1001, "snapshots takes an int from 0 to 1,000, but"),
    ("elements", 0, "elements takes an int from 1 to 100,000, but"),
    ("include", 5, r"include \(include_dirs\) takes a path or a sequence of paths, .* 5 \(int\)"),
    ("include", ["a", 5], r"include \(include_dirs\) takes .*, but was given 5 \(int\)"),
    ("include_dirs", b"a", "takes a path or a sequence of paths"),
    ("defines", "", "defines takes a str or a sequence of str, none of them empty"),
    ("xcc", ["-g\0"], r"xcc takes .* given '-g\\x00'"),
    ("includes", {"a": 1}, "includes takes"),
    ("library_dirs", None, "library_dirs takes .* given None"),
    ("use_pch", 1, r"use_pch takes True or False, but was given 1 \(int\)"),
    ("insecure", "no", "insecure takes True or False, but was given 'no'"),
    ("std", 20, "std takes the name of a standard, such as 'c\\+\\+20', or None"),
    ("std", "", "std takes"),
    ("std", "c++99", r"std takes c\+\+11, .* or c\+\+26 \(or as gnu\+\+26\) .* given 'c\+\+99'"),
    ("std", "c++98", r"std takes c\+\+11, "),
    ("std", "c17", r"with language='c\+\+', or None, but was given 'c17'"),
    ("compiler", 3, "compiler takes a path, or None"),
    ("executor", "", "executor takes a path, or None, but was given ''"),
    ("connect", 4711, "connect takes HOST:PORT, or None"),
    ("ssh", b"host", "ssh takes the name of a machine, or None"),
    ("trace", True, "trace takes the path of a file, or None"),
    ("output", "x" * 1000, "…$"),
]


@pytest.mark.parametrize(("name", "given", "message"), WRONG)
def test_what_an_option_cannot_be(name: str, given: Any, message: str) -> None:
    wrong: Any = {name: given}
    with pytest.raises(OptionError, match=message) as caught:
        Session(**wrong)
    assert "\n" not in str(caught.value)
    with pytest.raises(OptionError, match="option"):
        Session(Options(**{name.replace("include", "include_dirs", name == "include"): given}))


def test_nothing_is_started_for_a_wrong_option() -> None:
    program = (
        "import sys, farside\n"
        "def refuse(event, args):\n"
        "    if event in ('subprocess.Popen', 'os.posix_spawn', 'os.fork', 'os.forkpty'):\n"
        "        raise RuntimeError(event)\n"
        "sys.addaudithook(refuse)\n"
        "for wrong in ({'opt': 9}, {'time_limit': '3'}, {'trace': 5}):\n"
        "    try: farside.Session(**wrong)\n"
        "    except farside.OptionError as error: print(next(iter(wrong)) in str(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"True\n" * 3), done.stderr


def test_every_option_has_a_rule_that_its_default_fits() -> None:
    assert set(RULES) == set(Options._fields)
    default = Options()
    for name, rule in RULES.items():
        assert rule(name, getattr(default, name)) is getattr(default, name)
    assert permitted(default) is default


def test_options_are_values() -> None:
    options = Options(std="c++20", opt=0)
    assert options == Options(opt=0, std="c++20")
    assert options != Options(std="c++20")
    assert hash(options) == hash(Options(std="c++20", opt=0))
    assert options.with_(opt=None, elements=3) == Options(std="c++20", elements=3)
    assert options.opt == 0
    assert "language='c++', std='c++20'" in repr(options)
    assert pickle.loads(pickle.dumps(options)) == options
    with pytest.raises(AttributeError):
        options.opt = 1  # type: ignore[misc]
    wrong: Any = {"nope": 1}
    with pytest.raises(TypeError, match="nope"):
        Options(**wrong)
    with pytest.raises(TypeError, match="nope"):
        options.with_(**wrong)


def test_options_that_are_nearly_right_are_put_right() -> None:
    import numpy

    given: Any = {
        "include": [Path("a"), "b"],
        "compiler": "/bin/true",
        "opt": numpy.int64(1),
        "defines": ["A", "B=1"],
        "trace": Path("t.json"),
    }
    options = permitted(changed(Options(), given))
    assert options == Options(
        include_dirs=("a", "b"),
        compiler=Path("/bin/true"),
        opt=1,
        defines=("A", "B=1"),
        trace="t.json",
    )
    assert type(options.opt) is int
    both: Any = {"include": "a", "include_dirs": "b"}
    with pytest.raises(TypeError, match="the same option"):
        Session(**both)
    no_options: Any = "c++20"
    with pytest.raises(OptionError, match=r"farside.Options, but were given 'c\+\+20'"):
        Session(no_options)


def test_a_keyword_that_is_no_option() -> None:
    with pytest.raises(OptionError, match="no option 'ouput'; did you mean output"):
        Session(ouput="capture")  # type: ignore[call-arg]
    with pytest.raises(OptionError, match=r"no option 'nope'; see help\(farside.Options\)"):
        Session(nope=1)  # type: ignore[call-arg]


def test_a_standard_is_one_of_its_language() -> None:
    for std in ("c++11", "gnu++17", "c++2b", "c++26"):
        assert permitted(Options(std=std)).std == std
    for std in ("c89", "gnu17", "c2x", "iso9899:2018"):
        assert permitted(Options(language="c", std=std)).std == std
    with pytest.raises(OptionError, match=r"std takes c89, .* or c23 \(or as gnu23\) with .*='c'"):
        permitted(Options(language="c", std="c++20"))


def test_options_for_clang_may_change_the_language() -> None:
    assert permitted(Options(std="c17", xcc=("-xc",))).std == "c17"
