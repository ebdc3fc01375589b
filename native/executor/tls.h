// Thread-local storage of linked images.
//
// An object file that declares `thread_local int x = 5;` brings a template: the initial bytes of
// its thread-local section. Every thread that touches `x` needs an instance of that section of its
// own. The dynamic loader cannot help, because it knows nothing of the image, so the linker
// replaces
// `__tls_get_addr` with `farside_tls_get_addr`, and gives it, for each variable, an entry
//
//     { u64 key, u64 address }
//
// key 0: `address` is an offset from the thread pointer (variables of libraries and of the static
// pool). Otherwise the key is the start of the template and `address` lies within it: the result is
// the same place in the calling thread's instance. An instance is made at the first access. Each
// thread keeps its instances in a hash table that only it changes, so an access is a probe or two.
//
// An instance is aligned as its template is (the linker places the template accordingly), and is
// freed when the thread ends, after the destructors of its thread_local objects.
//
// The **static pool** serves code that was compiled for initial-exec or local-exec access: bytes at
// a fixed distance from the thread pointer, which the near side hands out. They belong to the
// executor's own thread-local segment. Initial bytes are written to the template from which glibc
// makes later threads' segments, and to the pool of every thread that is known (threads.h).
#pragma once

#include "sps.h"

#include <cstdint>
#include <string_view>

namespace farside {

struct TlsEntry {
  uint64_t Key;
  uint64_t Address;
};

/// Must be called once before user code runs.
void initialiseTls();

/// The part of it that has nothing to do with the static pool.
void initialiseInstances();

/// Finds out how large the vector state is that a descriptor function must preserve.
void findXsaveLayout();

/// Gives back the key that ends threads. No thread may run code of cells any more.
void releaseTlsKey();

/// Makes the template known; its start is the key. An empty range is no template.
Error registerThreadData(AddrRange image);

/// Forgets the template and frees every thread's instance of it.
Error deregisterThreadData(AddrRange image);

/// Frees every thread's instance of the templates that start in `memory`; the next access makes
/// another.
void dropThreadInstances(AddrRange memory);

/// The key of the image that this object of the calling thread is an instance of, 0 if of none.
uint64_t imageOfThreadLocal(const void *object);

struct TlsCounts {
  uint64_t Images;
  uint64_t Instances; // of all threads
};
TlsCounts threadLocalCounts();

struct StaticTlsPool {
  int64_t Offset; // from the thread pointer
  uint64_t Size;
};
StaticTlsPool staticTlsPool();

/// Writes initial bytes at `offset` from the thread pointer, within the static pool, for every
/// thread.
Error initialiseStaticTls(int64_t offset, std::string_view bytes);

/// Remembers where the initial bytes of a part of the pool lie, for `resetStaticTls`.
Error registerStaticTls(int64_t offset, AddrRange image);
Error deregisterStaticTls(int64_t offset, AddrRange image);

/// Gives the variables whose initial bytes start in `memory` their initial values, in every thread.
void resetStaticTls(AddrRange memory);

/// How many parts of the pool are in use.
uint64_t countStaticTls();

/// Makes the calling thread's pool what the template is now.
void refreshStaticTls();

/// What the linker puts for `__tls_get_addr`: an ordinary call, argument a TlsEntry.
extern "C" void farside_tls_get_addr();

/// What the linker puts in the first word of a TLS descriptor, whose second word is the address of
/// a TlsEntry. Takes the descriptor in RAX, returns the offset from the thread pointer there, and
/// preserves every other register, as the psABI asks of descriptor functions.
extern "C" void farside_tlsdesc();

} // namespace farside
