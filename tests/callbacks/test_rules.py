"""Admin, rules: edited, tried out, imported; a mistake is named."""

from __future__ import annotations

import pytest
from redis import Redis

from app.errors import Forbidden, WatchfloorError
from app.queries import rules as queries
from callbacks import rules
from callbacks.admin import KEPT, Command
from tests.factories.cast import Cast
from tests.factories.screens import acting, words

FORM = {
    "name": "Hot",
    "expr": "cpu_utilisation_ratio > 0.9",
    "for": "5m",
    "keep": "0s",
    "severity": "major",
    "class": "resource",
    "labels": "team: core\n",
    "annotations": "summary: {{ $labels.device }} is hot",
    "enabled": ["on"],
}
FILE = "groups:\n- name: mine\n  rules:\n  - alert: Away\n    expr: up == 0\n"


def test_a_rule_is_made_tried_changed_and_deleted(cast: Cast, valkey: Redis) -> None:
    with acting(cast.alice) as shown:
        assert rules.run(Command("preview", form=FORM)) is KEPT
        assert "would not have fired" in words(shown["rules-preview"]["children"])
        rules.run(Command("save", form=FORM))
        [group] = queries.groups(cast.alice)
        [stored] = group.rules
        assert (group.name, stored.rule.name, stored.rule.for_s) == ("custom", "Hot", 300)
        assert stored.rule.labels == {"team": "core"}
        number = str(stored.id)
        assert "Annotations" not in words(rules.show("", 0, 0))
        assert rules.run(Command("edit", number)).title == "Edit rule"
        rules.run(Command("save", number, {**FORM, "severity": "critical"}))
        assert queries.rule(cast.alice, stored.id).rule.severity == "critical"
        rules.run(Command("disable", number))
        assert "disabled" in words(rules.show("", 0, 0))
        assert "Hot goes" in words(rules.run(Command("ask-delete", number)).body)
        rules.run(Command("delete", number))
    assert not [rule for group in queries.groups(cast.alice) for rule in group.rules]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"expr": "avg by (("}, "parse"),
        ({"for": "soon"}, "for"),
        ({"labels": "no colon"}, "labels, line 1"),
        ({"name": ""}, "name"),
    ],
)
def test_a_mistake_is_named(cast: Cast, valkey: Redis, change: dict[str, str], says: str) -> None:
    with acting(cast.alice), pytest.raises(WatchfloorError, match=says):
        rules.run(Command("save", form={**FORM, **change}))


def test_a_prometheus_file_comes_in(cast: Cast, valkey: Redis) -> None:
    with acting(cast.alice):
        reply = rules.run(Command("import-file", form={"text": FILE}))
        assert "1 rules in 1 groups" in reply.notice
        assert "Away" in words(rules.show("", 0, 0))


def test_a_viewer_reads_only(cast: Cast, valkey: Redis) -> None:
    with acting(cast.alice):
        rules.run(Command("save", form=FORM))
    with acting(cast.vera):
        assert "Hot" in words(rules.show("", 0, 0))
        assert "Delete" not in words(rules.show("", 0, 0))
        with pytest.raises(Forbidden):
            rules.run(Command("save", form=FORM))


def test_charlie_of_globex_sees_and_changes_none_of_acme(cast: Cast, valkey: Redis) -> None:
    with acting(cast.alice):
        rules.run(Command("save", form=FORM))
    [group] = queries.groups(cast.alice)
    number = str(group.rules[0].id)
    with acting(cast.charlie):
        assert "Hot" not in words(rules.show("", 0, 0))
        for verb in ("edit", "save", "disable", "ask-delete", "delete"):
            with pytest.raises(WatchfloorError):
                rules.run(Command(verb, number, FORM))
    assert queries.rule(cast.alice, int(number)).rule.is_enabled
