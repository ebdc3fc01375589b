"""The rule by which one of several libraries is chosen."""

from __future__ import annotations

from farside.libraries.choice import choose
from farside.libraries.librarian import WEAK, Defined, FoundLibrary


def library(
    name: str, *, place: int = 0, link: bool = False, needed: tuple[str, ...] = (), at: str = "/lib"
) -> FoundLibrary:
    return FoundLibrary(f"{at}/{name}", name, place, link, frozenset(needed))


def strong(*libraries: FoundLibrary) -> tuple[Defined, ...]:
    return tuple([Defined(each, 0, "") for each in libraries])


def chosen(found: dict[str, tuple[Defined, ...]], loaded: tuple[str, ...] = ()) -> list[str]:
    return [choice.library.path for choice in choose(found, loaded)]


def test_the_order_of_the_path_comes_first() -> None:
    near, far = library("libz.so", place=0), library("liba.so", place=1, link=True)
    assert chosen({"x": strong(far, near)}) == ["/lib/libz.so"]


def test_what_the_program_has_loaded_comes_before_the_path() -> None:
    first, loaded = library("liba.so"), library("libb.so.1", place=3)
    assert chosen({"x": strong(first, loaded)}, ("/opt/libb.so.1",)) == ["/lib/libb.so.1"]


def test_a_development_link_comes_before_the_name() -> None:
    bare, linked = library("liba.so.1"), library("liblonger.so.1", link=True)
    assert chosen({"x": strong(bare, linked)}) == ["/lib/liblonger.so.1"]


def test_a_strong_definition_comes_before_a_weak_one() -> None:
    weak = Defined(library("liba.so"), WEAK, "")
    assert chosen({"x": (weak, *strong(library("liblonger.so")))}) == ["/lib/liblonger.so"]


def test_the_shorter_name_comes_first_then_the_alphabet() -> None:
    found = strong(library("libcurl-nss.so"), library("libcurl.so"), library("libbbbb.so"))
    assert chosen({"x": found}) == ["/lib/libbbbb.so"]


def test_unrelated_libraries_are_told() -> None:
    one, other = library("liba.so"), library("libother.so")
    (choice,) = choose({"x": strong(one, other)})
    assert choice.others == (other,)


def test_related_libraries_are_not_told() -> None:
    one = library("liba.so", needed=("libneeded.so",))
    copy = library("liba.so", place=1, at="/usr/lib")
    user = library("libuser.so", needed=("liba.so",))
    needed = library("libneeded.so")
    (choice,) = choose({"x": strong(one, copy, user, needed)})
    assert choice.library == one
    assert choice.others == ()


def test_one_library_serves_all_its_names() -> None:
    one = library("liba.so")
    (choice,) = choose({"y": strong(one), "x": strong(one)})
    assert choice.names == ("x", "y")


def test_what_comes_with_a_library_that_is_needed_anyway_is_preferred() -> None:
    gsl = library("libgsl.so.27", link=True, needed=("libgslcblas.so.0",))
    blas, gslcblas = library("libblas.so", link=True), library("libgslcblas.so.0")
    found = {"cblas_ddot": strong(blas, gslcblas), "gsl_sf_bessel_J0": strong(gsl)}
    assert chosen(found) == ["/lib/libgsl.so.27", "/lib/libgslcblas.so.0"]
    assert chosen({"cblas_ddot": found["cblas_ddot"]}) == ["/lib/libblas.so"]


def test_a_name_without_definitions_is_left_out() -> None:
    assert choose({"x": ()}) == ()
