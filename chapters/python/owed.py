"""Starts a server, sends it more than it can pass on at once, interrupts it as Ctrl-C
does, and only then receives: do all bytes come back?"""

import signal
import socket
import subprocess
import sys

command = [sys.argv[1], "--listen", "127.0.0.1:0", "--quiet"]
server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
port = int(server.stdout.readline().rpartition(":")[2])
client = socket.create_connection(("127.0.0.1", port))

client.settimeout(0.5)
sent = back = 0
try:
    while True:
        sent += client.send(bytes(100_000))
except socket.timeout:
    print("sent", sent, "bytes, and there is no room for more")

server.send_signal(signal.SIGINT)
client.settimeout(10)
client.shutdown(socket.SHUT_WR)
try:
    while data := client.recv(100_000):
        back += len(data)
except OSError as error:
    print(error)
print(back, "bytes came back; the server's exit status is", server.wait())
