//! Server-sent events (HTML, section 9.2) as a transport: events go out on a `200` that never ends, commands come by
//! `POST /v1/messages`. For networks that let no WebSocket through.
//!
//! The `id` of an event is `<seq>.<resume token>`, so the browser's own reconnect is a resume.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use switchboard_core::Attachment;
use switchboard_protocol::{ResumeToken, codec::native::Native};
use switchboard_telemetry::Transport as Label;
use tokio::time::timeout;

use crate::{
    admission, attach,
    commands::input::InputGuard,
    connection::{
        end::ConnectionEnd,
        frame::{Frame, close_frame},
        transport::Transport,
    },
    problem::Problem,
    state::Edge,
    stream::buffered::{BufferedStream, BytesMoved},
    takeover::Takeover,
};

/// How long the head of the answer, and the event that tells of the close, may take to leave.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// How soon a browser reconnects by itself, in milliseconds.
const RECONNECT_MS: u32 = 2_000;

/// A browser repeats the `id` of the newest event when it reconnects (HTML, section 9.2.4).
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What keeps proxies from collecting events: nginx does so by default.
const ANSWER_HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_TYPE, "text/event-stream"),
    (header::CACHE_CONTROL, "no-store, no-transform"),
    (header::CONNECTION, "close"),
    (HeaderName::from_static("x-accel-buffering"), "no"),
];

/// `GET /v1/events`.
pub(crate) async fn connect(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match admission::admit(&edge, &parts, accept).await {
        Ok((mut admitted, mut response)) => {
            if let Some(resume) = last_event(&parts.headers) {
                admitted.request.resume = Some(resume);
            }
            let give_up_after = edge.router.limits().heartbeat * 2;
            let admitted = Box::new(admitted);
            response.extensions_mut().insert(Takeover::new(move |stream| {
                let opening = Opening {
                    stream,
                    give_up_after,
                };
                let connections = edge.connections.clone();
                connections.spawn(attach::serve::<Sse, Native>(admitted, opening));
            }));
            response
        }
        Err(refusal) => refusal.counted(&edge).into_response(),
    }
}

fn accept(request: &Parts) -> Result<Response, Problem> {
    if request.method != Method::GET {
        // Routes answer HEAD with the answer to GET, and this one never ends.
        return Err(Problem::bad_request("bad-handshake", "events come by GET"));
    }
    let mut response = (StatusCode::OK, Body::empty()).into_response();
    let headers = ANSWER_HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value)));
    response.headers_mut().extend(headers);
    Ok(response)
}

/// The session to resume, and the number of the newest message that the browser has of it.
fn last_event(headers: &HeaderMap) -> Option<(ResumeToken, u64)> {
    let (seq, token) = headers.get(LAST_EVENT_ID)?.to_str().ok()?.split_once('.')?;
    Some((ResumeToken::parse(token).ok()?, seq.parse().ok()?))
}

/// A connection whose `200` waits in the buffer of its stream.
pub(crate) struct Opening {
    stream: BufferedStream,
    /// How long the client's kernel may acknowledge nothing.
    give_up_after: Duration,
}

/// Events straight on their stream.
pub(crate) struct Sse {
    stream: BufferedStream,
    /// Absent before the session is attached.
    input: Option<(InputGuard, ResumeToken)>,
    seq: u64,
}

impl Transport for Sse {
    const LABEL: Label = Label::Sse;

    type Opening = Opening;

    async fn open(opening: Opening) -> Option<Self> {
        let mut stream = opening.stream;
        // A client answers no ping here; its kernel must acknowledge what carries them.
        stream.stream().give_up_after(opening.give_up_after);
        let retry = format!("retry: {RECONNECT_MS}\n\n");
        stream.gathered().extend_from_slice(retry.as_bytes());
        timeout(FLUSH_TIMEOUT, stream.flush()).await.ok()?.ok()?;
        Some(Self {
            stream,
            input: None,
            seq: 0,
        })
    }

    fn attached(&mut self, edge: &Edge, attachment: &Attachment) {
        let token = attachment.token();
        let inputs = edge.relay.inputs();
        self.input = Some((inputs.enter(attachment.session(), token, None), token));
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, ConnectionEnd>> {
        if let Some((input, _)) = &self.input
            && let Poll::Ready(frame) = input.poll(cx)
        {
            return Poll::Ready(Ok(frame));
        }
        // The request has no body and none follows it: bytes are as wrong as the end.
        let _ = ready!(self.stream.poll_take(cx, |bytes| (bytes.len(), Some(()))));
        Poll::Ready(Err(ConnectionEnd::Lost))
    }

    fn bytes_moved(&self) -> BytesMoved {
        let moved = self.stream.moved();
        let commands = self.input.as_ref().map_or(0, |(input, _)| input.taken());
        BytesMoved {
            // Bytes that the kernel takes are the only answer to a ping.
            reads: commands.wrapping_add(moved.writes),
            writes: moved.writes,
        }
    }

    fn has_room(&self) -> bool {
        self.stream.has_room()
    }

    fn write_text(&mut self, seq: Option<u64>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.seq = seq.unwrap_or(self.seq);
        let out = self.stream.gathered();
        if let Some((_, token)) = &self.input {
            let id = format!("id: {}.{}\n", self.seq, token.to_secret().expose());
            out.extend_from_slice(id.as_bytes());
        }
        out.extend_from_slice(b"data: ");
        let start = out.len();
        write(out);
        let bytes = out.len() - start;
        break_lines(out, start);
        out.extend_from_slice(b"\n\n");
        bytes
    }

    fn write_ping(&mut self) {
        self.stream.gathered().extend_from_slice(b":\n\n");
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionEnd>> {
        self.stream.poll_flush(cx).map_err(|_| ConnectionEnd::Lost)
    }

    async fn close(mut self, end: ConnectionEnd) {
        self.input = None;
        if let Some(frame) = close_frame(end) {
            let event = format!("event: close\ndata: {frame}\n\n");
            self.stream.gathered().extend_from_slice(event.as_bytes());
        }
        let _ = timeout(FLUSH_TIMEOUT, self.stream.shutdown()).await;
    }
}

/// Gives each line of the text from `start` on a field of its own: a payload may have line breaks between its tokens. The
/// browser puts `\n` between them again.
fn break_lines(out: &mut Vec<u8>, start: usize) {
    let text = out.get(start..).unwrap_or_default();
    if !text.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return;
    }
    let lines: Vec<&[u8]> = text.split(|byte| matches!(byte, b'\n' | b'\r')).collect();
    let lines = lines.join(&b"\ndata: "[..]);
    out.truncate(start);
    out.extend_from_slice(&lines);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_of_several_lines_stays_one_event() {
        for (text, data) in [
            ("{\"a\":1}", "{\"a\":1}"),
            ("{\n\"a\":\r\n1}", "{\ndata: \"a\":\ndata: \ndata: 1}"),
        ] {
            let mut out = b"data: ".to_vec();
            out.extend_from_slice(text.as_bytes());
            break_lines(&mut out, 6);
            assert_eq!(String::from_utf8(out).unwrap(), format!("data: {data}"));
        }
    }

    #[test]
    fn the_id_of_the_last_event_is_a_resume() {
        let token = ResumeToken::new(switchboard_protocol::SessionId::from_bytes([7; 12]), [9; 16]);
        let headers = |id: &str| HeaderMap::from_iter([(LAST_EVENT_ID, id.parse().unwrap())]);
        let id = format!("41.{}", token.to_secret().expose());
        assert_eq!(last_event(&headers(&id)), Some((token, 41)));
        for other in ["", "41", "41.x", "x.y.z", "-1.a.b"] {
            assert_eq!(last_event(&headers(other)), None, "{other}");
        }
    }
}
