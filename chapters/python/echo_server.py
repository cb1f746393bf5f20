"""An echo server made of generators and `select`: the design that stage 04 comes from.

The original's weaknesses are kept, for you to see. Each is marked where it lies:

  [1] An exception leaves `run`: one client's reset ends the server for everybody.
  [2] The second task that waits on a descriptor takes the place of the first.
  [3] Sockets are blocking and trust `select`: ready for a part is not ready for all.
  [4] The ready queue is emptied before `select`, however long that takes, and then
      `select` is called, even if no task is left.
  [5] A closed descriptor stays in the tables, where `select` finds it.

There is no graceful stop, either: Ctrl-C is one more exception, and one that comes just
before `select` has to wait until that returns. Python 3.8 or later.

What to try: python3 chapters/python/echo_server.py
"""

import argparse
import select
import socket
from collections import deque


# ANCHOR: socket
class Socket:
    """A socket whose calls return an event instead of waiting."""

    def __init__(self, sock):
        self._sock = sock  # [3] a blocking one

    def accept(self):
        return ConnectEvent(self._sock)

    def recv(self, nbytes):
        return ReceiveEvent(self._sock, nbytes)

    def send(self, data):
        return SendEvent(self._sock, data)

    def close(self):
        self._sock.close()  # [5] nobody tells the tables
# ANCHOR_END: socket


# ANCHOR: events
class BaseEvent:
    def __init__(self, sock, argument=None):
        self.sock = sock
        self.argument = argument


class ConnectEvent(BaseEvent):
    def do_schedule(self, scheduler, task):
        scheduler.waiting_for_read(self.sock.fileno(), self, task)

    def happen(self, scheduler, task):
        client, addr = self.sock.accept()
        scheduler.add_ready(task, (Socket(client), addr))


class ReceiveEvent(BaseEvent):
    def do_schedule(self, scheduler, task):
        scheduler.waiting_for_read(self.sock.fileno(), self, task)

    def happen(self, scheduler, task):
        data = self.sock.recv(self.argument)  # [1] raises after a reset
        scheduler.add_ready(task, data)


class SendEvent(BaseEvent):
    def do_schedule(self, scheduler, task):
        scheduler.waiting_for_write(self.sock.fileno(), self, task)

    def happen(self, scheduler, task):
        sent = self.sock.send(self.argument)  # [3] sleeps until there is room for all
        scheduler.add_ready(task, sent)
# ANCHOR_END: events


class Scheduler:
    def __init__(self):
        self._running = 0
        self._ready = deque()
        self._read_waiting = {}
        self._write_waiting = {}

    # ANCHOR: tables
    def submit_task(self, task):
        self._running += 1
        self.add_ready(task, None)

    def add_ready(self, task, data):
        self._ready.append((task, data))

    def waiting_for_read(self, fd, event, task):
        self._read_waiting[fd] = (event, task)  # [2] whoever was there is gone

    def waiting_for_write(self, fd, event, task):
        self._write_waiting[fd] = (event, task)
    # ANCHOR_END: tables

    # ANCHOR: run
    def run(self):
        while self._running:
            self._run_ready()
            # This is the core of the whole asynchronous thing. [4] [5]
            tables = (self._read_waiting, self._write_waiting)
            readable, writable, _ = select.select(*tables, [])
            for table, fds in zip(tables, (readable, writable)):
                for fd in fds:
                    event, task = table.pop(fd)
                    event.happen(self, task)  # [1] what this raises ends the loop

    def _run_ready(self):
        while self._ready:  # [4] for as long as tasks submit tasks
            task, data = self._ready.popleft()
            try:
                event = task.send(data)  # None the first time: that primes it
            except StopIteration:
                self._running -= 1
                continue
            if not isinstance(event, BaseEvent):
                raise RuntimeError("unknown event: {!r}".format(event))
            event.do_schedule(self, task)
    # ANCHOR_END: run


# ANCHOR: echo_server
def echo_server(addr, scheduler, log):
    """The server task: accepts clients, and submits a task for each."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
    sock.bind(addr)
    sock.listen()
    print("listening on {}:{}".format(*sock.getsockname()), flush=True)
    sock = Socket(sock)
    while True:
        # The synchronous sibling: client, addr = sock.accept()
        client, addr = yield sock.accept()
        log("Connection from: {}:{}".format(*addr))
        scheduler.submit_task(client_handler(client, addr, log))
# ANCHOR_END: echo_server


# ANCHOR: client_handler
def client_handler(client, addr, log):
    """The task of one client: a coroutine around the one that does the work."""
    yield from echo(client)
    log("Client: {}:{} disconnected".format(*addr))


def echo(client):
    """Sends back what it receives, until the client has no more to send."""
    while True:
        data = yield client.recv(64 * 1024)
        if not data:
            break
        while data:
            sent = yield client.send(data)
            data = data[sent:]
    client.close()
# ANCHOR_END: client_handler


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="An echo server made of generators.")
    parser.add_argument("--listen", metavar="ADDR:PORT", default="127.0.0.1:8000")
    parser.add_argument("--quiet", action="store_true", help="log no connections")
    options = parser.parse_args()
    host, _, port = options.listen.rpartition(":")

    def log(line):
        if not options.quiet:
            print(line, flush=True)

    scheduler = Scheduler()
    scheduler.submit_task(echo_server((host, int(port)), scheduler, log))
    scheduler.run()
