//! The same decisions come to the same end; and whatever is decided, no byte is lost.

use std::time::Duration;

use bricks_in_memory::cli::Options;
use bricks_in_memory::explore::{Failure, NEAR};
use bricks_in_memory::net::Direction::{Read, Write};
use bricks_in_memory::poller::Decision;
use bricks_in_memory::scheduler::event::sleep;
use bricks_in_memory::tasks::{SOURCE, echo_server, stop_on_signal};
use bricks_in_memory::{net, record};
use playback::read::Recording;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{World, has_ended_well, readable, writable};

const CLIENTS: usize = 4;

/// An echo of three seconds and some nanoseconds, and the stop.
fn story() -> Vec<Decision> {
    vec![
        Decision::Connect(0),
        Decision::Pass(Duration::new(1, 23)),
        readable(3),
        Decision::Send(2, b"hello".to_vec()),
        readable(5),
        Decision::Room(2, 3),
        writable(5),
        Decision::Receive(2),
        Decision::Pass(Duration::new(2, 1)),
        writable(5),
        Decision::ShutDown(2),
        Decision::Fail(0, libc::EMFILE),
        Decision::Report(vec![(3, Read), (5, Read)]),
        Decision::TimeOut,
        Decision::Send(1, b"x".to_vec()),
        readable(4),
        Decision::TimeOut,
    ]
}

#[test]
fn the_same_decisions_make_the_same_recording() {
    let first = record(&story(), Options::default());
    assert_eq!(first.matches("resume").count(), 12, "{first}");
    assert!(first.contains(r#""t":3000000024,"#), "{first}");
    net::pass(Duration::from_secs(1)); // it is another time of the day
    assert_eq!(record(&story(), Options::default()), first);
}

#[test]
fn another_decision_makes_another_recording() {
    let first = record(&story(), Options::default());
    let mut other = story();
    other[1] = Decision::Pass(Duration::new(1, 24));
    assert_ne!(record(&other, Options::default()), first);
    let mut other = story();
    other[3] = Decision::Send(2, b"hallo".to_vec());
    assert_ne!(record(&other, Options::default()), first);
}

/// It speaks of the tasks as a recording of a numbered server does.
#[test]
fn a_recording_in_memory_names_the_same_source() {
    let recording = record(&story(), Options::default());
    let file = "src/bin/tasks/mod.rs";
    let header = recording.lines().next().unwrap();
    assert!(header.contains(&format!(r#""src":"{file}","#)), "{header}");
    assert_eq!(include_str!("../../../src/bin/tasks/mod.rs"), SOURCE.1);
    assert!(!recording.contains(r#""file":"#), "all tasks are in that file");
    let recv = 1 + SOURCE.1.lines().position(|line| line.contains(".recv()")).unwrap();
    assert!(recording.contains(&format!(r#""fd":5,"line":{recv}"#)), "{recording}");
}

/// Each step, and what of it can be shown. (Not where in the source it is: that is above.)
#[test]
fn what_a_recording_says() {
    let mut world = World::new();
    let socket = world.script.socket();
    let peer = world.script.peer(0);
    peer.room(3);
    world.submit(async move |co| {
        co.yield_(socket.send(b"hello")).await.unwrap();
        co.yield_(sleep(Duration::from_millis(1))).await;
        co.yield_(socket.close()).await;
    });
    world.decide(&[writable(3)]);
    assert_eq!(peer.receive(), b"hel");
    world.decide(&[writable(3), Decision::TimeOut]);
    peer.shut_down();
    assert!(world.decide(&[readable(3)]));
    assert_eq!(
        steps(world),
        r#"spawn,task:1,name:what_a_recording_says
resume,task:1,with:null
yield,task:1,want:write,fd:3,len:5,data:hello
park,task:1,on:write,fd:3
state,running:1,ready:[],read:[],write:[[3,1]],timer:[],kernel:[]
enter,call:select,r:[],w:[3]
leave,call:select,r:[],w:[3]
call,task:1,call:send,fd:3,len:5,data:hello
not_yet,task:1,left:2
park,task:1,on:write,fd:3
state,running:1,ready:[],read:[],write:[[3,1]],timer:[],kernel:[]
enter,call:select,r:[],w:[3]
state,running:1,ready:[],read:[],write:[[3,1]],timer:[],kernel:[]
enter,call:select,r:[],w:[3]
leave,call:select,r:[],w:[3]
call,task:1,call:send,fd:3,len:2,data:lo
happened,task:1,op:write,fd:3,len:5
resume,task:1,with:5
yield,task:1,want:sleep
park,task:1,on:timer
state,running:1,ready:[],read:[],write:[],timer:[1],kernel:[]
enter,call:select,r:[],w:[],timeout:1000000
leave,call:select,r:[],w:[]
happened,task:1,op:sleep
resume,task:1,with:null
yield,task:1,want:close,fd:3
park,task:1,on:read,fd:3
state,running:1,ready:[],read:[[3,1]],write:[],timer:[],kernel:[]
enter,call:select,r:[3],w:[],timeout:1000000000
state,running:1,ready:[],read:[[3,1]],write:[],timer:[],kernel:[]
enter,call:select,r:[3],w:[],timeout:1000000000
leave,call:select,r:[3],w:[]
call,task:1,call:recv,fd:3
happened,task:1,op:close,fd:3
close,fd:3
resume,task:1,with:null
finish,task:1
"#
    );
}

/// One state for as many steps as there are tasks.
#[test]
fn a_recording_is_not_full_of_states() {
    let mut world = World::new();
    let sockets: Vec<_> = (0..100).map(|_| world.script.socket()).collect();
    for socket in sockets {
        world.submit(async move |co| drop(co.yield_(socket.recv()).await));
    }
    world.decide(&vec![readable(3); 10]);
    let lines = world.recorded();
    let count = |e| lines.iter().filter(|line| line.contains(e)).count();
    assert_eq!((count(r#""e":"enter""#), count(r#""e":"state""#)), (11, 1));
}

/// What has been recorded, after the header, without the lines of the source.
fn steps(world: World) -> String {
    let step = |line: &String| {
        let (_, step) = line.split_once(r#""e":"#).unwrap();
        let step = [r#","file""#, r#","line""#, "}"]
            .iter()
            .fold(step, |step, end| step.split(end).next().unwrap());
        step.replace('"', "") + "\n"
    };
    world.recorded().iter().skip(1).map(step).collect()
}

/// When the exploration finds something wrong, this is what it shows.
#[test]
fn a_failure_is_told_in_words_and_can_be_played() {
    let failure = Failure::new(&NEAR[0], &story(), "nothing, this is a test".into());
    let played = Recording::read(&failure.recording).unwrap();
    assert!(played.has_tasks() && played.fold().is_ok());
    let words = failure.to_string();
    for line in [
        "  1. a client connects\n",
        "  5. the poller says: 5 can be read\n",
        " 15. the signal to stop comes\n",
        "wrong: nothing, this is a test",
    ] {
        assert!(words.contains(line), "{words}");
    }
}

/// Anything that clients, the poller and the clock may do, but for a reset.
fn anything() -> impl Strategy<Value = Decision> {
    let client = || 2..2 + CLIENTS;
    let bytes = prop_oneof![9 => vec(any::<u8>(), 0..50), 1 => vec(any::<u8>(), 5000)];
    let readiness = (3..10, prop_oneof![Just(Read), Just(Write)]);
    prop_oneof![
        4 => (client(), bytes).prop_map(|(to, it)| Decision::Send(to, it)),
        2 => client().prop_map(Decision::Receive),
        1 => (client(), 0..40_usize).prop_map(|(to, room)| Decision::Room(to, room)),
        1 => client().prop_map(Decision::ShutDown),
        8 => vec(readiness, 0..6).prop_map(Decision::Report),
        1 => prop_oneof![Just(libc::EMFILE), Just(libc::ECONNABORTED)]
            .prop_map(|code| Decision::Fail(0, code)),
        1 => (0..200_u64).prop_map(|it| Decision::Pass(Duration::from_millis(it))),
        1 => Just(Decision::TimeOut),
    ]
}

proptest! {
    // A failure is told and not kept: a reader who breaks this for the book keeps a clean tree.
    #![proptest_config(ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// And the recording can be played: each state in it is the one that its steps lead to.
    #[test]
    fn whatever_is_decided_it_is_recorded_the_same(decisions in vec(anything(), 0..60)) {
        let connects = vec![Decision::Connect(0); CLIENTS];
        let decisions = [connects, decisions].concat();
        let first = record(&decisions, Options::default());
        prop_assert_eq!(&record(&decisions, Options::default()), &first);
        let played = Recording::read(&first).and_then(|recording| recording.fold());
        prop_assert!(played.is_ok(), "{:?}", played.err());
    }

    /// Readiness in any order, too early, too late, or a lie; little room; clients that are not
    /// accepted: each gets back its own bytes, all of them, in order.
    #[test]
    fn whatever_is_decided_each_byte_comes_back_once(
        decisions in vec(anything(), 0..120),
        sends_first in any::<bool>(),
    ) {
        let mut world = World::new();
        if sends_first {
            world.script.send_first();
        }
        let (sock, signals) = (world.script.socket(), world.script.socket());
        let handle = world.scheduler.handle();
        let options = Options::default();
        world.scheduler.submit_task(echo_server(sock, handle.clone(), options));
        world.scheduler.submit_task(stop_on_signal(signals, handle));
        world.decide(&vec![Decision::Connect(0); CLIENTS]);
        let clients: Vec<_> = (2..2 + CLIENTS).map(|it| world.script.peer(it)).collect();
        let (mut sent, mut received) = (vec![vec![]; CLIENTS], vec![vec![]; CLIENTS]);
        let mut has_ended = [false; CLIENTS];
        for decision in decisions {
            match &decision {
                Decision::Send(to, bytes) if !has_ended[to - 2] => {
                    sent[to - 2].extend_from_slice(bytes);
                }
                Decision::ShutDown(client) => has_ended[client - 2] = true,
                Decision::Receive(client) => {
                    received[client - 2].extend(clients[client - 2].receive());
                    continue;
                }
                _ => {}
            }
            world.decide(&[decision]);
        }
        // The clients have no more to say, and take what comes.
        for client in &clients {
            client.shut_down();
            client.room(1000);
        }
        for _ in 0..1000 {
            world.decide(&[Decision::TimeOut]);
            world.report_all();
            for (client, received) in clients.iter().zip(&mut received) {
                received.extend(client.receive());
            }
            if clients.iter().all(has_ended_well) {
                break;
            }
        }
        prop_assert!(clients.iter().all(has_ended_well));
        prop_assert_eq!(received, sent);
    }
}
