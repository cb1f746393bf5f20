"""Connects to 127.0.0.1 at a port, and closes so that the kernel sends a reset."""

import socket
import struct
import sys

client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
# Linger for no time at all: forget the connection, and tell the peer.
client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
client.close()
