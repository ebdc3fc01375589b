"""farside: interactive C++ whose cells run out of process.

The public names are loaded when they are first used, so that ``import farside`` costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as of `typing`, which takes a tenth of the time to the first result
if TYPE_CHECKING:
    from farside.asynchronous import AsyncSession
    from farside.calls.arguments import As, Ref
    from farside.errors import (
        ArgumentCount,
        ArgumentMismatch,
        CallError,
        CompileError,
        CompilerCrashed,
        CppException,
        Crashed,
        DuplicateDefinition,
        FarSideError,
        FarsideError,
        FarSideLost,
        InternalError,
        Interrupted,
        LinkError,
        ListenerFailed,
        ObjectError,
        OptionError,
        OutOfAddressSpace,
        ProtocolError,
        RelocationError,
        RemoteError,
        SessionBusy,
        SessionClosed,
        SetupError,
        TimedOut,
        TooManyProcesses,
        TooMuchOutput,
        UndefinedName,
        UndefinedSymbols,
        ValueGone,
    )
    from farside.frontend.diagnostics import Diagnostic
    from farside.options import Options
    from farside.outcome import CellResult, Checkpoint, Closing, Past, Variable
    from farside.result.bundle import Display
    from farside.result.objects import CppObject, Enumerator, Pointer, Unexpected
    from farside.result.value import Value
    from farside.session import Session
    from farside.ui.ipython import load_ipython_extension, unload_ipython_extension

__version__ = "0.1.0"

_HOMES = {
    "ArgumentCount": "farside.errors",
    "ArgumentMismatch": "farside.errors",
    "As": "farside.calls.arguments",
    "AsyncSession": "farside.asynchronous",
    "CallError": "farside.errors",
    "CellResult": "farside.outcome",
    "Checkpoint": "farside.outcome",
    "Closing": "farside.outcome",
    "CompileError": "farside.errors",
    "CompilerCrashed": "farside.errors",
    "CppException": "farside.errors",
    "CppObject": "farside.result.objects",
    "Crashed": "farside.errors",
    "Diagnostic": "farside.frontend.diagnostics",
    "Display": "farside.result.bundle",
    "DuplicateDefinition": "farside.errors",
    "Enumerator": "farside.result.objects",
    "FarSideError": "farside.errors",
    "FarSideLost": "farside.errors",
    "ListenerFailed": "farside.errors",
    "FarsideError": "farside.errors",
    "InternalError": "farside.errors",
    "Interrupted": "farside.errors",
    "LinkError": "farside.errors",
    "ObjectError": "farside.errors",
    "OptionError": "farside.errors",
    "Options": "farside.options",
    "OutOfAddressSpace": "farside.errors",
    "Past": "farside.outcome",
    "Pointer": "farside.result.objects",
    "ProtocolError": "farside.errors",
    "Ref": "farside.calls.arguments",
    "RelocationError": "farside.errors",
    "RemoteError": "farside.errors",
    "Session": "farside.session",
    "SessionBusy": "farside.errors",
    "SessionClosed": "farside.errors",
    "SetupError": "farside.errors",
    "TimedOut": "farside.errors",
    "TooManyProcesses": "farside.errors",
    "TooMuchOutput": "farside.errors",
    "UndefinedName": "farside.errors",
    "UndefinedSymbols": "farside.errors",
    "Unexpected": "farside.result.objects",
    "Value": "farside.result.value",
    "ValueGone": "farside.errors",
    "Variable": "farside.outcome",
    "load_ipython_extension": "farside.ui.ipython",
    "unload_ipython_extension": "farside.ui.ipython",
}

__all__ = [
    "ArgumentCount",
    "ArgumentMismatch",
    "As",
    "AsyncSession",
    "CallError",
    "CellResult",
    "Checkpoint",
    "Closing",
    "CompileError",
    "CompilerCrashed",
    "CppException",
    "CppObject",
    "Crashed",
    "Diagnostic",
    "Display",
    "DuplicateDefinition",
    "Enumerator",
    "FarSideError",
    "FarSideLost",
    "FarsideError",
    "InternalError",
    "Interrupted",
    "LinkError",
    "ListenerFailed",
    "ObjectError",
    "OptionError",
    "Options",
    "OutOfAddressSpace",
    "Past",
    "Pointer",
    "ProtocolError",
    "Ref",
    "RelocationError",
    "RemoteError",
    "Session",
    "SessionBusy",
    "SessionClosed",
    "SetupError",
    "TimedOut",
    "TooManyProcesses",
    "TooMuchOutput",
    "UndefinedName",
    "UndefinedSymbols",
    "Unexpected",
    "Value",
    "ValueGone",
    "Variable",
    "__version__",
    "load_ipython_extension",
    "unload_ipython_extension",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'farside' has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
