"""Who is let in by `host serve`, and how much they may ask of it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.polling import until
from support.project import MakeProject, Project
from support.serving import Serving


@pytest.fixture(scope="module")
def serving(make_project: MakeProject) -> Iterator[Serving]:
    project = make_project()
    serving = Serving(project)
    yield serving
    serving.stop()


def test_the_token_is_asked_for(serving: Serving) -> None:
    assert serving.ask("GET", "/healthz", token=False).status == 200
    missing = serving.ask("GET", "/api/runs", token=False)
    assert missing.status == 401
    assert missing.headers["www-authenticate"] == "Bearer"
    assert missing.json == {"detail": "A token is needed: Authorization: Bearer TOKEN"}
    for wrong in ["Bearer nonsense", f"Bearer {serving.token}x", "Basic eDp5", "Bearer "]:
        answer = serving.ask("GET", "/api/runs", headers={"Authorization": wrong})
        assert answer.status == 401, wrong
    in_address = serving.ask("GET", f"/api/runs?token={serving.token}", token=False)
    assert in_address.status == 401, "only a WebSocket may"


def test_a_guess_costs_time(make_project: MakeProject) -> None:
    serving = Serving(make_project())
    wrong = {"Authorization": "Bearer 0123456789abcdef"}
    answers = [serving.ask("GET", "/api/runs", headers=wrong) for _ in range(80)]
    statuses = [answer.status for answer in answers]
    assert statuses[:50] == [401] * 50
    late = answers[statuses.index(429)]
    assert int(late.headers["retry-after"]) >= 1
    assert serving.ask("GET", "/api/runs").status == 200, "whoever has the token is not held up"


@pytest.mark.parametrize(
    "host", ["evil.example.org", "localhost.example.org", "127.0.0.1.example.org:80", ""]
)
def test_a_name_of_others_is_refused(serving: Serving, host: str) -> None:
    """DNS rebinding: a page of theirs, whose name leads here."""
    answer = serving.ask("GET", "/healthz", headers={"Host": host})
    assert answer.status == 403
    assert "does not go by" in answer.json["detail"]
    for name in ["localhost", "127.0.0.1:1", "[::1]"]:
        assert serving.ask("GET", "/healthz", headers={"Host": name}).status == 200


def test_a_page_of_others_is_refused(serving: Serving) -> None:
    for origin in ["https://evil.example.org", "null", "http://127.0.0.1:1"]:
        answer = serving.ask("GET", "/api/runs", headers={"Origin": origin})
        assert answer.status == 403, origin
        assert "access-control-allow-origin" not in answer.headers
    own = serving.ask("GET", "/api/runs", headers={"Origin": serving.url})
    assert own.status == 200
    site = serving.ask("GET", "/api/runs", headers={"Sec-Fetch-Site": "cross-site"})
    assert site.status == 403


def test_a_form_of_another_page_does_nothing(serving: Serving) -> None:
    form = {
        "Origin": "https://evil.example.org",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    path = "/api/pauses/x/resume"
    assert serving.ask("POST", path, "result=true", headers=form, token=False).status == 403
    del form["Origin"]
    assert serving.ask("POST", path, "result=true", headers=form, token=False).status == 401
    assert serving.ask("POST", path, "result=true", headers=form).status == 415
    plain = {"Content-Type": "text/plain"}
    assert serving.ask("POST", path, "{}", headers=plain).status == 415


def test_names_and_origins_that_are_allowed(project: Project) -> None:
    project.configure(
        '[serve]\nhosts = ["ci.example.org"]\norigins = ["https://dashboard.example.org"]\n'
    )
    serving = Serving(project)
    origin = {"Origin": "https://dashboard.example.org", "Host": "ci.example.org:8000"}
    answer = serving.ask("GET", "/api/runs", headers=origin)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://dashboard.example.org"
    preflight = serving.ask(
        "OPTIONS",
        "/api/runs",
        headers={
            **origin,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
        },
        token=False,
    )
    assert preflight.status == 200
    assert "authorization" in preflight.headers["access-control-allow-headers"]


def test_a_body_is_bounded(serving: Serving) -> None:
    path = "/api/pauses/x/resume"
    large = '{"reason": "' + "x" * (2 << 20) + '"}'
    json = {"Content-Type": "application/json"}
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        # Refused by its length, before it was sent.
        assert serving.ask("POST", path, large, headers=json).status == 413
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {serving.token}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection((serving.host, serving.port)) as stream:
        stream.settimeout(30)
        stream.sendall(head.encode())
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(20):
                stream.sendall(chunk)
        assert b" 413 " in stream.recv(1 << 16).split(b"\r\n")[0]


def test_a_head_is_bounded(serving: Serving) -> None:
    large = serving.ask("GET", "/healthz", headers={"X-Large": "x" * (200 << 10)})
    assert large.status == 431
    many = {f"X-{number}": "1" for number in range(150)}
    assert serving.ask("GET", "/healthz", headers=many).status == 431
    long = serving.ask("GET", "/healthz?" + "x" * (200 << 10))
    assert long.status in (414, 431)


@pytest.mark.parametrize(
    "text",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET http://evil.example.org/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(serving: Serving, text: bytes) -> None:
    with socket.create_connection((serving.host, serving.port)) as stream:
        stream.settimeout(40)
        stream.sendall(text)
        stream.shutdown(socket.SHUT_WR)
        answer = stream.recv(1 << 16)
    assert not answer or answer.split(b" ")[1][:1] == b"4", answer
    assert serving.ask("GET", "/healthz").status == 200


def test_slow_requests_are_given_up(project: Project) -> None:
    """A head that does not come, a body that does not come, and an idle connection."""
    project.configure('serve.idle-timeout = "1 s"\n')
    serving = Serving(project)

    def connect(text: str) -> socket.socket:
        stream = socket.create_connection((serving.host, serving.port))
        stream.settimeout(45)
        stream.sendall(text.encode())
        return stream

    body = connect(
        f"POST /api/pauses/x/resume HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {serving.token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{"
    )
    head = connect("GET /healthz HTTP/1.1\r\nHost: loc")
    idle = connect("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    started = time.monotonic()
    assert b" 408 " in body.recv(1 << 16).split(b"\r\n")[0]
    assert idle.recv(1 << 16).startswith(b"HTTP/1.1 200")
    answer = head.recv(1 << 16)
    assert not answer or b" 408 " in answer.split(b"\r\n")[0]
    assert idle.recv(1 << 16) == b""
    assert time.monotonic() - started < 45
    for stream in (body, head, idle):
        stream.close()


def test_two_thousand_connections(project: Project) -> None:
    """Those beyond the bound wait; they take no memory, and whoever asks goes on after."""
    serving = Serving(project)

    def memory() -> int:
        status = Path(f"/proc/{serving.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    before = memory()
    streams = []
    try:
        for _ in range(2000):
            stream = socket.socket()
            stream.setblocking(False)
            stream.connect_ex((serving.host, serving.port))
            streams.append(stream)
        time.sleep(0.5)
        grown = memory() - before
        assert grown < 100 << 10, f"{grown} KiB"
    finally:
        for stream in streams:
            stream.close()
    until("the host to answer", lambda: serving.ask("GET", "/healthz").status == 200)


class TestWithoutToken:
    def test_it_says_what_it_means(self, project: Project) -> None:
        serving = Serving(project, "--allow-unauthenticated")
        assert serving.token is None
        assert serving.ask("GET", "/api/runs", token=False).status == 200
        assert serving.ask("GET", "/api/runs", headers={"Origin": "null"}).status == 403
        outcome = serving.stop()
        assert "no token is asked for: whoever reaches" in outcome.stderr

    def test_it_is_for_this_machine(self, project: Project) -> None:
        refused = project.run("host", "serve", "--allow-unauthenticated", "--listen", "0.0.0.0:0")
        assert refused.code == 2
        assert "--allow-remote-unauthenticated says that this is meant" in refused.stderr

    def test_unless_that_is_meant(self, project: Project) -> None:
        serving = Serving(project, "--allow-remote-unauthenticated", "--listen", "0.0.0.0:0")
        assert serving.ask("GET", "/api/runs", token=False).status == 200
        outcome = serving.stop()
        assert "is reached from other machines" in outcome.stderr


class TestTokenOfOnesOwn:
    def test_from_a_file(self, project: Project) -> None:
        project.write("secret.txt", "a-token-of-my-own\n")
        serving = Serving(project, "--token-file", "secret.txt")
        assert serving.token == "a-token-of-my-own"
        assert serving.ask("GET", "/api/runs").status == 200

    def test_from_the_configuration(self, project: Project) -> None:
        project.configure('serve.token = "${MY_TOKEN}"\n')
        serving = Serving(project, MY_TOKEN="0123456789abcdef0")
        assert serving.token == "0123456789abcdef0"

    def test_that_can_be_guessed(self, project: Project) -> None:
        project.configure('serve.token = "short"\n')
        refused = project.run("host", "serve", "--listen", "127.0.0.1:0")
        assert refused.code == 2
        assert "host.toml:1: serve.token should be 16 or more letters" in refused.stderr
        project.configure("")
        missing = project.run("host", "serve", "--token-file", "nowhere")
        assert missing.code == 2
        assert "nowhere: No such file" in missing.stderr
