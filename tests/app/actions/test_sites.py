"""Sites and credentials: changes, rights, and the wall between tenants."""

from __future__ import annotations

import pytest
from redis import Redis

from app.actions import credentials as credential_actions
from app.actions import sites as actions
from app.actions.devices import record_polls
from app.clock import utc_now
from app.domain.inventory import PollOutcome, SiteFields
from app.errors import Conflict, Forbidden, InvalidInput, NotFound
from app.queries.credentials import credentials
from app.queries.devices import device, poll_targets
from app.queries.sites import site, site_counts, sites
from tests.factories.cast import Cast
from tests.factories.inventory import create_network


def test_a_site_lives(cast: Cast) -> None:
    actions.create_site(cast.bob, SiteFields(name="berlin", latitude=52.5, longitude=13.4, time_zone="Europe/Berlin"))
    with pytest.raises(Conflict):
        actions.create_site(cast.bob, SiteFields(name="berlin"))
    changed = actions.change_site(cast.bob, "berlin", SiteFields(name="bln", title="Berlin", latitude=None))
    assert (changed.name, changed.title, changed.latitude, changed.longitude) == ("bln", "Berlin", None, 13.4)
    assert [each.name for each in sites(cast.vera)] == ["bln"]
    actions.delete_site(cast.bob, "bln")
    assert sites(cast.vera) == []


@pytest.mark.parametrize(
    "fields",
    [SiteFields(name=""), SiteFields(name="x", latitude=91.0), SiteFields(name="x", time_zone="Mars/Olympus")],
)
def test_a_bad_site_is_refused(cast: Cast, fields: SiteFields) -> None:
    with pytest.raises(InvalidInput):
        actions.create_site(cast.alice, fields)


def test_a_site_counts_its_devices(cast: Cast, valkey: Redis) -> None:
    one, _ = create_network(cast.alice, "a", "b")
    record_polls(cast.acme, [PollOutcome(one.id, one.name, is_reachable=False, at=utc_now(), error="silent")])
    [counts] = site_counts(cast.vera)
    assert (counts.site.name, counts.devices, counts.unreachable) == ("berlin", 2, 1)
    actions.delete_site(cast.alice, "berlin")
    assert device(cast.vera, "a").site == ""


def test_charlie_of_globex_sees_nothing_of_acme(cast: Cast, valkey: Redis) -> None:
    create_network(cast.alice, "a")
    assert sites(cast.charlie) == []
    assert site_counts(cast.charlie) == []
    assert credentials(cast.charlie) == []
    for attempt in (
        lambda: site(cast.charlie, "berlin"),
        lambda: actions.change_site(cast.charlie, "berlin", SiteFields(title="x")),
        lambda: actions.delete_site(cast.charlie, "berlin"),
        lambda: credential_actions.change_credential(cast.charlie, "v2c", community="x"),
        lambda: credential_actions.delete_credential(cast.charlie, "v2c"),
    ):
        with pytest.raises(NotFound):
            attempt()


def test_a_viewer_and_an_analyst_do_not_touch_credentials(cast: Cast, valkey: Redis) -> None:
    create_network(cast.alice, "a")
    with pytest.raises(Forbidden):
        actions.delete_site(cast.vera, "berlin")
    with pytest.raises(Forbidden):
        credentials(cast.bob)
    with pytest.raises(Forbidden):
        credential_actions.create_credential(cast.bob, "x", kind="snmp_v2c", community="x")


def test_a_credential_is_write_only_and_reaches_the_poller(cast: Cast, valkey: Redis) -> None:
    create_network(cast.alice, "a")
    credential_actions.change_credential(cast.alice, "v2c", community="an0ther")
    assert "an0ther" not in repr(credentials(cast.alice))
    assert [target.community for target in poll_targets(cast.acme)] == [b"an0ther"]
    credential_actions.delete_credential(cast.alice, "v2c")
    assert poll_targets(cast.acme) == []


@pytest.mark.parametrize(("kind", "community"), [("snmp_v9", "x"), ("snmp_v2c", ""), ("snmp_v2c", "x" * 256)])
def test_a_bad_credential_is_refused(cast: Cast, kind: str, community: str) -> None:
    with pytest.raises(InvalidInput):
        credential_actions.create_credential(cast.alice, "x", kind=kind, community=community)
