"""The traffic model: both ends agree, counters are the exact integral of rates, and nothing exceeds its port."""

from __future__ import annotations

import numpy as np
import pytest

from app.demo.network import build_network
from app.demo.rhythm import WEEK_S, Rhythm
from app.demo.routing import Breakage
from app.demo.traffic import CHATTER, GROWTH_ENDS_AFTER_DAYS, Traffic, origin_before

NETWORK = build_network()
EPOCH_MS = 1_795_545_000_000
TRAFFIC = Traffic(NETWORK, EPOCH_MS)
EVERY = np.arange(NETWORK.flow_count)
EPOCH_S = (EPOCH_MS - TRAFFIC.origin_ms) / 1000


def test_the_origin_is_a_monday_some_weeks_before():
    assert (origin_before(EPOCH_MS) // 1000 - 345_600) % WEEK_S == 0
    assert 28 * WEEK_S <= EPOCH_S < 29 * WEEK_S


def test_profiles_have_the_mean_one_and_an_exact_integral():
    rhythm = Rhythm((("business", 3600), ("backup", -18_000)))
    assert rhythm.integral(np.array([float(WEEK_S)]))[0] == pytest.approx([WEEK_S, WEEK_S])
    t = np.arange(0, 2 * WEEK_S, 60.0)
    by_hand = np.concatenate([[[0.0, 0.0]], np.cumsum(rhythm.value(t) * 60, axis=0)[:-1]])
    assert np.allclose(rhythm.integral(t), by_hand)
    moment = np.concatenate([[[0.0, 0.0]], np.cumsum(rhythm.value(t) * (t + 30)[:, None] * 60, axis=0)[:-1]])
    assert np.allclose(rhythm.first_moment(t), moment)


def test_counters_are_the_integral_of_rates():
    t, some = EPOCH_S - 1800 + np.arange(0, 1801, 1.0), EVERY[::5]
    passed = np.diff(TRAFFIC.octets(t, some), axis=0)
    rates = TRAFFIC.rates(t[:-1], some)
    # Bursts begin and end within a second; everything else changes on whole minutes.
    steps = np.abs(passed - rates) > 1e-6 * rates + 1
    assert steps.mean() < 1e-4
    assert passed.sum(axis=0) == pytest.approx(rates.sum(axis=0), rel=1e-3)


def test_growth_ends_before_ports_overflow_and_counters_still_follow():
    end = EPOCH_S + GROWTH_ENDS_AFTER_DAYS * 86_400
    t = end - 600 + np.arange(0, 1201, 60.0)
    passed, rates = np.diff(TRAFFIC.octets(t, EVERY), axis=0) / 60, TRAFFIC.rates(t[:-1], EVERY)
    assert np.median(np.abs(passed - rates) / rates) < 1e-9
    late = end + np.arange(0, 60 * 86_400, 7200.0)
    assert (TRAFFIC.rates(late, EVERY) / TRAFFIC.speed).max() <= 1.0


def test_counters_never_fall_and_every_wire_chatters():
    t = EPOCH_S - np.arange(0, 15 * 86_400, 900.0)[::-1]
    assert (np.diff(TRAFFIC.octets(t, EVERY), axis=0) > 0).all()
    assert (TRAFFIC.rates(t, EVERY) >= CHATTER * 0.99).all()


def test_one_time_asked_alone_answers_as_among_many():
    t = EPOCH_S - np.arange(0, 86_400, 300.0)[::-1]
    many = TRAFFIC.octets(t, EVERY)
    assert TRAFFIC.octets(t[100:101], EVERY[7:9])[0] == pytest.approx(many[100, 7:9], rel=1e-14)


def test_nothing_exceeds_its_port_and_a_few_come_close():
    t = EPOCH_S - np.arange(0, 7 * 86_400, 900.0)
    use = (TRAFFIC.rates(t, EVERY) / TRAFFIC.speed).max(axis=0)
    assert use.max() < 1.0
    assert 3 <= (use > 0.8).sum() <= 60


def test_days_differ_from_nights_and_sundays_from_mondays():
    port = next(p for d in NETWORK.of_tenant("acme") for p in d.ports if p.role == "transit")
    day_s = 86_400.0
    start = EPOCH_S // WEEK_S * WEEK_S - WEEK_S
    night, noon = (TRAFFIC.rates(start + hour * 3600 + np.arange(0, 1800, 60.0), np.array([port.in_flow])).mean()
                   for hour in (3, 14))  # fmt: skip
    assert noon > 1.2 * night
    sunday = TRAFFIC.rates(start + 6 * day_s + 14 * 3600 + np.arange(0, 1800, 60.0), np.array([port.in_flow])).mean()
    assert sunday < 0.95 * noon


def test_a_cut_link_moves_its_traffic_elsewhere():
    link = next(link for link in NETWORK.links if link.a[0] == "ams2-agg-01" and "core" in link.b[0])
    after = TRAFFIC.mean_under(Breakage(ports=frozenset({link.a, link.b})))
    assert TRAFFIC.mean[link.ab_flow] > 1e6
    assert after[link.ab_flow] == CHATTER
    exits = [p for d in NETWORK.of_tenant("acme") for p in d.ports if p.role in ("transit", "peering")]
    out = [port.out_flow for port in exits]
    assert after[out].sum() == pytest.approx(TRAFFIC.mean[out].sum(), rel=1e-9)
