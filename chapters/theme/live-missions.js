// The missions of <live-scheduler>. Each begins with a scenario, and its goal is looked for in the
// recording of what the reader has made of it. Pure functions: tests/browser/live.test.js solves them.
(() => {
"use strict";

// The steps after the one at which `first` is so, or none.
const after = (events, first) => {
  const at = events.findIndex(first);
  return at < 0 ? [] : events.slice(at + 1);
};
const failed = (task) => (it) => it.e === "happened" && it.task === task && it.error;
const accepted = (it) => it.e === "happened" && it.op === "accept" && !it.error;
const isEcho = (it) => it.e === "happened" && it.op === "write" && !it.error;
const echoed = (fd) => (it) => isEcho(it) && it.fd === fd;
// What a client has sent, a character for each byte.
const sent = (moves, client) => moves.filter((it) => it.startsWith(`${client}:send=`))
  .map((it) => it.slice(it.indexOf("=") + 1).replace(/%(..)/g, (_, hex) => String.fromCharCode(parseInt(hex, 16))))
  .join("");

// Between two answers of select, client 3 has sent first, and then the others.
const hasSentFirst = (moves) => moves.join().split(/truth|select=/)
  .map((round) => [...round.matchAll(/(\d+):send=/g)].map((it) => it[1]).join(""))
  .some((it) => /^3(?=.*1)(?=.*2)/.test(it));

// In how many pieces that has been sent which is complete at this step. A try that sends nothing leaves
// as much as there was.
function pieces(events, at) {
  const own = events.slice(0, at).filter((it) => it.task === events[at].task);
  const asked = own.findLastIndex((it) => it.e === "yield");
  return new Set([own[asked].len, ...own.slice(asked).flatMap((it) => it.left ?? [])]).size;
}

// So many clients have connected and have been accepted.
const clients = (count) => Array(count).fill("connect,truth").join(",");

const MISSIONS = [
  {
    id: "echo",
    title: "One echo",
    goal: "Carry one echo through by hand. A client connects, sends something, and gets it back. You are the client, and you are select.",
    hint: "After each thing that a client does, let select return. How often does it have to?",
    why: "It returned three times: a client could be accepted, its bytes could be received, and there was room to send them back. Each time one event happened, and one task went on.",
    start: "",
    isReached: ({ events }) => events.some(isEcho),
  },
  {
    id: "queue",
    title: "Three at once",
    goal: "Three clients are connected. Let all three send before select returns, client 3 first. Predict, and then do it.",
    question: {
      text: "In which order are their tasks on the ready queue?",
      choices: [
        ["In the order in which the clients sent", false, "The scheduler does not know who sent first. It knows only what select says."],
        ["In the order in which select reports their descriptors", true, "Each event happens when its descriptor is looked at, and its task goes to the end of the queue."],
        ["All three are at the front", false, "There is one thread, so one of them runs first."],
      ],
    },
    hint: "Send for client 3, for client 1 and for client 2. Then let select report all three.",
    why: "select says what is ready, not since when. It reports descriptors by their numbers, so task 3 comes first.",
    start: clients(3),
    isReached: ({ events, moves }) => hasSentFirst(moves)
      && after(events, (it) => it.e === "leave" && [5, 6, 7].every((fd) => it.r.includes(fd)))
        .filter((it) => it.e === "resume").slice(0, 3).map((it) => it.task).join() === "3,4,5",
  },
  {
    id: "lie",
    title: "A lie",
    goal: "A client is connected, and has sent nothing. Let select say that it has. What happens to the event?",
    hint: "Tick the descriptor of the client, although it cannot be read, and let select return.",
    why: "The scheduler tries, and recv says WouldBlock. So the event has not happened, and it waits again. The task does not even know.",
    start: clients(1),
    // What waits with something left is a send, and that is no lie.
    isReached: ({ events }) => after(events, (it) => it.e === "not_yet" && it.task === 3 && it.left === undefined)
      .some((it) => it.e === "park" && it.task === 3),
  },
  {
    id: "pieces",
    title: "Three pieces",
    goal: "Make the server send one answer in three pieces.",
    hint: "Before select reports that the descriptor can be written, leave room for one byte. For the next piece the client has to read, so that there is room again.",
    why: "The event counts what has been sent, and waits again for the rest. The task asked once, and is resumed once, when all has been sent.",
    start: clients(1),
    isReached: ({ events }) => events.some((it, at) => isEcho(it) && pieces(events, at) >= 3),
  },
  {
    id: "second",
    title: "Two tasks, one descriptor",
    goal: "One more task runs here: after a second, it wants to accept clients from descriptor 3, too (its code is below). Let it try, and then let a client connect. Who gets it?",
    hint: "Let 1,000 ms pass. What does the second task get? Then connect a client, and let select return.",
    why: "Under a descriptor, the waiting table has room for one task. The second is refused: its event fails at once. The first waits on as if nothing had happened, and gets the client.",
    start: "second",
    isReached: ({ events }) => after(events, failed(3)).some((it) => accepted(it) && it.task === 1),
  },
  {
    id: "full",
    title: "No descriptors left",
    goal: "Client 1 is connected, and client 2 waits to be accepted, but the process has no free descriptor. Show that client 1 is served meanwhile, and that client 2 is accepted later.",
    hint: "Decide that there is no descriptor, and let select report 3. Then let client 1 send, and serve it. At last, let 100 ms pass.",
    why: "Trying again at once would not help, because the client stays in the queue and 3 stays readable. So echo_server sleeps for 100 ms. All other tasks go on.",
    start: `${clients(1)},connect`,
    isReached: ({ events }) => after(after(events, failed(1)), echoed(5)).some(accepted),
  },
  {
    id: "stop",
    title: "Stop, and lose nothing",
    goal: "Press Ctrl-C while bytes of the client are still in the kernel. Bring the server to its end, so that the client gets back all of them.",
    hint: "The client sends, and select does not return before Ctrl-C. Then tell the truth until the server waits for the client: it has to read, and to send no more.",
    why: "After a stop, no task waits for anything new. What the kernel holds already is received and sent back, and the connection is closed when the client has ended, too.",
    start: clients(1),
    isReached: ({ moves, now, at }) => {
      const [client] = now.clients;
      const isLate = at(moves.indexOf("stop")).clients[0]?.to_server;
      const back = client && client.received + client.to_client;
      return moves.includes("stop") && Boolean(isLate) && now.over && !client.reset && back === sent(moves, 1);
    },
  },
  {
    id: "starve",
    title: "Starve the second",
    goal: "Here select tells the truth, and it returns as soon as something is ready: once after each of your decisions. Let client 2 send a line, and try to keep it waiting for its echo, for a hundred decisions. Use client 1, and as many new clients as you like.",
    hint: "Let client 2 send, and then do nothing but send with client 1. How often can you?",
    why: "It could not be kept waiting. select reports all that is ready, each event happens once in a round, and then each ready task runs once. So the second client waits for one turn of each of the others, however much they send.",
    start: clients(2),
    allows: (kind) => /^(connect|\d+:send)$/.test(kind),
    isAutomatic: true,
    isReached: ({ events, moves }) => moves.some((it) => it.startsWith("2:send")) && events.some(echoed(6)),
  },
];

globalThis.LiveMissions = MISSIONS;
})();
