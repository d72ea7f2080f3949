"""One device as the poller knows it, and one poll of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from app import clock
from app.domain.inventory import Discovery, PollOutcome, PollTarget
from app.domain.rates import uptime_restarted
from app.domain.samples import Batch
from ingest.snmp import codec
from ingest.snmp.client import Agent, AgentError, Client, NoAnswer
from ingest.snmp.discovery import SYSTEM, discover, status_name
from ingest.snmp.plan import Plan, bare_plan, compile_plan
from ingest.snmp.profiles import Library
from ingest.snmp.schedule import MISSES_UNTIL_SLOW, Cycle, Lane
from ingest.snmp.survey import survey

SURVEY_EVERY_S: Final = 3600.0
# Values that vanish without a word of the agent are a reason to look again, but not all the time.
SURVEY_AGAIN_S: Final = 600.0
BOOT_JITTER: Final = timedelta(seconds=30)


@dataclass(frozen=True)
class PollResult:
    """What a poll gave: samples, its outcome, what discovery found if it ran, and the end of series that are gone."""

    target: PollTarget
    batch: Batch
    outcome: PollOutcome
    discovery: Discovery | None = None
    ended: Batch | None = None


@dataclass
class PolledDevice:
    """A device between polls: its agent, its plan, and what it said last."""

    target: PollTarget
    agent: Agent = field(init=False)
    cycle: Cycle = field(default_factory=Cycle)
    plan: Plan | None = None
    surveyed_s: float = float("-inf")
    vanished: bool = False
    _head: tuple[tuple[float, float, float], float] | None = None
    _booted_at: datetime | None = None
    _statuses: dict[str, tuple[str, str]] = field(default_factory=dict)
    _read_statuses: list[float] = field(default_factory=list)
    _requests: list[codec.Prepared] = field(default_factory=list)
    _size: int = 0

    def __post_init__(self) -> None:
        self.agent = Agent(
            address=self.target.address,
            port=self.target.port,
            community=self.target.community,
            version=codec.V1 if self.target.kind == "snmp_v1" else codec.V2C,
        )

    async def poll(self, client: Client, library: Library) -> PollResult:
        """Ask the device once for everything in its plan; makes the plan first where there is none that is good."""
        started_s, known = clock.monotonic_s(), self.plan
        discovery: Discovery | None = None
        error, filled, at_ms = "", None, clock.now_ms()
        try:
            if self.cycle.lane is Lane.SLOW:
                await self._probe(client)
            if self._wants_survey():
                discovery = await self._survey(client, library)
            filled, at_ms = await self._first(client)
            if self._has_changed(filled):
                # Its interfaces may have other numbers now: no counter is stored before their names are read again.
                discovery = await self._survey(client, library)
                filled, at_ms = await self._first(client)
            error = await self._rest(client, filled)
            # Counters went on while the answers came: the middle is at most half of that time off for any.
            at_ms = (at_ms + clock.now_ms()) // 2
        except (NoAnswer, AgentError) as failure:
            error = str(failure)
        duration_s = clock.monotonic_s() - started_s
        self.cycle.note(is_answered=filled is not None)
        plan = self.plan or bare_plan(self._labels())
        if filled is None:
            batch = plan.batch_down(at_ms=at_ms, duration_s=duration_s, is_stale=self.cycle.misses == MISSES_UNTIL_SLOW)
        else:
            batch = plan.batch(filled, at_ms=at_ms, duration_s=duration_s)
        return PollResult(
            target=self.target,
            batch=batch,
            outcome=self._outcome(filled, error),
            discovery=discovery,
            ended=self._ended(known, at_ms),
        )

    def _wants_survey(self) -> bool:
        age_s = clock.monotonic_s() - self.surveyed_s
        return self.plan is None or age_s > SURVEY_EVERY_S or (self.vanished and age_s > SURVEY_AGAIN_S)

    async def _probe(self, client: Client) -> None:
        """One small request without a second try: all that a silent device gets."""
        agent = self.agent
        probe = codec.prepare(codec.GET, [SYSTEM["up_time"]], community=agent.community, version=agent.version)
        await client.ask(agent, probe, tries=1)

    async def _survey(self, client: Client, library: Library) -> Discovery:
        found = await survey(client, self.agent, library)
        discovery = discover(found)
        self.plan = compile_plan(found, discovery.interfaces, labels=self._labels())
        self.surveyed_s, self.vanished = clock.monotonic_s(), False
        self._head = None
        self._size = 0
        self._read_statuses = []
        self._statuses = {port.name: (port.admin_status, port.oper_status) for port in discovery.interfaces}
        return discovery

    async def _first(self, client: Client) -> tuple[list[float], int]:
        """The first request of a poll; answers the slots filled so far and the time of its arrival."""
        assert self.plan is not None
        if self._size != self.agent.most_varbinds:
            self._prepare(self.plan)
        filled = self.plan.blank()
        varbinds = await client.get_prepared(self.agent, self._requests[0])
        at_ms = clock.now_ms()
        self.plan.take(varbinds, filled)
        return filled, at_ms

    async def _rest(self, client: Client, filled: list[float]) -> str:
        """The other requests; a device that falls silent here keeps what it has told, and the reason is answered."""
        assert self.plan is not None
        missing = 0
        for prepared in self._requests[1:]:
            try:
                missing += self.plan.take(await client.get_prepared(self.agent, prepared), filled)
            except NoAnswer as failure:
                return f"answered in part only: {failure}"
        self.vanished = missing > 0
        return ""

    def _prepare(self, plan: Plan) -> None:
        """Make the requests anew, in the size that the agent bears."""
        size, agent = self.agent.most_varbinds, self.agent
        self._requests = [
            codec.prepare(codec.GET, plan.names[at : at + size], community=agent.community, version=agent.version)
            for at in range(0, len(plan.names), size)
        ]
        self._size = size

    def _has_changed(self, filled: Sequence[float]) -> bool:
        """Whether the device restarted or its interfaces changed since the last poll; remembers what it says now."""
        head, read_s = (filled[0], filled[1], filled[2]), clock.monotonic_s()
        before, self._head = self._head, (head, read_s)
        if before is None:
            return False
        if uptime_restarted(before[0][0], head[0], elapsed_s=read_s - before[1]):
            return True
        changes = zip(before[0][1:], head[1:], strict=True)
        return any(old != new for old, new in changes if old == old and new == new)  # noqa: PLR0124  NaN: not told

    def _outcome(self, filled: Sequence[float] | None, error: str) -> PollOutcome:
        now = clock.utc_now()
        booted_at = None
        statuses: dict[str, tuple[str, str]] = {}
        if filled is not None:
            booted_at = self._new_boot(now, filled[0])
            statuses = self._changed_statuses(filled)
        return PollOutcome(
            device_id=self.target.device_id,
            name=self.target.name,
            is_reachable=filled is not None,
            at=now,
            error=error,
            booted_at=booted_at,
            statuses=statuses,
        )

    def _new_boot(self, now: datetime, up_time: float) -> datetime | None:
        """When the device started, if that is news."""
        if up_time != up_time:  # noqa: PLR0124  NaN: not told
            return None
        booted_at = now - timedelta(seconds=up_time / 100)
        if self._booted_at is not None and abs(booted_at - self._booted_at) < BOOT_JITTER:
            return None
        self._booted_at = booted_at
        return booted_at

    def _changed_statuses(self, filled: Sequence[float]) -> dict[str, tuple[str, str]]:
        assert self.plan is not None
        read = [filled[slot] for slot in self.plan.status_slots]
        if read == self._read_statuses:
            return {}
        self._read_statuses = read
        changed = {}
        for name, admin_slot, oper_slot in self.plan.statuses:
            admin, oper = filled[admin_slot], filled[oper_slot]
            if admin != admin or oper != oper:  # noqa: PLR0124  NaN: not told
                continue
            statuses = (status_name(admin), status_name(oper))
            if self._statuses.get(name) != statuses:
                self._statuses[name] = changed[name] = statuses
        return changed

    def _ended(self, before: Plan | None, at_ms: int) -> Batch | None:
        """Stale markers for the series that the plan before had and this one has not."""
        if before is None or self.plan is None or before is self.plan:
            return None
        kept = set(self.plan.keys)
        gone = [key for key in before.keys if key not in kept]
        return self.plan.batch_ended(gone, at_ms=at_ms) if gone else None

    def _labels(self) -> dict[str, str]:
        return {"device": self.target.name, "site": self.target.site, "role": self.target.role}
