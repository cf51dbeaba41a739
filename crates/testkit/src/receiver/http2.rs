//! HTTP/2: the library's for the ordinary, frames by hand for a connection that is cut short.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tidings_runtime::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::{Behaviour, Received, Shared};

/// Serves requests until the client leaves.
pub(super) async fn serve(tls: TlsStream<TcpStream>, shared: &Arc<Shared>, number: usize) -> io::Result<()> {
    if shared.script.always_goes_away() {
        return go_away(tls).await;
    }
    let service = service_fn(|request| {
        let shared = Arc::clone(shared);
        async move { Ok::<_, Infallible>(answer(request, &shared, number).await) }
    });
    let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(tls), service);
    serving.await.map_err(io::Error::other)
}

async fn answer(request: Request<Incoming>, shared: &Shared, number: usize) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Response::default();
    }; // the client left
    let headers = head.headers.iter();
    let received = Received {
        method: head.method.to_string(),
        path: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: body.to_bytes(),
        at: shared.clock.now(),
        connection: number,
    };
    let behaviour = shared.script.take(&received.path);
    shared.record(received);
    match behaviour {
        Behaviour::Reply { status, headers, body } => reply(status, &headers, body),
        Behaviour::Stall => std::future::pending().await,
        Behaviour::Huge(bytes) => reply(200, &[], Bytes::from(vec![b'x'; bytes])),
        Behaviour::ManyHeaders(count) => {
            let headers: Vec<_> = (0..count).map(|number| (format!("x-{number}"), "v".to_owned())).collect();
            reply(200, &headers, Bytes::new())
        }
        other => panic!("the receiver cannot do {other:?} in HTTP/2"),
    }
}

fn reply(status: u16, headers: &[(String, String)], body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response
        .body(Full::new(body))
        .expect("the test gives a status and headers that exist")
}

/// Length, type, flags and stream of a frame, before its payload.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("the frames sent here are short");
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// Waits for the first request, begins a reply, and ends the connection.
async fn go_away(mut tls: TlsStream<TcpStream>) -> io::Result<()> {
    const HEADERS: u8 = 1;
    let mut preface = [0; 24];
    tls.read_exact(&mut preface).await?;
    tls.write_all(&frame(4, 0, 0, &[])).await?; // SETTINGS
    loop {
        let mut head = [0; 9];
        tls.read_exact(&mut head).await?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        tls.read_exact(&mut vec![0; length]).await?;
        if head[3] == HEADERS {
            break;
        }
    }
    tls.write_all(&frame(HEADERS, 4, 1, &[0x88])).await?; // END_HEADERS, :status 200
    tls.write_all(&frame(0, 0, 1, b"half of")).await?; // DATA
    tls.write_all(&frame(7, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 2])).await?; // GOAWAY, no stream counts: INTERNAL_ERROR
    tls.shutdown().await
}
