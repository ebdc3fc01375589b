/* How a value that a cell shows is handed over: __farside_value(kind, data, size).
 *
 * Code that farside-compiler makes calls this function, farside-executor defines it, and
 * farside/result/value.py reads the bytes. Each line below is `#define NAME number`; the three
 * sides agree by number. Data is a copy of the object's own bytes, little-endian.
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
#define FARSIDE_VALUE_INT 7      /* signed, two's complement; size 1 to 16 */
#define FARSIDE_VALUE_UINT 8     /* unsigned; size 1 to 16 */
#define FARSIDE_VALUE_FLOAT 9    /* IEEE 754 binary16, 32 or 128 by size: 2, 4, 16 */
#define FARSIDE_VALUE_DOUBLE 10  /* IEEE 754 binary64; size 8 */
#define FARSIDE_VALUE_LDOUBLE 11 /* x87 extended in its 16-byte slot; the first 10 bytes count */
#define FARSIDE_VALUE_POINTER 12 /* an object or function pointer; size 8 */
#define FARSIDE_VALUE_NULLPTR 13 /* std::nullptr_t; size 0 */
#define FARSIDE_VALUE_ENUM 14    /* signed underlying value; size 1 to 16 */
#define FARSIDE_VALUE_UENUM 15   /* unsigned underlying value; size 1 to 16 */
#define FARSIDE_VALUE_CSTR 16    /* char pointer: the bytes up to NUL, without it; see the limit */
#define FARSIDE_VALUE_CSTR_NULL 17 /* char pointer that is null; size 0 */
#define FARSIDE_VALUE_STRING 18    /* std::string, std::string_view: the bytes; see the limit */
#define FARSIDE_VALUE_OBJECT 19    /* any other object: its address; size 8 */
#define FARSIDE_VALUE_COMPLEX 20   /* _Complex: real and imaginary part, half of size each */

/* At most this many bytes of a string travel. One byte more means that the string goes on: show the
 * first FARSIDE_VALUE_STRING_LIMIT and a mark. */
#define FARSIDE_VALUE_STRING_LIMIT 10000

#endif
