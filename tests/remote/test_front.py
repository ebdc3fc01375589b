"""Who is let in by ``farside executor``, and what becomes of those who are not."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path
from threading import Thread

import pytest

from farside.errors import Crashed, FarSideLost, OptionError, SetupError
from farside.executor_command import main, parse
from farside.options import Options
from farside.remote import handshake
from farside.remote.far_end import pack_message
from farside.remote.front import Caller, Doorkeeper, whose_place
from farside.session import Session
from tests.conftest import Traces
from tests.far_sides import TOKEN, Front, environment, front
from tests.session.conftest import shown

WISH = pack_message({"slab": None, "memory": None})


def options(running: Front, directory: Path) -> Options:
    return Options(
        output="capture", connect=running.address, token_file=directory / "token", use_pch=False
    )


def call(running: Front) -> tuple[socket.socket, bytes, bool]:
    """Connect and read the banner."""
    connected = socket.create_connection(("127.0.0.1", running.port), timeout=20)
    banner = b""
    while len(banner) < handshake.BANNER_SIZE and (more := connected.recv(48 - len(banner))):
        banner += more
    return connected, *handshake.read_banner(banner)


def secured(connected: socket.socket) -> tuple[ssl.SSLSocket, bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    secure = context.wrap_socket(connected)
    return secure, handshake.fingerprint(secure.getpeercert(binary_form=True) or b"")


def all_that_is_answered(connected: socket.socket) -> bytes:
    """Return what comes until the other end closes."""
    answer = b""
    try:
        while more := connected.recv(4096):
            answer += more
    except (ConnectionError, ssl.SSLError):
        pass
    return answer


def is_served(running: Front, directory: Path) -> None:
    """Check that the next one who knows the token is let in."""
    with Session(options(running, directory)) as session:
        assert shown(session.run("6 * 7")) == "42"


def test_a_session_and_another_at_once(listening: Front, tmp_path: Path) -> None:
    with (
        Session(options(listening, tmp_path)) as one,
        Session(options(listening, tmp_path)) as other,
    ):
        one.run("int x = 1;")
        other.run("int x = 2;")
        assert (shown(one.run("x")), shown(other.run("x"))) == ("1", "2")
        assert one.worker_pid != other.worker_pid


def test_libraries_of_the_far_machine_are_found_and_a_crash_costs_its_cell(
    listening: Front, tmp_path: Path
) -> None:
    with Session(options(listening, tmp_path)) as session:
        result = session.run("#include <zlib.h>\nint length = compressBound(1000);")
        assert [notice for notice in result.notices if "libz.so.1" in notice]
        with pytest.raises(Crashed):
            session.run("length = 0; __builtin_trap();")
        assert shown(session.run("length > 1000 && zlibVersion() != nullptr")) == "true"


def test_the_certificate_is_pinned_at_the_first_use(listening: Front, tmp_path: Path) -> None:
    is_served(listening, tmp_path)
    known = tmp_path / "known"
    assert known.read_text() == f"{listening.address} {listening.certificate}\n"
    known.write_text(f"{listening.address} {'0' * 64}\n")
    with pytest.raises(FarSideLost, match="another certificate than before"):
        Session(options(listening, tmp_path))


@pytest.mark.parametrize(
    "proof",
    [
        b"",
        bytes(64),
        bytes(63),
        b"\xff" * 64,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".ljust(64),
        WISH * 5,
    ],
    ids=["nothing", "zeros", "truncated", "ones", "http", "no proof"],
)
def test_without_the_token_no_frame_is_answered(
    listening: Front, tmp_path: Path, proof: bytes
) -> None:
    connected, _, _ = call(listening)
    secure, _ = secured(connected)
    with secure:
        secure.sendall(proof)
        if len(proof) == handshake.PROOF_SIZE:
            assert all_that_is_answered(secure) == handshake.NO
        elif len(proof) > handshake.PROOF_SIZE:  # the rest is not read, which may cost the answer
            assert all_that_is_answered(secure) in (b"", handshake.NO)
    is_served(listening, tmp_path)


def test_a_wrong_token_is_refused(listening: Front, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("another token, just as long ....")
    with pytest.raises(SetupError, match="does not let us in: the token is wrong"):
        Session(Options(connect=listening.address, token_file=tmp_path / "wrong"))
    with environment(FARSIDE_TOKEN=""), pytest.raises(SetupError, match="does not let us in"):
        Session(Options(connect=listening.address))
    is_served(listening, tmp_path)


@pytest.mark.parametrize("judges", [True, False])
def test_a_listener_that_ends_before_it_answers(tmp_path: Path, judges: bool) -> None:
    """An older one closes where the token is wrong, too."""
    banner = handshake.make_banner(bytes(32), tls=False)
    if not judges:
        banner = banner[:9] + bytes(7) + bytes(32)

    def end_early() -> None:
        connected, _ = listener.accept()
        with connected:
            connected.sendall(banner)
            connected.recv(handshake.PROOF_SIZE, socket.MSG_WAITALL)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=end_early)
        thread.start()
        expected = "had judged the token" if judges else "the token is missing"
        with (
            environment(FARSIDE_TOKEN="", FARSIDE_KNOWN_EXECUTORS=str(tmp_path / "known")),
            pytest.raises(SetupError, match=expected),
        ):
            Session(Options(connect=f"127.0.0.1:{listener.getsockname()[1]}"))
        thread.join()


def test_a_proof_does_not_work_twice(listening: Front, tmp_path: Path) -> None:
    connected, nonce, _ = call(listening)
    secure, seen = secured(connected)
    proof = handshake.caller_proof(TOKEN, nonce, os.urandom(32), seen)
    with secure:
        secure.sendall(proof)
        assert len(secure.recv(32)) == 32
    connected, _, _ = call(listening)
    secure, _ = secured(connected)
    with secure:
        secure.sendall(proof)
        assert all_that_is_answered(secure) == handshake.NO
    is_served(listening, tmp_path)


def test_a_proof_made_for_another_certificate_is_refused(listening: Front) -> None:
    connected, nonce, _ = call(listening)
    secure, _ = secured(connected)
    with secure:
        secure.sendall(handshake.caller_proof(TOKEN, nonce, os.urandom(32), b"\1" * 32))
        assert all_that_is_answered(secure) == handshake.NO


def test_plain_text_to_a_tls_port(listening: Front, tmp_path: Path) -> None:
    connected, nonce, tls = call(listening)
    assert tls
    with connected:
        proof = handshake.caller_proof(TOKEN, nonce, os.urandom(32), handshake.NO_CERTIFICATE)
        connected.sendall(proof + WISH)
        answer = all_that_is_answered(connected)
    assert b"version" not in answer
    assert len(answer) < 16  # a TLS alert at most
    is_served(listening, tmp_path)


def test_those_who_prove_nothing_keep_nobody_out(tmp_path: Path) -> None:
    with (
        environment(FARSIDE_KNOWN_EXECUTORS=str(tmp_path / "known")),
        front(tmp_path) as running,
    ):
        for _ in range(10):  # as what looks whether a port is open does
            call(running)[0].close()
        waiting = [call(running)[0] for _ in range(16)]
        is_served(running, tmp_path)
        assert all_that_is_answered(waiting[0]) == b""
        for connected in waiting:
            connected.close()


def test_the_oldest_of_who_takes_most_places_goes() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        callers = [Caller(pid, "a", float(pid), ours) for pid in range(2, 17)]
        assert whose_place(callers, 20.0) is None
        callers.insert(0, Caller(1, "b", 1.0, ours))
        oldest = callers[1]
        assert whose_place(callers, 2.25) == (oldest, 0.75)
        assert whose_place(callers, 20.0) == (oldest, 0.0)


def test_sessions_are_limited(tmp_path: Path, leaves_nothing: object) -> None:
    sessions: list[Session] = []
    refused: list[Exception] = []

    def begin() -> None:
        try:
            sessions.append(Session(options(running, tmp_path)))
        except SetupError as error:
            refused.append(error)

    with (
        environment(FARSIDE_KNOWN_EXECUTORS=str(tmp_path / "known")),
        front(tmp_path, "--sessions=1", "--no-tls") as running,
    ):
        threads = [Thread(target=begin) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (session,) = sessions
        assert ["as many sessions as it may have" in str(each) for each in refused] == [True, True]
        session.run("int x = 1;")
        assert shown(session.run("x")) == "1"
        session.close()
        with Session(options(running, tmp_path)) as another:
            assert shown(another.run("2")) == "2"


def test_tries_are_limited() -> None:
    now = 0.0
    keeper = Doorkeeper(lambda: now)
    for _ in range(10):
        assert keeper.may_try("a")
        keeper.note_failure("a")
    assert not keeper.may_try("a")
    assert keeper.may_try("b")
    now = 61.0
    assert keeper.may_try("a")


def test_a_connection_cut_at_each_byte_leaves_nothing(
    listening: Front, tmp_path: Path, leaves_nothing: Traces
) -> None:
    with front(tmp_path, "--no-tls") as plain:
        for size in range(len(WISH) + 1):
            connected, nonce, _ = call(plain)
            with connected:
                connected.sendall(
                    handshake.caller_proof(TOKEN, nonce, os.urandom(32), handshake.NO_CERTIFICATE)
                )
                assert len(connected.recv(32)) == 32
                connected.sendall(WISH[:size])
        is_served(plain, tmp_path)


def test_garbage_after_the_token_ends_that_session_only(tmp_path: Path) -> None:
    with front(tmp_path, "--no-tls") as plain:
        for garbage in (b"\xff" * 4096, WISH + b"\xff" * 4096, bytes(4096), WISH + bytes(8)):
            connected, nonce, _ = call(plain)
            with connected:
                connected.sendall(
                    handshake.caller_proof(TOKEN, nonce, os.urandom(32), handshake.NO_CERTIFICATE)
                )
                assert len(connected.recv(32)) == 32
                connected.sendall(garbage)
                connected.shutdown(socket.SHUT_WR)
                all_that_is_answered(connected)
        is_served(plain, tmp_path)


def test_a_large_cell_while_output_waits_to_be_read(tmp_path: Path) -> None:
    with front(tmp_path, "--no-tls") as plain, Session(options(plain, tmp_path)) as session:
        session.run(
            "#include <string>\n#include <thread>\n#include <unistd.h>\n"
            "std::thread writer([] {\n"
            "  std::string text(1 << 16, 'x');\n"
            "  for (int i = 0; i < 64; ++i) (void)!write(1, text.data(), text.size());\n"
            "});"
        )
        # Nobody reads the pipe, which is full, while this is compiled and sent.
        session.run(f'const char *large = R"({"large" * 600_000})";')
        session.run("writer.join();")
        assert shown(session.run("large[4]")) == "'e'"


def test_the_end_of_the_front_is_the_end_of_its_sessions(
    tmp_path: Path, leaves_nothing: Traces
) -> None:
    with front(tmp_path, "--no-tls") as plain:
        session = Session(options(plain, tmp_path))
        session.run("int x = 1;")
        plain.process.terminate()
        plain.process.wait()
        with pytest.raises((FarSideLost, SetupError)):
            session.run("x = 2;")
        session.close()


@pytest.mark.parametrize(
    "words",
    [
        ["--listen=0.0.0.0:0", "--insecure"],
        ["--listen=0.0.0.0:0", "--no-tls"],
        ["--listen=nowhere"],
        ["--listen=127.0.0.1:70000"],
        ["--sessions=0"],
        ["--frobnicate"],
        [],
    ],
)
def test_what_would_be_open_or_is_wrong_is_refused(words: list[str]) -> None:
    with pytest.raises(OptionError):
        main(words)


def test_a_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o644)
    with pytest.raises(SetupError, match="Others can read"):
        main(["--listen=127.0.0.1:0", f"--token-file={file}", "--no-tls"])


def test_words() -> None:
    wish = parse(["--listen", "localhost:1", "--sessions=3", "--no-tls"])
    assert (wish.listen, wish.sessions, wish.tls) == ("localhost:1", 3, False)
