"""The other side of bench/poll.py: many simulated switches in a process of their own, one loopback port each."""

from __future__ import annotations

import json
import os
import resource
import sys

from tests.fakes.snmp_agent import AgentServer, FakeAgent, switch

SPARE_FILES = 200


def main() -> None:
    """Serve `devices` switches of `ports` ports, every `dead`th silent; print their UDP ports, then answer for ever."""
    devices, ports, dead = (int(argument) for argument in sys.argv[1:4])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, devices + SPARE_FILES), hard))
    mib = switch(ports)
    agents = [FakeAgent(mib, fault="dead" if dead and number % dead == 0 else "") for number in range(devices)]
    for agent in agents:
        agent.kinds = NoList()
    server = AgentServer(agents)
    print(json.dumps([agent.port for agent in agents]), flush=True)
    if os.getppid() != 1:
        server.serve()


class NoList(list):  # type: ignore[type-arg]  # a list that stays empty
    """Forgets what is appended: a benchmark's agents keep no history."""

    def append(self, _item: object) -> None:
        """Forget it."""


if __name__ == "__main__":
    main()
