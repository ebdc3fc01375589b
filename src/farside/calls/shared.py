"""Buffers that the program and this process both see."""

from __future__ import annotations

import mmap
import os
import re
import secrets

from farside.annotations import TYPE_CHECKING, Any
from farside.calls.wire import array_of, elements_of
from farside.errors import ArgumentMismatch, OptionError
from farside.records import NamedTuple
from farside.remote.calls import Beside

if TYPE_CHECKING:
    from farside.errors import CompileError
    from farside.execution import ExecutionSession

_NAME = re.compile(r"[A-Za-z_]\w*")


class SharedBuffer(NamedTuple):
    """A buffer: its number, its memory, the array that shows it here, and the cell that names it
    there."""

    key: int
    memory: Beside
    array: Any
    code: str


def unnameable(name: str, error: CompileError) -> CompileError | OptionError:
    """Return what is raised where Clang refuses the cell that names a buffer.

    The user has not written it, so what Clang says is told without its lines.
    """
    said = [each for each in error.diagnostics if each.severity in ("error", "fatal")]
    if not said or not said[0].file.startswith("cell "):
        return error
    return OptionError(f"{name!r} cannot name a variable in this session: {said[0].message}")


def make_shared(name: str, array: object, execution: ExecutionSession) -> SharedBuffer:
    """Make a buffer with the contents of an array.

    Args:
        name: of the variable in the program.
        array: numpy's, or any other that has the buffer protocol.
        execution: the far side, which is to be ready.

    Raises:
        OptionError: the name is none, or the far side can be given no memory.
        ArgumentMismatch: it is no array, or of elements that C++ does not have.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise OptionError(f"{name!r} cannot name a variable")
    if not execution.calls.is_local:
        raise OptionError(
            "a buffer can be shared only with farside's own executor on this machine; give the"
            " array as an argument instead"
        )
    view = array_of(array)
    if view is None or not view.ndim or getattr(array, "shape", None) == ():
        raise ArgumentMismatch(_why_not(array))
    size = max(view.nbytes, 1)  # no memory can be mapped that is none
    elements = elements_of(view)
    descriptor = os.memfd_create("farside", os.MFD_CLOEXEC)
    try:
        os.ftruncate(descriptor, size)
        memory = mmap.mmap(descriptor, size)
    except BaseException:
        os.close(descriptor)
        raise
    if view.nbytes:
        memory[:] = view.tobytes() if not view.c_contiguous else view.cast("B")
    key = secrets.randbits(62)
    shape = view.shape or ()
    headers = "#include <complex>\n" if elements.kind == "c" else ""
    if view.ndim == 1:
        made, extent = f"std::span<{elements.type}>", f"{shape[0]}"
        call = f"farside::detail::shared<{elements.type}>"
    else:
        made = f"farside::ndspan<{elements.type}, {view.ndim}>"
        extent = f"{{{', '.join(map(str, shape))}}}"
        call = f"farside::detail::shared<{elements.type}, {view.ndim}>"
    value = f'{call}({key}ul, {extent}, "{name}")'
    code = f"{headers}#include <farside/shared.h>\n{made} {name} = {value};"
    return SharedBuffer(key, Beside(descriptor, size), _shown(memory, array, view), code)


def _why_not(array: object) -> str:
    """Return why an object is no array that can be shared."""
    dtype = getattr(array, "dtype", None)
    if getattr(array, "shape", None) == ():
        return "an array of no dimensions cannot be shared; give it one, as from array.reshape(1)"
    if getattr(dtype, "kind", "") in ("m", "M"):
        return (
            f"an array of {dtype} has no form in C++; share its numbers, as from"
            ' array.astype("int64")'
        )
    return f"a Python {type(array).__name__} is no array that can be shared"


def _shown(memory: mmap.mmap, array: object, view: memoryview) -> Any:
    """Return the memory as an array of the kind that it was made from."""
    if hasattr(array, "dtype"):
        import numpy as np

        if not view.nbytes:
            return np.empty(view.shape or (), dtype=array.dtype.newbyteorder("="))
        return np.frombuffer(memory, dtype=array.dtype.newbyteorder("=")).reshape(view.shape or ())
    flat: Any = memoryview(memory)[: view.nbytes]
    if view.ndim > 1 and not view.nbytes:
        return flat.cast(view.format)  # it knows no empty shapes
    return flat.cast(view.format, view.shape) if view.ndim > 1 else flat.cast(view.format)
