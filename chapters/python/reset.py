"""Connects to 127.0.0.1 at a port, and closes so that the kernel sends a reset."""

import socket
import struct
import sys

client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
# Linger for no time at all: what is still on its way is thrown away, and the peer is told.
client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
client.close()
