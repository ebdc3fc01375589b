"""The program on the far side, as the near side knows it.

An `ExecutionSession` (ORC's word) owns one executor and everything whose meaning ends with it: the
slab's free ranges, the symbol tables, the GOT slots and call stubs that images share. It links objects
against that state and commits the images. It knows nothing of source code.

Linking and committing are two steps so that a failure between them, or in either, can be undone
exactly: `link` notes what it took (memory, table entries) in a `PendingImage`, and nothing of it counts
until `commit` has heard from the far side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from farside.errors import FarsideError, InternalError
from farside.link import Definition, EntryTable, LinkedImage, Prot, TlsModel, link
from farside.orc.jitdylib import JITDylib
from farside.remote.executor import CommitRequest, Executor, RunOutcome
from farside.remote.memory import SlabAllocator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from farside.object import Archive, ObjectFile
    from farside.options import Options
    from farside.remote.executor import OutputSink
