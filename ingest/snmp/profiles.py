"""Device types as data: the files in profiles/, checked and composed.

A profile says by what a device is known, what to read from it, and which metrics that gives. Files whose name starts
with an underscore are parts that others extend; `generic` is for every device that no other profile knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import yaml

from app.errors import InvalidInput
from ingest.snmp import codec
from ingest.snmp.expressions import Expression, parse_expression

FOLDER: Final = Path(__file__).with_name("profiles")
GENERIC: Final = "generic"
# What discovery itself understands, beyond rows and expressions.
Reading = Literal["interfaces", "lldp", "cdp", "entity"]


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """By what a device is known: sysObjectID starts with one of `object_id`, and sysDescr matches `description`."""

    object_id: tuple[str, ...]
    description: str = ""


class Pick(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a fact comes from: a column or scalar (`oid`), else sysDescr; `regex` takes its first group of it."""

    oid: str = ""
    regex: str = ""


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a device by its profile, and where the rest is told."""

    vendor: str = ""
    os: str = ""
    os_version: Pick | None = None
    model: Pick | None = None
    serial: Pick | None = None


class Emit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One metric of each row. Of several `value`s the first counts that the row has; `when` must hold."""

    metric: str
    value: str | tuple[str, ...]
    labels: dict[str, str] = {}
    when: str = ""


class TableFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows that share an index. `columns` are read in every poll, `facts` at discovery only.

    `maps` translate facts, and drop the rows whose fact they do not hold. With rows: interfaces the rows are the
    device's interfaces and get the label ifName.
    """

    name: str
    columns: dict[str, str]
    emits: tuple[Emit, ...]
    facts: dict[str, str] = {}
    maps: dict[str, dict[str, str]] = {}
    rows: Literal["own", "interfaces"] = "own"


class ProfileFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file."""

    profile: str
    extends: tuple[str, ...] = ()
    match: Match | None = None
    identity: Identity = Identity()
    reads: tuple[Reading, ...] = ()
    tables: tuple[TableFile, ...] = ()


@dataclass(frozen=True)
class Metric:
    """An Emit whose expressions are parsed."""

    name: str
    values: tuple[Expression, ...]
    labels: Mapping[str, str]
    when: Expression | None


@dataclass(frozen=True)
class Table:
    """A TableFile with its names as octets and its expressions parsed."""

    name: str
    columns: Mapping[str, bytes]
    facts: Mapping[str, bytes]
    maps: Mapping[str, Mapping[str, str]]
    is_of_interfaces: bool
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class Profile:
    """A profile with all that it extends. Of tables of one name the first that has rows counts."""

    name: str
    identity: Identity
    reads: frozenset[str]
    tables: tuple[Table, ...]

    def columns(self) -> list[bytes]:
        """Every column that discovery has to read for the tables, each once."""
        names = [name for table in self.tables for name in (*table.columns.values(), *table.facts.values())]
        return list(dict.fromkeys(names))


@dataclass(frozen=True)
class Library:
    """All profiles of a folder."""

    profiles: Mapping[str, Profile]
    _matches: tuple[tuple[str, Match], ...]

    def profile_for(self, object_id: str, description: str) -> Profile:
        """The profile of a device: the one that matches with the longest sysObjectID; `generic` if none does."""
        best, length = GENERIC, 0
        for name, match in self._matches:
            if match.description and not re.search(match.description, description):
                continue
            for prefix in match.object_id:
                # A description that matches too tells more than the same prefix alone.
                weight = 2 * len(prefix) + bool(match.description)
                if f"{object_id}.".startswith(f"{prefix}.") and weight > length:
                    best, length = name, weight
        return self.profiles[best]


def load_profiles(folder: Path = FOLDER) -> Library:
    """Read and check every profile; raises InvalidInput with the file's name and what is wrong with it."""
    files = {path.stem: _read(path) for path in sorted(folder.glob("*.yaml"))}
    profiles = {name: _compose(name, files) for name in files if not name.startswith("_")}
    matches = tuple((name, file.match) for name, file in files.items() if file.match and not name.startswith("_"))
    if GENERIC not in profiles:
        raise InvalidInput("profiles", f"{folder} has no {GENERIC}.yaml")
    return Library(profiles, matches)


def _read(path: Path) -> ProfileFile:
    try:
        file = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), ProfileFile)
        if file.profile != path.stem:
            raise InvalidInput("profile", f"is {file.profile!r}, which is not the file's name")
        if file.match:
            re.compile(file.match.description)
    except (yaml.YAMLError, msgspec.ValidationError, InvalidInput, re.error) as error:
        raise InvalidInput(path.name, str(error)) from None
    return file


def _compose(name: str, files: Mapping[str, ProfileFile]) -> Profile:
    chain = _chain(name, files, ())
    try:
        tables = tuple(_table(table) for file in chain for table in file.tables)
    except InvalidInput as error:
        raise InvalidInput(f"{name}.yaml", str(error)) from None
    reads = frozenset(reading for file in chain for reading in file.reads)
    return Profile(name, _identity([file.identity for file in chain]), reads, tables)


def _chain(name: str, files: Mapping[str, ProfileFile], above: tuple[str, ...]) -> list[ProfileFile]:
    """The file and all that it extends, the special before the general, each once."""
    if name not in files or name in above:
        why = f"{name!r} is no other profile" if name not in files else f"{name} extends itself"
        raise InvalidInput(f"{above[-1]}.yaml extends" if above else "extends", why)
    chain = [files[name]]
    for base in files[name].extends:
        chain += [file for file in _chain(base, files, (*above, name)) if file not in chain]
    return chain


def _identity(parts: Sequence[Identity]) -> Identity:
    """Of each field what the most special file says."""
    merged: dict[str, Any] = {}
    for part in parts:
        for field, value in msgspec.structs.asdict(part).items():
            merged[field] = merged.get(field) or value
    return Identity(**merged)


def _table(file: TableFile) -> Table:
    return Table(
        name=file.name,
        columns={name: codec.oid_octets(oid) for name, oid in file.columns.items()},
        facts={name: codec.oid_octets(oid) for name, oid in file.facts.items()},
        maps=file.maps,
        is_of_interfaces=file.rows == "interfaces",
        metrics=tuple(_metric(file, emit) for emit in file.emits),
    )


def _metric(file: TableFile, emit: Emit) -> Metric:
    sources = (emit.value,) if isinstance(emit.value, str) else emit.value
    values = tuple(parse_expression(source) for source in sources)
    when = parse_expression(emit.when) if emit.when else None
    known = file.columns.keys() | file.facts.keys()
    for expression in (*values, *((when,) if when else ())):
        if unknown := expression.names - known:
            raise InvalidInput(emit.metric, f"{expression.source!r} names {', '.join(sorted(unknown))}, no column")
    return Metric(emit.metric, values, emit.labels, when)
