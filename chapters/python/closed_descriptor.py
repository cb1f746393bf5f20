"""One task waits for a socket, and another closes it."""

import socket

from echo_server import Scheduler, Socket


def waiter():
    yield client.recv(100)


def closer():
    client.close()
    yield from ()  # nothing, but it makes this a generator


ours, theirs = socket.socketpair()
client = Socket(ours)
scheduler = Scheduler()
scheduler.submit_task(waiter())
scheduler.submit_task(closer())
scheduler.run()
