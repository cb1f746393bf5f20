"""Two tasks wait to receive from the same socket."""

import socket

from echo_server import Scheduler, Socket


def waiter(name):
    try:
        data = yield client.recv(100)
        print(name, "got", data, flush=True)
    finally:
        print(name, "is gone", flush=True)


ours, theirs = socket.socketpair()
client = Socket(ours)
scheduler = Scheduler()
scheduler.submit_task(waiter("first"))
scheduler.submit_task(waiter("second"))
theirs.sendall(b"hello")
scheduler.run()
