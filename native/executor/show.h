// What a cell shows, written down as a tree of tokens while the cell's own code walks the value.
//
// The functions below are called by code that farside-compiler makes; value_kinds.h has the tokens.
// The first parameter of all but the first is what that gave to `entry`.
//
// Showing must not harm what is shown. The bytes of plain data are read through the kernel, which
// says that memory cannot be read where a load would end the program. And where showing a value
// takes code of the program or of its libraries, it is done in a *child*: a fork of the process
// that shows the value, into memory shared with the original, and ends. Whatever that code does,
// crash, throw, run for ever, change the value or exhaust a stream, is undone by the child's end,
// and what it has written until then is kept. The child is made as a snapshot is (snapshot.h): the
// program does not see it.
#pragma once

#include <cstdint>

extern "C" {

/// Shows the object: calls `entry` with a place to write to and the object, in a child where
/// `guarded` says so. Of each container at most `limit` elements are shown.
void __farside_show(void (*entry)(void *, void *), const volatile void *object, unsigned guarded,
                    uint64_t limit);

/// The same, but not as the value of the cell: the near side is told at once. `id` names the
/// display, null for none; `update` is for one that was shown before.
void __farside_display(void (*entry)(void *, void *), const volatile void *object, uint64_t limit,
                       const char *id, unsigned update);

/// Gives the object to the near side, whole, as one more value of the running commit: calls
/// `entry`, here and not in a child. Returns 1 if it has a form there, 0 if only type and address
/// are given. What code of the program throws comes out of this. See given_tree.h.
unsigned __farside_give(void (*entry)(void *, void *), const volatile void *object);

/// A value of `size` bytes; of a string, or text, as much as is shown.
void __farside_leaf(void *out, unsigned kind, const volatile void *data, uint64_t size);

/// The kind OBJECT.
void __farside_address(void *out, const volatile void *object);

/// A number that has no address.
void __farside_integer(void *out, unsigned kind, unsigned long long value, uint64_t size);

/// `count` code units up to a NUL. `direct` 0: a pointer to a string lies at `data`.
void __farside_chars(void *out, unsigned kind, const volatile void *data, uint64_t count,
                     uint64_t direct);

/// `count` elements of a plain kind, `size` bytes each.
void __farside_array(void *out, unsigned kind, const volatile void *data, uint64_t size,
                     uint64_t count);

/// An array of numbers that lie one after the other, as a given value: `count` times as many as the
/// product of the numbers in `inner`, which are separated by commas.
void __farside_numbers(void *out, unsigned kind, const volatile void *data, uint64_t size,
                       uint64_t count, const char *inner);

/// An enumeration; `table`: its underlying type, then value and name by turns, each with a NUL, and
/// an empty one.
void __farside_enum(void *out, unsigned kind, const volatile void *data, uint64_t size,
                    const char *table);

/// The same as a given value: number and name.
void __farside_enumerator(void *out, unsigned kind, const volatile void *data, uint64_t size,
                          const char *table, const char *type);

/// A pointer to a data member; `table`: offset and name by turns.
void __farside_member(void *out, const volatile void *data, const char *table);

void __farside_open(void *out, unsigned kind, const char *text);
/// TYPED by the name that RTTI has for the object's class, unless that is `type`.
void __farside_open_dynamic(void *out, const volatile void *object, const char *type);
/// TYPED by a mangled name.
void __farside_open_type(void *out, const char *mangled);
/// A mangled name, as the text of a value.
void __farside_type_name(void *out, const char *mangled);
/// The exception that is being handled: TYPED by its type, with what it says.
void __farside_caught(void *out);
/// A vector of Clang's of bools: a bit each, from the lowest of the first byte on.
void __farside_bits(void *out, const volatile void *data, uint64_t count);
void __farside_close(void *out);
void __farside_label(void *out, const char *name);
/// How many elements the open value has in all.
void __farside_count(void *out, uint64_t count);
/// Whether one more element is to be shown; marks the value as cut if not.
int __farside_more(void *out);
/// Before a value that may be part of itself: false where it is being shown already, or so deep
/// that it had better not be.
int __farside_enter(void *out, const volatile void *object);
void __farside_leave(void *out);
}
