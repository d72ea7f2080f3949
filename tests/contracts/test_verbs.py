"""`python -m app`: every verb has its help at each level, and every failure its exit code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from app.__main__ import Verbs, app, main
from app.cli import COMMANDS

PROMISED = (
    "up",
    "web",
    "worker",
    "scheduler",
    "poller",
    "migrate",
    "doctor",
    "tenant",
    "user",
    "token",
    "snmp",
    "agent",
    "anomaly",
    "forecast",
    "capacity",
)


def every_command() -> Iterator[tuple[str, ...]]:
    """The words that lead to each command and group, the root first."""
    yield ()
    context = click.Context(app)
    assert isinstance(app, Verbs)
    for name in COMMANDS:
        command = app.get_command(context, name)
        assert command is not None
        yield from _below((name,), command)


def _below(words: tuple[str, ...], command: click.Command) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _below((*words, name), child)


@pytest.mark.parametrize("words", list(every_command()), ids=" ".join)
def test_help_at_each_level(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Usage: python -m app" in shown
    assert len(shown.splitlines()) > 3, "says nothing about itself"


def test_every_promised_verb_exists() -> None:
    assert set(PROMISED) <= set(COMMANDS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["fly"], "No such command", id="an unknown verb"),
        pytest.param(["up", "--port", "0"], "--port", id="an impossible port"),
        pytest.param(["worker", "kitchen"], "no queue is called kitchen", id="an unknown queue"),
        pytest.param(["migrate", "--sideways"], "--sideways", id="an unknown option"),
    ],
)
def test_wrong_usage_is_2(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_a_failure_is_1_with_one_plain_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WATCHFLOOR_HOME", str(tmp_path))
    assert main(["migrate"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: WATCHFLOOR_DATABASE_URL: is not set")


def test_a_wrong_setting_is_1_and_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("WATCHFLOOR_PORT", "many")
    assert main(["doctor"]) == 1
    assert "WATCHFLOOR_PORT" in capsys.readouterr().err


def test_a_database_that_is_away_is_1_and_says_what_to_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WATCHFLOOR_HOME", str(tmp_path))
    monkeypatch.setenv("WATCHFLOOR_DATABASE_URL", "postgresql://nobody:x@127.0.0.1:1/none")
    monkeypatch.setenv("WATCHFLOOR_REDIS_URL", "redis://127.0.0.1:1/0")
    assert main(["migrate"]) == 1
    assert "python -m app doctor" in capsys.readouterr().err
