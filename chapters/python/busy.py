"""A task submits the next one, which submits the next one, and so on, a million times.
Another task waits for five bytes that are there already."""

import socket

from echo_server import Scheduler, Socket


# ANCHOR: links
def link(number):
    if number % 250_000 == 0:
        print(number, "tasks have run", flush=True)
    if number < 1_000_000:
        scheduler.submit_task(link(number + 1))
    yield from ()  # nothing, but it makes this a generator


def waiter():
    data = yield client.recv(100)
    print("received", data, flush=True)
# ANCHOR_END: links


ours, theirs = socket.socketpair()
client = Socket(ours)
scheduler = Scheduler()
scheduler.submit_task(waiter())
scheduler.submit_task(link(1))
theirs.sendall(b"hello")
scheduler.run()
