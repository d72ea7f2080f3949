"""One's own account: signing in, tenants, password, preferences, sessions."""

from __future__ import annotations

from threading import Thread

import pytest
from redis import Redis
from sqlalchemy import text, update

from app.actions import account, users
from app.auth import throttle
from app.auth.passwords import is_password
from app.auth.sessions import session_for
from app.domain.tenancy import Viewer
from app.errors import Forbidden, InvalidInput, NotFound, Overloaded, Unauthenticated
from app.queries import account as queries
from models.access import MembershipRow, SessionRow, UserRow
from models.session import platform_session
from tests.factories.browser import PASSWORD, Browser, give_password, make_server
from tests.factories.cast import Cast, token_viewer

HERE = {"address": "127.0.0.1", "user_agent": "test"}


def _sign_in(email: str, password: str = PASSWORD, *, is_known_device: bool = False) -> account.NewSession:
    return account.sign_in(email, password, is_known_device=is_known_device, **HERE)


def _viewer(new: account.NewSession) -> Viewer:
    signed_in = session_for(new.secret)
    assert signed_in is not None
    return signed_in.viewer


def test_signing_in_answers_who_one_is(cast: Cast, valkey: Redis) -> None:
    give_password(cast.bob)
    viewer = _viewer(_sign_in("bob@acme.example"))
    assert (viewer.tenant, viewer.role, viewer.user_id) == (cast.acme, "analyst", cast.bob.user_id)


def test_the_refusal_tells_nothing(cast: Cast, valkey: Redis) -> None:
    give_password(cast.bob)
    give_password(cast.vera)
    users.disable(cast.alice, cast.vera.user_id or 0)
    said = set()
    for email, password in (
        ("nobody@acme.example", PASSWORD),
        ("bob@acme.example", "wrong password"),
        ("alice@acme.example", PASSWORD),  # has no password
        ("vera@acme.example", PASSWORD),  # is disabled
    ):
        with pytest.raises(Unauthenticated) as refusal:
            _sign_in(email, password)
        said.add(str(refusal.value))
    assert len(said) == 1


def test_guessing_is_slowed_down_but_the_person_gets_in(cast: Cast, valkey: Redis) -> None:
    give_password(cast.bob)
    for _ in range(throttle.TRIES_PER_ACCOUNT):
        with pytest.raises(Unauthenticated):
            _sign_in("bob@acme.example", "wrong password")
    outcomes = []
    for _ in range(3):
        try:
            _sign_in("bob@acme.example", "wrong password")
        except (Overloaded, Unauthenticated) as error:
            outcomes.append(type(error))
    assert Overloaded in outcomes
    assert _viewer(_sign_in("bob@acme.example", is_known_device=True)).user_id == cast.bob.user_id


def test_one_address_does_not_try_many_accounts(cast: Cast, valkey: Redis) -> None:
    for number in range(throttle.TRIES_PER_ADDRESS):
        throttle.take_try(f"u{number}@acme.example", "192.0.2.1", is_known_device=False)
    throttle.take_try("next@acme.example", "192.0.2.1", is_known_device=False)
    with pytest.raises(Overloaded):
        throttle.take_try("one.more@acme.example", "192.0.2.1", is_known_device=False)
    throttle.take_try("other@acme.example", "192.0.2.2", is_known_device=False)


def test_a_device_is_known_by_a_mark_that_nobody_makes_up(cast: Cast) -> None:
    mark = throttle.device_mark("bob@acme.example", "k" * 32)
    assert throttle.is_known_device(mark, "Bob@acme.example", "k" * 32)
    assert not throttle.is_known_device(mark, "alice@acme.example", "k" * 32)
    assert not throttle.is_known_device(mark, "bob@acme.example", "x" * 32)
    assert not throttle.is_known_device("", "bob@acme.example", "k" * 32)


def test_charlie_of_globex_ends_no_session_of_acme_and_enters_no_tenant(cast: Cast, valkey: Redis) -> None:
    give_password(cast.bob)
    session_id = _viewer(_sign_in("bob@acme.example")).session_id
    assert session_id is not None
    assert queries.sessions(cast.charlie) == []
    assert queries.tenants(cast.charlie) == [("globex", "Globex")]
    with pytest.raises(NotFound):
        account.end_session(cast.charlie, session_id)
    with pytest.raises(NotFound):
        account.switch_tenant(cast.charlie, "acme", **HERE)
    assert [each.id for each in queries.sessions(cast.bob)] == [session_id]


def test_a_person_of_two_tenants_goes_over_with_a_new_session(cast: Cast, valkey: Redis) -> None:
    give_password(cast.bob)
    users.create(cast.charlie, email="bob@acme.example", name="Bob", role="viewer")
    first = _sign_in("bob@acme.example")
    second = account.switch_tenant(_viewer(first), "globex", **HERE)
    assert (_viewer(second).tenant, _viewer(second).role) == (cast.globex, "viewer")
    with platform_session() as session:
        revoked = session.query(SessionRow).filter(SessionRow.revoked_at.is_not(None)).count()
    assert revoked == 1
    assert _viewer(_sign_in("bob@acme.example")).tenant == cast.globex


def test_a_platform_admin_enters_any_tenant(cast: Cast, valkey: Redis) -> None:
    give_password(cast.paula)
    assert [name for name, _ in queries.tenants(cast.paula)] == ["acme", "globex"]
    viewer = _viewer(account.switch_tenant(_viewer(_sign_in("paula@acme.example")), "globex", **HERE))
    assert (viewer.tenant, viewer.is_platform_admin) == (cast.globex, True)


def test_a_new_password_ends_every_other_session(cast: Cast, valkey: Redis) -> None:
    give_password(cast.bob)
    old, current = _sign_in("bob@acme.example"), _sign_in("bob@acme.example")
    with pytest.raises(InvalidInput):
        account.change_password(_viewer(current), current="wrong password", new="another good one", **HERE)
    fresh = account.change_password(_viewer(current), current=PASSWORD, new="another good one", **HERE)
    with platform_session() as session:
        living = session.query(SessionRow).filter(SessionRow.revoked_at.is_(None)).count()
    assert living == 1
    assert _viewer(fresh).user_id == cast.bob.user_id
    assert old.secret != fresh.secret
    with pytest.raises(Unauthenticated):
        _sign_in("bob@acme.example")


@pytest.mark.parametrize(
    "change",
    [
        "revoked_at = now()",
        "expires_at = now() - interval '1 s'",
        "seen_at = now() - interval '8 h 1 s'",
    ],
    ids=["ended", "a day old", "idle"],
)
def test_sessions_that_are_over(cast: Cast, valkey: Redis, change: str) -> None:
    give_password(cast.bob)
    new = _sign_in("bob@acme.example")
    with platform_session() as session:
        session.execute(text(f"update sessions set {change}"))
    assert session_for(new.secret) is None


def test_no_membership_no_session(cast: Cast, valkey: Redis) -> None:
    give_password(cast.bob)
    new = _sign_in("bob@acme.example")
    with platform_session() as session:
        session.query(MembershipRow).filter(MembershipRow.user_id == cast.bob.user_id).delete()
    assert session_for(new.secret) is None
    with pytest.raises(Unauthenticated, match="no tenant"):
        _sign_in("bob@acme.example")


def test_guessed_and_tampered_cookies_are_nobody(cast: Cast, valkey: Redis) -> None:
    give_password(cast.bob)
    secret = _sign_in("bob@acme.example").secret
    for wrong in ("", secret[:-1], secret + "A", secret.swapcase(), "A" * 43, "ü"):
        assert session_for(wrong) is None


def test_preferences(cast: Cast) -> None:
    assert queries.preferences(cast.vera) == queries.DEFAULTS
    account.set_preferences(cast.vera, {"theme": "dark", "zone": "Europe/Berlin"})
    assert queries.preferences(cast.vera) == {"theme": "dark", "density": "comfortable", "zone": "Europe/Berlin"}
    assert queries.preferences(cast.bob) == queries.DEFAULTS
    for bad in ({"theme": "pink"}, {"zone": "Mars/Olympus"}, {"role": "admin"}):
        with pytest.raises(InvalidInput):
            account.set_preferences(cast.vera, bad)


def test_a_token_has_no_account(cast: Cast) -> None:
    viewer = token_viewer(
        cast.alice,
    )
    for question in (queries.preferences, queries.sessions, account.sign_out):
        with pytest.raises(Forbidden):
            question(viewer)
    assert queries.tenants(viewer) == [("acme", "acme")]


def test_the_cookie_is_new_at_every_sign_in_and_flagged(cast: Cast, valkey: Redis) -> None:
    give_password(cast.bob)
    client = make_server(public_url="https://noc.example.org").test_client()
    client.set_cookie("__Host-watchfloor", "planted-before-signing-in", secure=True)
    answer = client.post(
        "/login", data={"email": "bob@acme.example", "password": PASSWORD}, base_url="https://noc.example.org"
    )
    cookies = {line.partition("=")[0]: line for line in answer.headers.getlist("Set-Cookie")}
    session_cookie = cookies["__Host-watchfloor"]
    for flag in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert flag in session_cookie
    assert "planted" not in session_cookie and "Domain" not in session_cookie
    assert "Secure" in cookies["_csrf_token"] and "HttpOnly" not in cookies["_csrf_token"]
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_on_plain_http_the_cookie_is_named_after_its_port(cast: Cast, valkey: Redis) -> None:
    give_password(cast.bob)
    answer = (
        make_server(port=18899).test_client().post("/login", data={"email": "bob@acme.example", "password": PASSWORD})
    )
    line = next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith("watchfloor-18899="))
    assert "HttpOnly" in line and "SameSite=Lax" in line and "Secure" not in line
    assert "Strict-Transport-Security" not in answer.headers


def test_the_forms_work_without_javascript(cast: Cast, valkey: Redis) -> None:
    give_password(cast.bob)
    users.create(cast.charlie, email="bob@acme.example", name="Bob", role="viewer")
    browser = Browser(make_server(), cast.bob)
    form = {"csrf_token": browser.csrf_token, "tenant": "globex", "next": "//evil.example"}
    answer = browser.client.post("/account/tenant", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    csrf = browser.client.get_cookie("_csrf_token_8050")
    assert csrf is not None and csrf.value != browser.csrf_token
    form = {"csrf_token": csrf.value, "current": PASSWORD, "new": "a much better one"}
    assert browser.client.post("/account/password", data=form).status_code == 303
    assert browser.client.get("/api/v1/openapi.json").status_code == 200


def test_a_person_signed_in_skips_the_form(cast: Cast, valkey: Redis) -> None:
    browser = Browser(make_server(), cast.bob)
    assert browser.get("/login?next=/alerts").headers["Location"] == "/alerts"
    assert browser.get("/login?next=https://evil.example").headers["Location"] == "/"


def test_many_sign_ins_at_once_take_turns(cast: Cast) -> None:
    outcomes: list[bool] = []
    threads = [Thread(target=lambda: outcomes.append(is_password("x", None))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [False] * 6


def test_signing_in_is_written_down(cast: Cast, valkey: Redis) -> None:
    give_password(cast.bob)
    _sign_in("bob@acme.example")
    with platform_session() as session:
        session.execute(update(UserRow).values(name=UserRow.name))
        actions = session.execute(text("select actor, action from audit")).all()
    assert [tuple(row) for row in actions] == [("bob@acme.example", "sign in")]
