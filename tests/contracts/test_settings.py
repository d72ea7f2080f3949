"""Each setting is documented, and each documented setting exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.errors import ConfigError
from app.settings import PREFIX, SECRETS, Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def rows() -> dict[str, str]:
    """Variable -> its meaning, from the table of docs/settings.md."""
    return dict(re.findall(rf"^\| `{PREFIX}([A-Z_]+)` \|[^|]*\| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE))


def test_settings_and_their_page_agree() -> None:
    assert set(rows()) == {name.upper() for name in Settings.model_fields}


def test_the_page_marks_the_secrets() -> None:
    marked = {name for name, meaning in rows().items() if meaning.startswith("*Secret.*")}
    assert marked == {name for name in SECRETS if name.lower() in Settings.model_fields}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        pytest.param("PORT", "eighty", id="a port in words"),
        pytest.param("PORT", "65535", id="no room for the port of live updates"),
        pytest.param("DATABASE_URL", "mysql://db/watchfloor", id="another database"),
        pytest.param("REDIS_URL", "http://valkey", id="another protocol"),
        pytest.param("SECRET_KEY", "short", id="a key that can be guessed"),
        pytest.param("LOG_FORMAT", "xml", id="a form we do not speak"),
    ],
)
def test_a_wrong_setting_is_named_with_an_example_and_without_its_value(variable: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.from_env({PREFIX + variable: value})
    assert PREFIX + variable in str(caught.value)
    assert "for example" in str(caught.value)
    assert value not in str(caught.value)


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("k" * 40 + "\n")
    assert Settings.from_env({f"{PREFIX}SECRET_KEY_FILE": str(path)}).secret_key == "k" * 40


def test_a_secret_file_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match="WATCHFLOOR_SECRET_KEY_FILE: cannot be read"):
        Settings.from_env({f"{PREFIX}SECRET_KEY_FILE": "/nowhere/key"})
