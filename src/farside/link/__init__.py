"""The JIT linker: relocatable objects to images at their final addresses on the far side.

`link` is the whole of it; `farside.link.linker` reads as the list of its passes.
"""

from farside.link.entries import Entry, EntryTable
from farside.link.graph import Definition, Prot
from farside.link.image import ImageSegment, LinkedImage, SymbolDefinition
from farside.link.initialisers import Initialiser, Range
from farside.link.layout import Allocator
from farside.link.linker import link
from farside.link.places import Places, places_of
from farside.link.resolve import Resolver
from farside.link.tls import NoTls, StaticTls, TlsModel

__all__ = [
    "Allocator",
    "Definition",
    "Entry",
    "EntryTable",
    "ImageSegment",
    "Initialiser",
    "LinkedImage",
    "NoTls",
    "Places",
    "Prot",
    "Range",
    "Resolver",
    "StaticTls",
    "SymbolDefinition",
    "TlsModel",
    "link",
    "places_of",
]
