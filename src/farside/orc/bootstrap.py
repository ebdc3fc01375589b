"""What an executor says of itself first: the Setup message, and every name on the wire.

Names and tags of both sides stand here and nowhere else.
"""

from __future__ import annotations

from struct import Struct
from struct import error as struct_error

from farside.annotations import TYPE_CHECKING
from farside.errors import ProtocolError
from farside.orc.sps import ADDR, BYTES, STRING, U64, Sequence, Tuple, unpack
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

# Stock ORC.
DISPATCH_FN = "__llvm_orc_SimpleRemoteEPC_dispatch_fn"
DISPATCH_CTX = "__llvm_orc_SimpleRemoteEPC_dispatch_ctx"
DYLIB_MANAGER = "__llvm_orc_SimpleExecutorDylibManager_Instance"
DYLIB_OPEN = "__llvm_orc_SimpleExecutorDylibManager_open_wrapper"
DYLIB_RESOLVE = "__llvm_orc_SimpleExecutorDylibManager_resolve_wrapper"
RUN_AS_MAIN = "__llvm_orc_bootstrap_run_as_main_wrapper"
RUN_AS_VOID_FUNCTION = "__llvm_orc_bootstrap_run_as_void_function_wrapper"
RUN_AS_INT_FUNCTION = "__llvm_orc_bootstrap_run_as_int_function_wrapper"
_MEMORY_MANAGER = "__llvm_orc_SimpleExecutorMemoryManager_"
MEMORY_MANAGER = _MEMORY_MANAGER + "Instance"
MEMORY_RESERVE = _MEMORY_MANAGER + "reserve_wrapper"
MEMORY_INITIALIZE = _MEMORY_MANAGER + "initialize_wrapper"
MEMORY_RELEASE = _MEMORY_MANAGER + "release_wrapper"
_MAPPER = "__llvm_orc_ExecutorSharedMemoryMapperService_"
MAPPER = _MAPPER + "Instance"
MAPPER_RESERVE = _MAPPER + "Reserve"
MAPPER_INITIALIZE = _MAPPER + "Initialize"
REGISTER_EH_FRAME = "llvm_orc_registerEHFrameAllocAction"
DEREGISTER_EH_FRAME = "llvm_orc_deregisterEHFrameAllocAction"
REGISTER_DEBUG_OBJECT = "llvm_orc_registerJITLoaderGDBAllocAction"

# The same in LLVM 19, under other names and with other results.
DYLIB_LOOKUP = "__llvm_orc_SimpleExecutorDylibManager_lookup_wrapper"
MEMORY_FINALIZE = _MEMORY_MANAGER + "finalize_wrapper"
MEMORY_DEALLOCATE = _MEMORY_MANAGER + "deallocate_wrapper"

_MEMORY_ACCESS = tuple(
    f"__llvm_orc_bootstrap_mem_{direction}_{what}_wrapper"
    for direction, whats in (
        ("write", ("uint8s", "uint16s", "uint32s", "uint64s", "pointers", "buffers")),
        ("read", ("uint8s", "uint16s", "uint32s", "uint64s", "pointers", "buffers", "strings")),
    )
    for what in whats
)
MEM_WRITE_POINTERS = "__llvm_orc_bootstrap_mem_write_pointers_wrapper"
MEM_READ_BUFFERS = "__llvm_orc_bootstrap_mem_read_buffers_wrapper"
MEM_READ_UINT64S = "__llvm_orc_bootstrap_mem_read_uint64s_wrapper"

STOCK_SYMBOLS = frozenset(
    (
        DISPATCH_FN,
        DISPATCH_CTX,
        DYLIB_MANAGER,
        DYLIB_OPEN,
        DYLIB_RESOLVE,
        *(
            _MEMORY_MANAGER + name
            for name in (
                "Instance",
                "reserve_wrapper",
                "initialize_wrapper",
                "deinitialize_wrapper",
                "release_wrapper",
            )
        ),
        *(
            _MAPPER + name
            for name in ("Instance", "Reserve", "Initialize", "Deinitialize", "Release")
        ),
        *_MEMORY_ACCESS,
        RUN_AS_MAIN,
        RUN_AS_VOID_FUNCTION,
        RUN_AS_INT_FUNCTION,
        REGISTER_EH_FRAME,
        DEREGISTER_EH_FRAME,
        REGISTER_DEBUG_OBJECT,
    )
)
"""The 34 bootstrap symbols of LLVM 22's own executor."""

# What farside adds.
CALL = "farside_call"
SHARE = "farside_share"
COMMIT = "farside_commit"
UNCOMMIT = "farside_uncommit"
SNAPSHOT = "farside_snapshot"
COPY_IN = "farside_copy_in"
STATISTICS = "farside_statistics"
LOADED_LIBRARIES = "farside_loaded_libraries"
INTERRUPT_CALL = "farside_interrupt_call"  # the companion's
RESOLVE_IFUNC = "farside_resolve_ifunc"
STATIC_TLS_INIT = "farside_static_tls_init"
REDIRECT = "farside_redirect"
UNDO_REDIRECT = "farside_undo_redirect"
STATIC_TLS_REGISTER = "farside_static_tls_register"
STATIC_TLS_DEREGISTER = "farside_static_tls_deregister"
TLS_GET_ADDR = "farside_tls_get_addr"
TLS_OFFSETS = "farside_tls_offsets"
TLS_MODULES = "farside_tls_modules"
TLSDESC = "farside_tlsdesc"
PLATFORM_BOOTSTRAP = "farside_platform_bootstrap"
PLATFORM_SHUTDOWN = "farside_platform_shutdown"
REGISTER_JITDYLIB = "farside_platform_register_jitdylib"
DEREGISTER_JITDYLIB = "farside_platform_deregister_jitdylib"
REGISTER_OBJECT_SECTIONS = "farside_platform_register_object_sections"
DEREGISTER_OBJECT_SECTIONS = "farside_platform_deregister_object_sections"
REGISTER_INIT_SECTIONS = "farside_platform_register_init_sections"
DEREGISTER_INIT_SECTIONS = "farside_platform_deregister_init_sections"
REGISTER_FINI_SECTIONS = "farside_platform_register_fini_sections"
DEREGISTER_FINI_SECTIONS = "farside_platform_deregister_fini_sections"
REGISTER_MEMORY = "farside_platform_register_memory"
DEREGISTER_MEMORY = "farside_platform_deregister_memory"
SET_LINK_ORDER = "farside_platform_set_link_order"
HOLD_JITDYLIB = "farside_platform_hold_jitdylib"
JIT_DLOPEN = "farside_platform_jit_dlopen"
JIT_DLUPDATE = "farside_platform_jit_dlupdate"
JIT_DLCLOSE = "farside_platform_jit_dlclose"
JIT_DLSYM = "farside_platform_jit_dlsym"
JIT_DLERROR = "farside_platform_jit_dlerror"
JIT_EXCEPTION = "farside_platform_jit_exception"
RUN_PROGRAM = "farside_platform_run_program"

SYMBOL_LOOKUP_TAG = "farside_platform_symbol_lookup_tag"
"""Dispatch tag of the call Expected<Addr>(Addr header, String name)."""
DISPLAY_TAG = "farside_display_tag"
"""Dispatch tag of the call void(String id, u8 update, Seq<char> tree)."""
MEMORY_TAG = "farside_memory_tag"
"""Dispatch tag of the call u64(u64 size), whose answer brings a descriptor unless it is 0."""

CALLBACK_TAG = "farside_callback_tag"
"""Dispatch tag of the call Seq<char>(u64 id, Seq<(u8 kind, Seq<char>)>): a reply of farside's wire.
"""

FARSIDE_SYMBOLS = frozenset(
    (
        CALL,
        SHARE,
        CALLBACK_TAG,
        COMMIT,
        UNCOMMIT,
        COPY_IN,
        SNAPSHOT,
        STATISTICS,
        LOADED_LIBRARIES,
        RESOLVE_IFUNC,
        STATIC_TLS_INIT,
        REDIRECT,
        UNDO_REDIRECT,
        STATIC_TLS_REGISTER,
        STATIC_TLS_DEREGISTER,
        TLS_GET_ADDR,
        TLSDESC,
        TLS_OFFSETS,
        TLS_MODULES,
        PLATFORM_BOOTSTRAP,
        PLATFORM_SHUTDOWN,
        REGISTER_JITDYLIB,
        DEREGISTER_JITDYLIB,
        REGISTER_OBJECT_SECTIONS,
        DEREGISTER_OBJECT_SECTIONS,
        REGISTER_INIT_SECTIONS,
        DEREGISTER_INIT_SECTIONS,
        REGISTER_FINI_SECTIONS,
        DEREGISTER_FINI_SECTIONS,
        REGISTER_MEMORY,
        DEREGISTER_MEMORY,
        SET_LINK_ORDER,
        HOLD_JITDYLIB,
        JIT_DLOPEN,
        JIT_DLUPDATE,
        JIT_DLCLOSE,
        JIT_DLSYM,
        JIT_DLERROR,
        JIT_EXCEPTION,
        RUN_PROGRAM,
        SYMBOL_LOOKUP_TAG,
        DISPLAY_TAG,
        MEMORY_TAG,
    )
)

QUIET_SYMBOLS = frozenset(
    (DYLIB_RESOLVE, DYLIB_LOOKUP, TLS_OFFSETS, TLS_MODULES, LOADED_LIBRARIES, STATISTICS)
)
"""Calls that run nothing of the program's and change nothing in it."""

# Control socket: tags of the supervisor's calls, and of calls to it.
CONTROL_WORKER_STARTED = 1
CONTROL_WORKER_ENDED = 2
CONTROL_REMARK = 3
CONTROL_REPLACE_WORKER = 1
CONTROL_START_LIBRARIAN = 2
CONTROL_INTERRUPT_CALL = 3
CONTROL_LIMIT_PROCESSES = 4
CONTROL_LOOK = 5

# Kinds of remarks.
REMARK_CONTINUED = 1
REMARK_OTHERS_ENDED = 2
REMARK_TOO_MANY_PROCESSES = 3
REMARK_WRITTEN = 4
REMARK_TRACED = 5
REMARK_BEGUN = 6

# Circumstances of a worker's end, bits.
ENDED_OUT_OF_MEMORY = 1
ENDED_AFTER_EXEC = 2
ENDED_MAIN_THREAD = 4
ENDED_PROCESSOR_LIMIT = 8
ENDED_FORBIDDEN_CALL = 16

# A snapshot's socket: the tag of its only call.
SNAPSHOT_SLEEPS = 1
SNAPSHOT_FOUND_FAMILY = 2

_MAP_VERSION = "farside_version"
_MAP_SLAB = "farside_slab"
_MAP_LOW_SLAB = "farside_low_slab"
_MAP_STATIC_TLS = "farside_static_tls"


class Slab(NamedTuple):
    """The executor's reserved range of addresses; sizes in bytes."""

    base: int
    size: int


class StaticTls(NamedTuple):
    """The static pool: offset of its first byte from the thread pointer, and size in bytes."""

    offset: int
    size: int


class Setup(NamedTuple):
    """The first message of an executor.

    Attributes:
        triple: the target triple for which code must be generated.
        page_size: in bytes, a power of two.
        symbols: bootstrap symbols, name to address.
        version: of farside's additions; 0 for another executor.
        slab: None where the executor has none.
        static_tls: None where the executor has no pool.
        low_slab: a range below 2 GiB, None where there is none.
    """

    triple: str
    page_size: int
    symbols: Mapping[str, int]
    version: int = 0
    slab: Slab | None = None
    static_tls: StaticTls | None = None
    low_slab: Slab | None = None


_SETUP = (STRING, U64, Sequence(Tuple(STRING, BYTES)), Sequence(Tuple(STRING, ADDR)))


def decode_setup(payload: bytes) -> Setup:
    """Read a Setup message.

    Raises:
        ProtocolError: it is malformed, names something twice, or is absurd.
    """
    triple, page_size, pairs, named = unpack(_SETUP, payload)
    values: dict[str, bytes] = dict(pairs)
    symbols: dict[str, int] = dict(named)
    if len(values) != len(pairs) or len(symbols) != len(named):
        raise ProtocolError("Setup message that names something twice.")
    if not 4096 <= page_size <= 1 << 30 or page_size & (page_size - 1):
        raise ProtocolError(f"Setup message with a page size of {page_size} bytes.")
    version = _blob(values, _MAP_VERSION, "<I")
    slab = _blob(values, _MAP_SLAB, "<QQ")
    static_tls = _blob(values, _MAP_STATIC_TLS, "<qQ")
    low = _blob(values, _MAP_LOW_SLAB, "<QQ")
    for found, limit in ((slab, 1 << 63), (low, 1 << 31)):
        if found is not None and (
            found[0] + found[1] >= limit or (found[0] | found[1]) % page_size or found[1] == 0
        ):
            raise ProtocolError(f"Setup message with a slab of {found[1]} bytes at {found[0]:#x}.")
    return Setup(
        triple,
        page_size,
        symbols,
        0 if version is None else version[0],
        None if slab is None else Slab(*slab),
        None if static_tls is None or static_tls[1] == 0 else StaticTls(*static_tls),
        None if low is None else Slab(*low),
    )


def _blob(values: Mapping[str, bytes], key: str, layout: str) -> tuple[int, ...] | None:
    if key not in values:
        return None
    try:
        return Struct(layout).unpack(values[key])
    except struct_error as error:
        raise ProtocolError(f"Setup message with a malformed {key}.") from error
