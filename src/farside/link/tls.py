"""Thread-local storage: how each access model of the psABI is lowered here.

**What the compiler emits.** A thread-local variable is a symbol in ``.tdata`` or ``.tbss``. Those
sections are never used as they lie; they are the *initial image* that each thread gets a copy of.
Code asks for the address of its thread's copy in one of five ways:

========================  ======================================  ==============================
model                     code                                    relocations
========================  ======================================  ==============================
general dynamic (GD)      ``lea E(%rip),%rdi; call                TLSGD
                          __tls_get_addr``
local dynamic (LD)        the same once, then ``x@dtpoff(%rax)``  TLSLD, DTPOFF32, DTPOFF64
descriptor                ``lea D(%rip),%rax; call *(%rax)``,     GOTPC32_TLSDESC, TLSDESC_CALL
(``-mtls-dialect=gnu2``)  then ``%fs:(%rax)``
initial exec (IE)         ``mov T(%rip),%reg; %fs:(%reg)``        GOTTPOFF
local exec (LE)           ``%fs:x@tpoff``                         TPOFF32, TPOFF64
========================  ======================================  ==============================

**Dynamic storage.** Code that arrives while threads are running cannot have room next to the
thread pointer of each of them. So, as in ORC's ELFNix platform, a variable is reached through an
*entry* of two words, E above::

    E:  key                          which initial image, and so which of the thread's copies
        address of the initial datum in the image

``__tls_get_addr`` is not glibc's but the far side's (`TlsModel.get_addr`). From the entry it finds
the thread's copy of the image, made on first access, and adds the datum's distance from the image's
start. The key is `TlsModel.key` where the far side handed one out (ORC's runtime uses a pthread
key); where it is None, it is the start address of the initial image.

LD is GD for the start of the image: E names it, so that DTPOFF is the datum's distance from it.

A TLS descriptor D is two words: the function `TlsModel.descriptor`, and the address of an entry E.
The function gets D's address in ``%rax``, returns the datum's offset from the thread pointer there,
and keeps every other register.

**Static storage.** IE and LE code adds a constant to the thread pointer, so its variables must lie
at one offset in all threads. The far side keeps a pool there; `TlsModel.static_allocate` gives out
a piece of it. An image in which any such access to its own variables occurs is placed there
*whole*, and `StaticTls` tells the far side where and what its initial bytes are. T is a GOT slot
that holds the offset. All the same GD code may reach such a variable, from this image or a later
one; its entry then has key 0, which no image has, and the second word is the offset itself. Where
the far side has no descriptor function, descriptor code for static variables is rewritten to put
the offset into the register.

**Variables of others.** One of an earlier image comes with its key or offset in its `Definition`;
one of a shared library may lie at a fixed offset, which `TlsModel.offsets` tells, or in storage
that each thread allocates: then its entry is what the loader's own would be, glibc's module number
and the offset (`TlsModel.modules`). The far side knows such an entry by its small first word. IE
and LE code for a variable in dynamic storage cannot work and is a `LinkError` that says how to
compile it instead.

**Entries in data.** A hand-written entry is a word with DTPMOD64 and, behind it, one with DTPOFF64.
They become the two words of an entry. Elsewhere DTPOFF64 is the distance from the image's start.

Source: System V psABI for AMD64, 4.4 and A.2; "ELF Handling For Thread-Local Storage", 4.4; ORC's
``elfnix_platform.cpp`` for the two-word entry.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING, Final, Protocol
from farside.errors import LinkError
from farside.link.x86_64 import kinds_of
from farside.object.elf import SHF_TLS
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from farside.link.graph import LinkGraph, Symbol, ThreadData


class TlsModel(Protocol):
    """What the far side offers for thread-local storage.

    Attributes:
        get_addr: the address to use for ``__tls_get_addr``; None leaves it to the resolver.
        descriptor: the address of the descriptor function, or None where there is none.
        key: the first word of every new entry; None means the image's start address.
    """

    @property
    def get_addr(self) -> int | None: ...  # noqa: D102
    @property
    def descriptor(self) -> int | None: ...  # noqa: D102
    @property
    def key(self) -> int | None: ...  # noqa: D102

    def static_allocate(self, size: int, alignment: int) -> int | None:
        """Return the thread-pointer offset of `size` bytes in every thread; None without room."""

    def offsets(self, names: Collection[str]) -> Mapping[str, int]:
        """Return the thread-pointer offsets of libraries' variables; absent means not known."""

    def modules(self, names: Collection[str]) -> Mapping[str, tuple[int, int]]:
        """Return the entries' words of libraries' variables in dynamic storage."""


class NoTls:
    """A far side without thread-local storage of its own: only dynamic entries, keyed by image."""

    get_addr: int | None = None
    descriptor: int | None = None
    key: int | None = None

    def static_allocate(self, size: int, alignment: int) -> int | None:
        """Return None: there is no pool."""
        return None

    def offsets(self, names: Collection[str]) -> Mapping[str, int]:
        """Return nothing: no library's variables are known."""
        return {}

    def modules(self, names: Collection[str]) -> Mapping[str, tuple[int, int]]:
        """Return nothing, as `offsets`."""
        return {}


class StaticTls(NamedTuple):
    """Thread-local data at one offset in every thread.

    Attributes:
        offset: of its start from the thread pointer.
        address: where its initial image lies.
        content: its initial bytes; what is beyond them up to `size` is zero.
        size, alignment: of the whole.
    """

    offset: int
    address: int
    content: bytes
    size: int
    alignment: int


_STATIC_ACCESS: Final = frozenset((*kinds_of("T +"), *kinds_of("TP +")))


def place_static(graph: LinkGraph, tls: TlsModel) -> None:
    """Place the image's thread-local data in static storage if its code needs it there.

    Raises:
        LinkError: it must be static, and the far side has no room for it.
    """
    data = graph.thread_data
    user = _static_user(graph)
    if data is None or user is None:
        return
    offset = tls.static_allocate(data.size, data.alignment)
    if offset is None:
        raise LinkError(
            f"{user.object_name}: {user.name or 'thread-local data'} is accessed at a fixed offset "
            f"from the thread pointer, and the far side has no room for its {data.size} bytes "
            "there; compile with -fPIC or -ftls-model=global-dynamic."
        )
    for block in graph.thread_blocks:
        block.tls_offset = block.address - data.address + offset
    graph.static_tls = offset


def _static_user(graph: LinkGraph) -> Symbol | None:
    """Return a variable of this image that code reaches at a fixed offset, if there is one."""
    for block in graph.blocks:
        for edge in block.edges:
            if edge[1] in _STATIC_ACCESS and edge[2].block is not None:
                return edge[2]
    return None


def locate(graph: LinkGraph, tls: TlsModel) -> None:
    """Give every variable of this image its entry's words, and its offset if its data is static."""
    data = graph.thread_data
    for symbols in (graph.globals.values(), graph.locals):
        for symbol in symbols:
            block = symbol.block
            if block is not None and block.section.flags & SHF_TLS:
                if graph.static_tls is not None:
                    symbol.tls_offset = block.tls_offset + symbol.value
                symbol.tls_words = entry_words(symbol, data, tls)


def entry_words(symbol: Symbol, data: ThreadData | None, tls: TlsModel) -> tuple[int, int]:
    """Return the two words of a variable's entry."""
    if symbol.tls_offset is not None:
        return 0, symbol.tls_offset
    if symbol.earlier is not None:
        return symbol.earlier.tls_key or 0, symbol.earlier.address
    if symbol.block is None or data is None:
        return 0, 0  # a weak reference to a variable that does not exist
    return image_key(data, tls), symbol.address


def image_words(graph: LinkGraph, tls: TlsModel) -> tuple[int, int]:
    """Return the two words of the entry for the start of the image's thread-local data."""
    if graph.static_tls is not None:
        return 0, graph.static_tls
    data = graph.thread_data
    return (0, 0) if data is None else (image_key(data, tls), data.address)


def image_key(data: ThreadData, tls: TlsModel) -> int:
    """Return the first word of the entries of an image in dynamic storage."""
    return data.address if tls.key is None else tls.key


def require_static(symbol: Symbol, user: str) -> int:
    """Return the offset of a variable that code reaches at a fixed one.

    Raises:
        LinkError: it lies in dynamic storage.
    """
    if symbol.tls_offset is None:
        raise LinkError(
            f"{user}: {symbol.name or 'thread-local data'} is accessed at a fixed offset from the "
            "thread pointer, but lies in storage that each thread allocates; compile with -fPIC or "
            "-ftls-model=global-dynamic."
        )
    return symbol.tls_offset
