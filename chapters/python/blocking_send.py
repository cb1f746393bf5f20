"""One task sends more than there is room for, and another would make room."""

import socket

from echo_server import Scheduler, Socket


def sender():
    print("sending", flush=True)
    yield client.send(bytes(10**7))
    print("sent", flush=True)


def receiver():
    data = yield Socket(theirs).recv(10**7)
    print("received", len(data), flush=True)


ours, theirs = socket.socketpair()
client = Socket(ours)
scheduler = Scheduler()
scheduler.submit_task(sender())
scheduler.submit_task(receiver())
scheduler.run()
