"""Who comes through to the dashboard, and who does not."""

import re

import pytest

pytest.importorskip("starlette")

from raysim.dashboard.app import all_routes, make_app
from raysim.dashboard.auth import COOKIE, cookie_of
from raysim.dashboard.sources import Cluster
from tests.unit.dashboard.asking import ask

TOKEN = "0123456789abcdef"
BEARER = f"Bearer {TOKEN}"
APP = make_app(Cluster(), TOKEN.encode())


def cookie(token: str = TOKEN) -> str:
    return f"{COOKIE}={cookie_of(token.encode())}"


@pytest.mark.parametrize("route", all_routes(), ids=lambda route: f"{route.method} {route.path}")
def test_without_the_token_no_route_answers(route):
    path = re.sub(r"\{[^}]+\}", "file", route.path)
    assert ask(APP, path, route.method).status == 401
    assert ask(APP, path, route.method, authorization="Bearer wrong").status == 401
    assert ask(APP, path, route.method, cookie=cookie("another token")).status == 401
    assert ask(APP, path, route.method, cookie=f"{COOKIE}={TOKEN}").status == 401


@pytest.mark.parametrize("path", ["/", "/nonsense", "/api/v0/openapi.json", "/metrics"])
def test_nor_does_anything_else(path):
    assert ask(APP, path).status == 401


@pytest.mark.parametrize(
    "said",
    [{"authorization": BEARER}, {"x_ray_authorization": BEARER}, {"cookie": cookie()}],
    ids=["bearer", "Ray's header", "cookie"],
)
def test_with_it_one_is_answered(said):
    assert ask(APP, "/api/v0/openapi.json", **said).status == 200


def test_a_browser_without_it_is_shown_the_form():
    refused = ask(APP, "/", accept="text/html")
    assert (refused.status, refused.headers["location"]) == (303, "/login")
    assert ask(APP, "/login").status == 200


def test_the_form_gives_a_cookie_that_does_not_tell_the_token():
    welcomed = ask(APP, "/login", "POST", f"token={TOKEN}".encode())
    given = welcomed.headers["set-cookie"]
    assert (welcomed.status, welcomed.headers["location"]) == (303, "/")
    assert TOKEN not in given
    assert "HttpOnly" in given
    assert "SameSite=strict" in given
    assert ask(APP, "/", cookie=given.partition(";")[0]).status == 200


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
def test_over_https_the_cookie_is_for_https_alone(scheme, secure):
    welcomed = ask(APP, "/login", "POST", f"token={TOKEN}".encode(), scheme=scheme)
    assert ("Secure" in welcomed.headers["set-cookie"]) is secure


def test_a_cookie_of_the_token_before_is_nothing_any_more():
    given = ask(APP, "/login", "POST", f"token={TOKEN}".encode()).headers["set-cookie"]
    later = make_app(Cluster(), b"another token from now on")
    assert ask(later, "/api/v0/openapi.json", cookie=given.partition(";")[0]).status == 401


def test_over_tls_the_certificate_says_under_which_names_one_may_ask():
    safe = make_app(Cluster(), TOKEN.encode(), names=None)
    asked = {"host": "head.example:8265", "scheme": "https"}
    assert ask(safe, "/api/v0/openapi.json", **asked, authorization=BEARER).status == 200
    assert ask(safe, "/api/v0/openapi.json", **asked).status == 401
    foreign = {"origin": "https://evil.example", "cookie": cookie()}
    assert ask(safe, "/logout", "POST", **asked, **foreign).status == 403


@pytest.mark.parametrize(
    "body", [b"token=wrong", b"", b"token=", b"\xff\xfe", b"token=" + b"x" * 9000]
)
def test_the_form_gives_nothing_for_anything_else(body):
    refused = ask(APP, "/login", "POST", body)
    assert "set-cookie" not in refused.headers


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8265", "127.0.0.1.evil.example", "", "[nonsense", "a@evil"],
)
def test_a_foreign_name_that_leads_here_is_refused(host):
    """A page of that site could read what we say, for the browser takes both for one site."""
    assert ask(APP, "/api/v0/openapi.json", host=host, authorization=BEARER).status == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8265", "localhost", "LOCALHOST:8265", "[::1]:8265"])
def test_names_of_this_machine_are_not(host):
    assert ask(APP, "/api/v0/openapi.json", host=host, authorization=BEARER).status == 200


@pytest.mark.parametrize(
    "said",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9000"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_what_another_sites_page_sends_changes_nothing(said):
    """SameSite keeps the cookie from it in today's browsers; an older one would send it."""
    body = f"token={TOKEN}".encode()
    assert ask(APP, "/login", "POST", body, cookie=cookie(), **said).status == 403
    assert ask(APP, "/logout", "POST", cookie=cookie(), **said).status == 403


def test_what_our_own_page_sends_does():
    said = {"origin": "http://127.0.0.1", "sec_fetch_site": "same-origin", "cookie": cookie()}
    left = ask(APP, "/logout", "POST", **said)
    assert left.status == 303
    assert "Max-Age=0" in left.headers["set-cookie"]


def test_no_page_may_be_framed_or_run_anything_foreign():
    said = ask(APP, "/login").headers["content-security-policy"]
    assert "default-src 'self'" in said
    assert "frame-ancestors 'none'" in said
