//! Floods of HTTP/2 frames. Each ends the connection that sends it, or costs nothing but being read.

use std::fmt;

use super::Siege;
use super::wire::flood;

/// The most that the server may grow by while all of them flood.
const GROWTH_KIB_MAX: u64 = 32 * 1024;
/// Frames of a flood, when nobody stops it.
const FRAMES: usize = 20_000;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const NONE: u8 = 0;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `GET /healthz` for the host `x`, in the words of HPACK's static table and two literals.
const GET_HEALTH: &[u8] = b"\x82\x86\x04\x08/healthz\x01\x01x";

/// Why a connection ended, as the server's GOAWAY says; RFC 9113, section 7.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Not by the server: it read everything.
    No,
    /// By a GOAWAY with this code.
    Away(u32),
}

const PROTOCOL_ERROR: Ended = Ended::Away(1);
const ENHANCE_YOUR_CALM: Ended = Ended::Away(11);

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("everything was read"),
            Self::Away(code) => write!(f, "GOAWAY {code}"),
        }
    }
}

/// A flood: the frames of its turn with that number, and how it ends.
struct Case {
    name: &'static str,
    turn: fn(usize) -> Vec<u8>,
    ended: Ended,
}

fn frame(kind: u8, flags: u8, stream: usize, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let stream = u32::try_from(stream).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream, payload].concat()
}

/// The stream of a turn: clients open those with odd numbers.
const fn stream(turn: usize) -> usize {
    2 * turn + 1
}

const CASES: &[Case] = &[
    Case {
        name: "streams that are reset as soon as they are opened",
        turn: |turn| {
            let open = frame(HEADERS, END_HEADERS | END_STREAM, stream(turn), GET_HEALTH);
            [open, frame(RST_STREAM, NONE, stream(turn), &[0, 0, 0, 8])].concat()
        },
        ended: ENHANCE_YOUR_CALM,
    },
    Case {
        name: "streams that are opened and never ended",
        turn: |turn| frame(HEADERS, END_HEADERS, stream(turn), GET_HEALTH),
        ended: ENHANCE_YOUR_CALM,
    },
    Case {
        name: "headers that go on without end",
        turn: |turn| match turn {
            0 => frame(HEADERS, NONE, 1, GET_HEALTH),
            _ => frame(CONTINUATION, NONE, 1, b"\x00\x01a\x01b".repeat(500).as_slice()),
        },
        ended: ENHANCE_YOUR_CALM,
    },
    Case {
        name: "empty pieces of headers without end",
        turn: |turn| match turn {
            0 => frame(HEADERS, NONE, 1, GET_HEALTH),
            _ => frame(CONTINUATION, NONE, 1, b""),
        },
        ended: ENHANCE_YOUR_CALM,
    },
    Case {
        name: "a table of headers that one byte repeats",
        turn: |turn| {
            let entry = [&b"\x40\x01a\x7f\x81\x1e"[..], &[b'x'; 4_000]].concat(); // into the table: a value of 4,000 bytes
            let block = [GET_HEALTH, &entry, &[0xbe; 12_000]].concat(); // and again, 12,000 times
            frame(HEADERS, END_HEADERS | END_STREAM, stream(turn), &block)
        },
        ended: ENHANCE_YOUR_CALM,
    },
    Case {
        name: "settings",
        turn: |_| frame(SETTINGS, NONE, 0, &[0, 3, 0, 0, 0, 100]).repeat(20),
        ended: Ended::No,
    },
    Case {
        name: "pings",
        turn: |_| frame(PING, NONE, 0, b"12345678").repeat(20),
        ended: Ended::No,
    },
    Case {
        name: "priorities of streams that are not there",
        turn: |turn| frame(PRIORITY, NONE, stream(turn), &[0, 0, 0, 0, 1]).repeat(20),
        ended: Ended::No,
    },
    Case {
        name: "a window that overflows",
        turn: |_| frame(WINDOW_UPDATE, NONE, 0, &[0x7f, 0xff, 0xff, 0xff]),
        ended: Ended::Away(3),
    },
    Case {
        name: "empty data without end",
        turn: |turn| match turn {
            0 => frame(HEADERS, END_HEADERS, 1, GET_HEALTH),
            _ => frame(DATA, NONE, 1, b"").repeat(20),
        },
        ended: ENHANCE_YOUR_CALM,
    },
    Case {
        name: "data of no stream",
        turn: |_| frame(DATA, NONE, 1, b"hello"),
        ended: PROTOCOL_ERROR,
    },
];

/// How a connection ended, from the frames that the server sent.
fn ended(mut frames: &[u8]) -> Ended {
    while let Some((head, rest)) = frames.split_at_checked(9) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let Some((payload, rest)) = rest.split_at_checked(length) else {
            break;
        };
        let code = payload.get(4..8).map(|code| u32::from_be_bytes(code.try_into().unwrap()));
        if let Some(code) = code.filter(|code| head[3] == GOAWAY && *code != 0) {
            return Ended::Away(code);
        }
        frames = rest;
    }
    Ended::No
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_frames_end_their_own_connection_and_nothing_else() {
    let siege = Siege::begin(&[]).await;
    let mut wrong = Vec::new();
    for case in CASES {
        let preface = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, NONE, 0, b"")].concat();
        let mut turns = std::iter::once(preface).chain((0..FRAMES).map(case.turn));
        let (answer, sent) = flood(&siege.server, || turns.next()).await;
        let ended = ended(&answer);
        println!("{}: {ended:?} after {sent} bytes, {} answered", case.name, answer.len());
        if ended != case.ended {
            wrong.push(format!("{}: {ended:?} instead of {:?}", case.name, case.ended));
        }
    }
    println!("{}", siege.end("floods of frames", GROWTH_KIB_MAX).await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
