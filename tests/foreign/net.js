// An echo server as the documentation of node's `net` suggests: each socket piped to itself.
const net = require('node:net');

const server = net.createServer((socket) => socket.pipe(socket));
server.listen(Number(process.argv[2]), '127.0.0.1');
