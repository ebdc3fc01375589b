/* How values that a cell shows are handed over.
 *
 * A plain number, a pointer or a string goes through __farside_value(kind, data, size). All else is
 * a *tree*: a sequence of tokens, each `u8 kind, u32 size, size bytes`, little-endian, that code
 * writes in the order of display through the functions of native/executor/show.h. The tree travels
 * as one value of kind FARSIDE_VALUE_TREE. A value that is *given*, to a Python program, is a tree
 * as well, but whole: nothing of it is cut, and it has no texts in place of values. Some kinds are
 * there for such trees alone.
 *
 * Code that farside-compiler makes says the kinds, farside-executor passes them on, and
 * farside/result/value.py and tree.py read them. Each line below is `#define NAME number`; the
 * three sides agree by number. Data is a copy of the object's own bytes, little-endian.
 */
#ifndef FARSIDE_VALUE_KINDS_H
#define FARSIDE_VALUE_KINDS_H

#define FARSIDE_VALUE_NONE 0     /* nothing to show; size 0 */
#define FARSIDE_VALUE_BOOL 1     /* size 1; 0 or 1 */
#define FARSIDE_VALUE_CHAR 2     /* char, signed char, unsigned char; size 1 */
#define FARSIDE_VALUE_CHAR8 3    /* char8_t; size 1 */
#define FARSIDE_VALUE_CHAR16 4   /* char16_t; size 2 */
#define FARSIDE_VALUE_CHAR32 5   /* char32_t; size 4 */
#define FARSIDE_VALUE_WCHAR 6    /* wchar_t; size 4 */
#define FARSIDE_VALUE_INT 7      /* signed, two's complement; size 1 to 1024 */
#define FARSIDE_VALUE_UINT 8     /* unsigned; size 1 to 1024 */
#define FARSIDE_VALUE_FLOAT 9    /* IEEE 754 binary16, 32 or 128 by size: 2, 4, 16 */
#define FARSIDE_VALUE_DOUBLE 10  /* IEEE 754 binary64; size 8 */
#define FARSIDE_VALUE_LDOUBLE 11 /* x87 extended in its 16-byte slot; the first 10 bytes count */
#define FARSIDE_VALUE_POINTER 12 /* a pointer to an object; size 8 */
#define FARSIDE_VALUE_NULLPTR 13 /* std::nullptr_t; size 0 */
#define FARSIDE_VALUE_ENUM 14    /* signed underlying value; size 1 to 16 */
#define FARSIDE_VALUE_UENUM 15   /* unsigned underlying value; size 1 to 16 */
#define FARSIDE_VALUE_CSTR 16    /* char pointer: the bytes up to NUL; char array; see the limit */
#define FARSIDE_VALUE_CSTR_NULL 17  /* char pointer that is null; size 0 */
#define FARSIDE_VALUE_STRING 18     /* std::string, std::string_view: the bytes; see the limit */
#define FARSIDE_VALUE_OBJECT 19     /* any other object: its address; size 8 */
#define FARSIDE_VALUE_COMPLEX 20    /* _Complex: real and imaginary part, half of size each */
#define FARSIDE_VALUE_TREE 21       /* tokens; the kinds above and below are theirs */
#define FARSIDE_VALUE_STRING8 22    /* code units of char8_t; see the limit */
#define FARSIDE_VALUE_STRING16 23   /* code units of char16_t; see the limit */
#define FARSIDE_VALUE_STRING32 24   /* code units of char32_t; see the limit */
#define FARSIDE_VALUE_WSTRING 25    /* code units of wchar_t, 4 bytes each; see the limit */
#define FARSIDE_VALUE_FUNCTION 26   /* a function or a pointer to one: its address; size 8 */
#define FARSIDE_VALUE_MEMBER 27     /* pointer to a data member: i64 offset, -1 for null */
#define FARSIDE_VALUE_METHOD 28     /* pointer to a member function: u64, i64 (C++ ABI) */
#define FARSIDE_VALUE_TIME 29       /* a time of the system clock: i64 nanoseconds since 1970 */
#define FARSIDE_VALUE_TEXT 30       /* what stands for a value in plain text; see the limit */
#define FARSIDE_VALUE_NAME 31       /* a name, as of an enumerator, that stands for a value */
#define FARSIDE_VALUE_UNREADABLE 32 /* memory that cannot be read: its address; size 8 */
#define FARSIDE_VALUE_ARRAY 33      /* u8 kind, u64 element size, then the elements' bytes */
#define FARSIDE_VALUE_DATA 34       /* bytes, whole */
#define FARSIDE_VALUE_NUMBERS 35    /* u8 kind, u8 n, u64 element size, n u64 (shape), bytes */
#define FARSIDE_VALUE_PATH 36       /* std::filesystem::path: its bytes */

/* Tokens that are no values themselves. */
#define FARSIDE_VALUE_LABEL 40 /* the name of the value that follows */
#define FARSIDE_VALUE_COUNT 41 /* u64: how many elements the open value has in all */
#define FARSIDE_VALUE_CUT 42   /* the open value goes on; nothing more of it is sent */
#define FARSIDE_VALUE_CYCLE 43 /* stands for a value that is being shown further out */
#define FARSIDE_VALUE_ERROR 44 /* the display ended here; the text says why */
#define FARSIDE_VALUE_CLOSE 45 /* ends the value that was opened last */
/* u8 kind, u64 number, u64 size, head: a token of that kind, head and then memory of that number */
#define FARSIDE_VALUE_BLOCK 46

/* Tokens that open a value made of those that follow, up to its CLOSE. */
#define FARSIDE_VALUE_SEQUENCE 50    /* elements */
#define FARSIDE_VALUE_MAP 51         /* keys and values by turns */
#define FARSIDE_VALUE_TUPLE 52       /* elements of several types */
#define FARSIDE_VALUE_RECORD 53      /* labelled members */
#define FARSIDE_VALUE_POINTEE 54     /* a pointer and, unless null or opaque, what it points to */
#define FARSIDE_VALUE_TYPED 55       /* one value, and as text its type */
#define FARSIDE_VALUE_QUANTITY 56    /* one number, and as text its unit */
#define FARSIDE_VALUE_OPTIONAL 57    /* no value, then the text stands for it, or one */
#define FARSIDE_VALUE_UNEXPECTED 58  /* one value: std::expected holds an error */
#define FARSIDE_VALUE_BUNDLE 59      /* labelled texts: a value by MIME type */
#define FARSIDE_VALUE_ENUMERATION 60 /* a number, then its name if it has one; as text its type */
#define FARSIDE_VALUE_OPAQUE 61      /* a formless OBJECT, BOOL: it lives on; text: type */
#define FARSIDE_VALUE_SET 62         /* elements, each of which is there once */
#define FARSIDE_VALUE_EXCEPTION 63   /* what() as TYPED or OPTIONAL; as text the static type */
#define FARSIDE_VALUE_DATE 64        /* a RECORD of year, month and day */
#define FARSIDE_VALUE_BITS 65        /* a TEXT of binary digits */

/* At most this many bytes of a string travel to be shown. One byte more means that the string goes
 * on: show the first FARSIDE_VALUE_STRING_LIMIT and a mark. */
#define FARSIDE_VALUE_STRING_LIMIT 10000

#endif
