"""gunicorn's threaded worker, safe from slow senders: a request gets a thread once its head is all there.

gunicorn gives a thread to a connection with its first byte and waits in it for the rest, so that a handful of
connections that send half a head stop everybody. Here they wait without a thread, and not for long. A small body
(such as that of the sign-in form) is waited for in the same way; a larger one is read in the thread, after the guard.

A connection whose next request comes at once keeps its thread for it, while enough others are idle: on the way back
through the main thread two threads wake for each request, which took a quarter of an agent's whole request.
"""

from __future__ import annotations

import re
import select
import selectors
import socket
import struct
from fcntl import ioctl
from termios import FIONREAD
from threading import BoundedSemaphore
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from app import clock

# A whole head (and a small body with it) must come within this.
HEAD_WITHIN_S = 8.0
# A head never has more; what has more without an end is closed.
MOST_WAITING_BYTES = 64 * 1024
# Most heads are shorter.
PEEKED_BYTES = 4 * 1024
# A body read in a thread may pause this long.
PAUSE_S = 10
# A thread waits this long for the next request of the connection that it has just answered.
NEXT_WITHIN_S = 0.02
END = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*\r\n", re.IGNORECASE)
CONTINUE = re.compile(rb"\r\nexpect:", re.IGNORECASE)


class HeadFirstWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """The worker; everything but handle() runs in its main thread."""

    def init_process(self) -> None:
        """Open the list of waiting connections before the loop starts."""
        self.waiting: dict[int, tuple[TConn, float]] = {}
        # Half of the threads never wait for anybody.
        self.may_wait = BoundedSemaphore(self.cfg.threads // 2)
        # Edge-triggered: what has been looked at and is not complete wakes nobody until more arrives.
        self.arrivals = select.epoll()
        super().init_process()

    def run(self) -> None:
        """The loop of gunicorn, which also hears of arrivals."""
        self.poller.register(self.arrivals.fileno(), selectors.EVENT_READ, self.look_again)
        super().run()

    def enqueue_req(self, conn: TConn) -> None:
        """Give the connection a thread, now or when its request has arrived."""
        has_leftover = conn.parser is not None and conn.parser.unreader.buf.getvalue()
        if self.cfg.is_ssl or has_leftover or _is_complete(conn.sock):
            self._serve(conn)
            return
        number = conn.sock.fileno()
        self.waiting[number] = (conn, clock.monotonic_s() + HEAD_WITHIN_S)
        self.arrivals.register(number, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)

    def look_again(self, _arrivals: Any) -> None:
        """More has arrived for some of the waiting."""
        for number, event in self.arrivals.poll(0):
            conn, _ = self.waiting[number]
            if event & (select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP):
                self._leave(number)
                self._drop(conn)
            elif _is_complete(conn.sock):
                self._leave(number)
                self._serve(conn)

    def handle(self, conn: TConn) -> Any:
        """Answer a request in a thread, and those that follow it at once; answers what gunicorn does with the rest."""
        result = super().handle(conn)
        while result is True and self._comes_again(conn):
            result = super().handle(conn)
        return result

    def _comes_again(self, conn: TConn) -> bool:
        """Whether the connection's next request is there; if not, it goes back to the main thread."""
        if self.cfg.is_ssl or conn.parser.unreader.buf.getvalue() or not self.may_wait.acquire(blocking=False):
            return False
        try:
            with select.epoll() as arrivals:
                arrivals.register(conn.sock, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)
                until = clock.monotonic_s() + NEXT_WITHIN_S
                while self.alive and (left_s := until - clock.monotonic_s()) > 0 and arrivals.poll(left_s):
                    if _is_complete(conn.sock):
                        return True
        finally:
            self.may_wait.release()
        return False

    def murder_pending(self) -> None:
        """Close what has waited too long, along with gunicorn's own pending connections."""
        super().murder_pending()
        now = clock.monotonic_s()
        late = [number for number, (_, until) in self.waiting.items() if until <= now or not self.alive]
        for number in late:
            self._drop(self._leave(number))

    def _serve(self, conn: TConn) -> None:
        if not conn.data_ready:
            # The kernel ends a read that pauses too long; a blocking socket has no other limit.
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", PAUSE_S, 0))
            conn.data_ready = True
        super().enqueue_req(conn)

    def _leave(self, number: int) -> TConn:
        self.arrivals.unregister(number)
        return self.waiting.pop(number)[0]

    def _drop(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()


def _is_complete(sock: socket.socket) -> bool:
    """Whether a request can be read from `sock` without waiting (or never will be, so that a thread may say so)."""
    try:
        arrived = sock.recv(PEEKED_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        if len(arrived) == PEEKED_BYTES and END not in arrived:
            arrived = sock.recv(MOST_WAITING_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    if not arrived:
        return True
    head, end, _ = arrived.partition(END)
    if not end:
        return False
    length = LENGTH.search(head + b"\r\n")
    if length is None or CONTINUE.search(head):
        return True
    wanted = min(len(head) + len(END) + int(length[1]), MOST_WAITING_BYTES)
    return len(arrived) >= wanted or _waiting_bytes(sock) >= wanted


def _waiting_bytes(sock: socket.socket) -> int:
    """How many bytes have arrived and were not read."""
    return int(struct.unpack("i", ioctl(sock, FIONREAD, bytes(4)))[0])
