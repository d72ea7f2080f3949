"""Profiles: those we ship are sound, devices find theirs, and a bad file names itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import InvalidInput
from ingest.snmp.profiles import load_profiles


@pytest.mark.parametrize(
    ("object_id", "description", "profile"),
    [
        ("1.3.6.1.4.1.9.1.1208", "Cisco IOS Software, C2960X", "cisco"),
        ("1.3.6.1.4.1.9.12.3.1.3.1163", "Cisco NX-OS(tm) n3000", "cisco-nxos"),
        ("1.3.6.1.4.1.9.1.2571", "Cisco IOS XR Software (NCS-5500)", "cisco-iosxr"),
        ("1.3.6.1.4.1.99.1.2", "Cisco NX-OS(tm) n3000", "generic"),
        ("1.3.6.1.4.1.2011.10.1", "", "comware"),
        ("1.3.6.1.4.1.2011.2.224.62", "", "huawei"),
        ("", "", "generic"),
    ],
)
def test_a_device_finds_its_profile(object_id: str, description: str, profile: str) -> None:
    assert load_profiles().profile_for(object_id, description).name == profile


def test_a_profile_has_all_that_it_extends() -> None:
    nxos = load_profiles().profiles["cisco-nxos"]
    assert (nxos.identity.vendor, nxos.identity.os) == ("Cisco", "nxos")
    assert nxos.reads == {"interfaces", "lldp", "cdp", "entity"}
    assert [table.name for table in nxos.tables].index("cpu") == 0
    assert len(nxos.columns()) == len(set(nxos.columns()))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("profile: other", "file's name", id="another name inside"),
        pytest.param("profile: bad\ncolour: red", "colour", id="a field that is none"),
        pytest.param("profile: bad\nextends: [nothing]", "nothing", id="extends nothing"),
        pytest.param("profile: bad\nextends: [bad]", "itself", id="extends itself"),
        pytest.param("profile: [", "bad.yaml", id="no YAML"),
        pytest.param(
            "profile: bad\ntables: [{name: t, columns: {a: 1.3.6}, emits: [{metric: m, value: b}]}]",
            "no column",
            id="column",
        ),
        pytest.param(
            "profile: bad\ntables: [{name: t, columns: {a: x.y}, emits: []}]", "object identifier", id="no identifier"
        ),
    ],
)
def test_a_bad_file_says_which_and_why(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "generic.yaml").write_text("profile: generic")
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(InvalidInput, match=why) as caught:
        load_profiles(tmp_path)
    assert "bad" in str(caught.value)
