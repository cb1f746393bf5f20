"""The only task finishes without waiting for anything."""

from echo_server import Scheduler


def hello():
    print("hello", flush=True)
    yield from ()  # nothing, but it makes this a generator


scheduler = Scheduler()
scheduler.submit_task(hello())
scheduler.run()
print("the end")
