"""The other side of bench/poll.py: many simulated switches in a process of their own, one loopback port each."""

from __future__ import annotations

import json
import resource
import sys

from tests.fakes.snmp_agent import AgentServer, FakeAgent, Mib, switch

SPARE_FILES = 200


class QuickAgent(FakeAgent):
    """Answers what it was asked before from memory, so that the agents are not what is measured."""

    known: dict[bytes, bytes] = {}  # noqa: RUF012  shared on purpose: all agents hold the same values

    def answer(self, data: bytes) -> bytes | None:
        """The answer to one datagram; only its request id is new each time."""
        if self.fault:
            return None
        at = _request_id_at(data)
        question = data[:at] + data[at + 4 :]
        found = self.known.get(question)
        if found is None:
            found = super().answer(data)
            if found is None:
                return None
            self.known[question] = found
        at_answer = _request_id_at(found)
        return found[:at_answer] + data[at : at + 4] + found[at_answer + 4 :]


def serve() -> None:
    """Serve `devices` switches of `ports` ports, every `dead`th silent; print their UDP ports, then answer for ever."""
    devices, ports, dead = (int(argument) for argument in sys.argv[1:4])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, devices + SPARE_FILES), hard))
    mib: Mib = switch(ports)
    agents = [QuickAgent(mib, fault="dead" if dead and number % dead == 0 else "") for number in range(devices)]
    server = AgentServer(agents)
    print(json.dumps([agent.port for agent in agents]), flush=True)
    server.serve()


def _request_id_at(data: bytes) -> int:
    """Where the four octets of the request id start: behind version, community and the PDU's head."""
    at = _inside(data, 0) + 3
    return _inside(data, at + 2 + data[at + 1]) + 2


def _inside(data: bytes, at: int) -> int:
    return at + 2 + (data[at + 1] & 127 if data[at + 1] > 127 else 0)


if __name__ == "__main__":
    serve()
