"""`link`: the whole link, as a straight list of passes."""

from __future__ import annotations

import gc

from farside.annotations import TYPE_CHECKING
from farside.link.build import add_object, place_commons
from farside.link.entries import EntryMaker, EntryTable
from farside.link.graph import LinkGraph
from farside.link.image import LinkedImage, make_image
from farside.link.layout import Allocator, lay_out
from farside.link.prune import choose_definitions, prune
from farside.link.resolve import Resolver, look_up, settle
from farside.link.x86_64 import fix_up

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from farside.link.tls import TlsModel
    from farside.object import Archive, ObjectFile


class _Collected:
    """Frees a graph without the cyclic collector, which is paused meanwhile.

    A graph is many small objects that all live until the link's end, and the collector would walk
    them again and again. Once the edges are gone, no cycle is left that it would be needed for.
    """

    def __init__(self, graph: LinkGraph) -> None:
        self._graph = graph

    def __enter__(self) -> None:
        self._enabled = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        for block in self._graph.blocks:
            block.edges = []
        if self._enabled:
            gc.enable()


def link(
    objects: Sequence[ObjectFile],
    *,
    archives: Sequence[Archive] = (),
    name: str,
    allocator: Allocator,
    resolver: Resolver,
    entries: EntryTable,
    tls: TlsModel,
    roots: Collection[str] | None = None,
    redefines: Collection[str] = (),
    demangle: Callable[[str], str] = str,
    passed: Callable[[str], object] = str,
) -> LinkedImage:
    """Link relocatable objects into an image at its final addresses.

    Nothing here talks to any process, and nothing that is passed in is changed except through
    `allocator`: whoever calls this commits or frees what `LinkedImage.allocations` lists. After an
    error the allocator's owner takes back what was allocated since the call.

    Args:
        objects: all of them become part of the image.
        archives: members are added as names are needed.
        name: of the link, for messages, such as ``cell 7``.
        allocator: gives out addresses on the far side.
        resolver: what other links and the far side's libraries define.
        entries: the session's shared GOT slots, stubs and TLS entries.
        tls: the far side's thread-local storage.
        roots: names to keep with all that they need, dropping the rest; None keeps everything that
            others could ask for.
        redefines: names whose definition here takes the place of an earlier link's, weak or strong.
        demangle: makes a name readable, for messages.
        passed: is told the name of each pass when it has ended.

    Raises:
        LinkError: the objects cannot be linked; see `farside.errors` for its kinds.
        ObjectError: an object or archive member is malformed.
    """
    graph = LinkGraph(name)
    with _Collected(graph):
        for obj in objects:
            add_object(graph, obj)
        passed("build graph")
        # Every loaded section is a block, every relocation an edge, every global name one symbol.

        choose_definitions(graph, archives, resolver, roots, redefines)
        passed("choose definitions")
        # Each name has one definition: this link's, an earlier one's, or one to be looked up.

        prune(graph, roots)
        place_commons(graph)
        passed("prune")
        # Every block is live, and what this image defines lies in one of them or is absolute.

        relation = look_up(graph, resolver, tls, demangle)
        passed("look up")
        # Every external name has an address, or is a weak one that nothing defines; what is left to
        # fail is an image that does not fit.

        segments = lay_out(graph, allocator)
        settle(graph, segments, tls)
        passed("lay out")
        # Every block has its final address, and so has every symbol; the blocks' bytes lie in a
        # segment's buffer or are zeros.

        maker = EntryMaker(graph, entries, tls)
        maker.survey()
        entry_segments, new_entries = maker.place(allocator)
        passed("entries")
        # Every edge that needs a GOT slot, stub or TLS entry finds its address in its symbol.

        fix_up(graph)
        passed("fix up")
        # The segments' bytes are final.

        image = make_image(graph, [*segments, *entry_segments], new_entries, relation, tls)
        passed("make image")
        return image
