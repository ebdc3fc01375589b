"""Starting the compiler of a session, also before the session is there.

The compiler takes as long to start as Python to import what a session is made of. The command
starts it as soon as it knows the options, sends it the first cell as soon as it knows that, and
the session takes it over.
"""

from __future__ import annotations

from farside.frontend.client import Compiler, brings_instances, find_compiler
from farside.frontend.pch import build_pch
from farside.options import Options
from farside.records import NamedTuple


class Started(NamedTuple):
    """A compiler that is getting ready.

    Attributes:
        options: that it was started with.
        compiler: its client.
        has_pch: whether there was a precompiled header to be used, or none is wanted.
    """

    options: Options
    compiler: Compiler
    has_pch: bool

    def build_missing_pch(self) -> None:
        """Have the precompiled header built for the next session, where there was none."""
        if not self.has_pch:
            build_pch(self.options, find_compiler(self.options))


_early: list[Started] = []


def start_early(options: Options) -> None:
    """Start the compiler for the session that will be made with these options next.

    Raises:
        SetupError: it cannot be found or started.
    """
    _early.append(_start(options))


def begin_early(code: str) -> None:
    """Have the compiler that was started early begin with the first cell of its session."""
    _early[-1].compiler.begin_compile(1, code)


def start_compiler(options: Options) -> Started:
    """Return a compiler for these options: the one that was started early, or another.

    Raises:
        SetupError: it cannot be found or started.
    """
    while _early:
        started = _early.pop()
        if started.options == options:
            return started
        started.compiler.close()
    return _start(options)


def _start(options: Options) -> Started:
    compiler = Compiler.spawn(options, instances=brings_instances(options))
    return Started(options, compiler, compiler.offers_pch or not options.use_pch)
