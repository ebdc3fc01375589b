"""The kinds of values and tokens, by name and number as ``farside/value_kinds.h`` has them."""

from __future__ import annotations

from enum import IntEnum


class ValueKind(IntEnum):
    """How the bytes of a value are to be read."""

    NONE = 0
    BOOL = 1
    CHAR = 2
    CHAR8 = 3
    CHAR16 = 4
    CHAR32 = 5
    WCHAR = 6
    INT = 7
    UINT = 8
    FLOAT = 9
    DOUBLE = 10
    LDOUBLE = 11
    POINTER = 12
    NULLPTR = 13
    ENUM = 14
    UENUM = 15
    CSTR = 16
    CSTR_NULL = 17
    STRING = 18
    OBJECT = 19
    COMPLEX = 20
    TREE = 21
    STRING8 = 22
    STRING16 = 23
    STRING32 = 24
    WSTRING = 25
    FUNCTION = 26
    MEMBER = 27
    METHOD = 28
    TIME = 29
    TEXT = 30
    NAME = 31
    UNREADABLE = 32
    ARRAY = 33
    DATA = 34
    NUMBERS = 35
    PATH = 36
    LABEL = 40
    COUNT = 41
    CUT = 42
    CYCLE = 43
    ERROR = 44
    CLOSE = 45
    BLOCK = 46
    SEQUENCE = 50
    MAP = 51
    TUPLE = 52
    RECORD = 53
    POINTEE = 54
    TYPED = 55
    QUANTITY = 56
    OPTIONAL = 57
    UNEXPECTED = 58
    BUNDLE = 59
    ENUMERATION = 60
    OPAQUE = 61
    SET = 62
    EXCEPTION = 63
    DATE = 64
    BITS = 65
