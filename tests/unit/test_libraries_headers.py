"""Hints for headers, from the files of a made-up machine."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from farside.frontend.diagnostics import Diagnostic
from farside.libraries.headers import header_hints


@pytest.fixture(autouse=True)
def _no_pkg_config_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PKG_CONFIG_PATH", raising=False)


def put(root: Path, path: str, text: str = "") -> None:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def hints(root: Path, *headers: str) -> tuple[str, ...]:
    missing = [Diagnostic("fatal", f"'{header}' file not found") for header in headers]
    return header_hints(missing, str(root))


def test_pkg_config_knows_the_directory(tmp_path: Path) -> None:
    put(tmp_path, "usr/include/eigen3/Eigen/Dense")
    put(
        tmp_path,
        "usr/share/pkgconfig/eigen3.pc",
        "prefix=/usr\nincludedir=${prefix}/include\nCflags: -I${includedir}/eigen3 -DX\n",
    )
    assert hints(tmp_path, "Eigen/Dense") == (
        "Eigen/Dense is in /usr/include/eigen3, which is not searched: use -I /usr/include/eigen3"
        " (pkg-config --cflags eigen3 lists all that eigen3 needs)",
    )


def test_variables_that_refer_to_themselves_end(tmp_path: Path) -> None:
    put(tmp_path, "usr/lib/pkgconfig/a.pc", "a=${b}${b}\nb=${a}${a}\nCflags: -I${a} -I/x\n")
    assert hints(tmp_path, "x.h") == ()


def test_dpkg_knows_the_package(tmp_path: Path) -> None:
    put(
        tmp_path,
        "var/lib/dpkg/info/libgsl-dev:amd64.list",
        "/.\n/usr\n/usr/include/gsl/gsl_math.h\n/usr/share/doc/examples/gsl_math.h\n",
    )
    assert hints(tmp_path, "gsl_math.h") == (
        "gsl_math.h of the package libgsl-dev is in /usr/include/gsl, which is not searched: use -I"
        " /usr/include/gsl",
    )


@pytest.mark.parametrize("packed", [False, True])
def test_apt_file_knows_what_to_install(tmp_path: Path, packed: bool) -> None:
    index = "usr/bin/fmt utils/coreutils\nusr/include/fmt/core.h    libdevel/libfmt-dev\n"
    name = "var/lib/apt/lists/deb.debian.org_debian_dists_bookworm_main_Contents-amd64"
    put(tmp_path, name, index)
    if packed:
        (tmp_path / name).unlink()
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(index.encode()))
    assert hints(tmp_path, "fmt/core.h") == (
        "fmt/core.h is in a package that is not installed: apt-get install libfmt-dev",
    )


@pytest.mark.parametrize("header", ["../../etc/passwd", "nosuch.h", ".", "(.*)"])
def test_what_nobody_knows_has_no_hint(tmp_path: Path, header: str) -> None:
    put(tmp_path, "etc/passwd")
    put(tmp_path, "usr/share/pkgconfig/x.pc", "Cflags: -I/usr/include/x\n")
    put(tmp_path, "var/lib/dpkg/info/x.list", "/usr/include/x/other.h\n")
    assert hints(tmp_path, header) == ()


def test_other_errors_have_no_hint(tmp_path: Path) -> None:
    assert header_hints([Diagnostic("error", "expected ';'")], str(tmp_path)) == ()


def test_headers_of_libcxx(tmp_path: Path) -> None:
    assert hints(tmp_path, "print", "nonsense") == (
        "libc++ has print, and libstdc++ has it since GCC 14: apt-get install libc++-dev, and start"
        " farside with -stdlib=libc++",
    )
    put(
        tmp_path,
        "var/lib/dpkg/info/libc++-22-dev:amd64.list",
        "/usr/lib/llvm-22/include/c++/v1/format\n/usr/lib/llvm-22/include/c++/v1/print\n",
    )
    assert hints(tmp_path, "format", "print") == (
        "libc++ has format: start farside with -stdlib=libc++",
        "libc++ has print: start farside with -stdlib=libc++",
    )
