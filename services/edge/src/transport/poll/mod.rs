//! Long polling as a transport: each poll takes the events that wait, commands come by `POST /v1/messages`. For networks
//! that stop WebSockets and endless answers.
//!
//! A session stays attached between two polls. Another node relays the polls that it gets.

mod buffer;

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, Method, Uri, header, request::Parts};
use switchboard_core::Attachment;
use switchboard_protocol::{RelayBody, RelayOutcome, ResumeToken, codec::native::Native};
use switchboard_telemetry::Transport as Label;
use tokio::time::timeout;

use crate::{
    admission::{self, query},
    attach,
    commands::{input::InputGuard, relay::RelayError},
    connection::{
        end::ConnectionEnd,
        frame::{Frame, close_frame},
        transport::Transport,
    },
    problem::Problem,
    state::Edge,
    stream::buffered::BytesMoved,
};
use buffer::Batch;
pub(crate) use buffer::PollBuffer;

/// How long a poll waits for events unless it says otherwise, at most; a heartbeat is also a bound. Proxies end requests
/// after 30 s to 60 s.
const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// How long a poll waits for events of another node, at most: a node that dies answers nobody, and its client must get
/// another one soon.
const LONGEST_RELAYED_WAIT: Duration = Duration::from_secs(5);

/// How long the event that tells of the close waits for a poll.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The number of the batch in an answer, for `batch` of the next poll.
pub(crate) const BATCH: HeaderName = HeaderName::from_static("switchboard-batch");

/// `GET /v1/poll`.
pub(crate) async fn poll(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match answer(&edge, &parts).await {
        Ok(batch) => {
            let mut response = batch.frames.into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(BATCH, HeaderValue::from(batch.number));
            response
        }
        Err(problem) => problem.into_response(),
    }
}

/// The events of the session that a poll names, also if another node has it; otherwise those of a new connection.
async fn answer(edge: &Arc<Edge>, parts: &Parts) -> Result<Batch, Problem> {
    if parts.method != Method::GET {
        return Err(Problem::bad_request("bad-handshake", "a poll is a GET"));
    }
    let node = query::node(&parts.uri)?;
    let query = PollQuery::read(&parts.uri, edge.router.limits().heartbeat)?;
    // Without `batch` a client begins a new connection, with its session: it needs a `welcome`.
    if let Some(token) = query.resume.filter(|_| query.batch.is_some()) {
        let verified = admission::verify(edge, parts).await;
        let grant = verified.map_err(|refusal| refusal.counted(edge))?;
        if let Some(buffer) = edge.relay.inputs().events(&token, &grant.peer) {
            return Ok(buffer.poll(query.batch, query.wait).await);
        }
        if let Some(node) = node.filter(|node| node != edge.router.node()) {
            let wait = query.wait.min(LONGEST_RELAYED_WAIT);
            let body = RelayBody::Poll {
                confirmed: query.batch,
                wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            };
            match edge.relay.send(&node, token, &grant.peer, body).await {
                Ok(RelayOutcome::Batch { number, frames }) => {
                    let frames = frames.expose().as_bytes().to_vec();
                    return Ok(Batch { number, frames });
                }
                Ok(RelayOutcome::Busy) | Err(RelayError::Busy) => {
                    let detail = "too many polls wait; come back after Retry-After";
                    return Err(Problem::unavailable("busy", detail));
                }
                // Its node has lost it, or is lost itself: this one takes it.
                Ok(RelayOutcome::NoSession | RelayOutcome::Taken | RelayOutcome::Invalid)
                | Err(RelayError::NoAnswer) => {}
            }
        }
    }
    let admitted = admission::admit(edge, parts, |_| Ok(())).await;
    let (admitted, ()) = admitted.map_err(|refusal| refusal.counted(edge))?;
    let buffer = Arc::<PollBuffer>::default();
    let serving = attach::serve::<Polling, Native>(Box::new(admitted), Arc::clone(&buffer));
    edge.connections.spawn(serving);
    Ok(buffer.poll(query.batch, query.wait).await)
}

/// What a poll asks for, beyond the query of any connection.
struct PollQuery {
    resume: Option<ResumeToken>,
    batch: Option<u64>,
    wait: Duration,
}

impl PollQuery {
    fn read(uri: &Uri, heartbeat: Duration) -> Result<Self, Problem> {
        let number = |name: &'static str| match query::value(uri, name).map(str::parse::<u64>) {
            None => Ok(None),
            Some(Ok(number)) => Ok(Some(number)),
            Some(Err(_)) => Err(Problem::bad_request(
                "bad-handshake",
                format!("`{name}` is a number"),
            )),
        };
        let longest = LONGEST_WAIT.min(heartbeat);
        let wait = number("wait_ms")?.map_or(longest, Duration::from_millis);
        Ok(Self {
            // One of a wrong form is refused when the session is attached.
            resume: query::value(uri, "resume").and_then(|text| ResumeToken::parse(text).ok()),
            batch: number("batch")?,
            wait: wait.min(longest),
        })
    }
}

/// A client that polls.
pub(crate) struct Polling {
    buffer: Arc<PollBuffer>,
    /// Absent before the session is attached.
    input: Option<InputGuard>,
}

impl Transport for Polling {
    const LABEL: Label = Label::Poll;

    type Opening = Arc<PollBuffer>;

    async fn open(buffer: Arc<PollBuffer>) -> Option<Self> {
        Some(Self { buffer, input: None })
    }

    fn attached(&mut self, edge: &Edge, attachment: &Attachment) {
        let events = Some(Arc::clone(&self.buffer));
        let inputs = edge.relay.inputs();
        self.input = Some(inputs.enter(attachment.session(), attachment.token(), events));
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, ConnectionEnd>> {
        // The next poll is a sign of life.
        self.buffer.note(cx);
        let Some(input) = &self.input else {
            return Poll::Pending;
        };
        input.poll(cx).map(Ok)
    }

    fn bytes_moved(&self) -> BytesMoved {
        let (polls, taken) = self.buffer.moved();
        let commands = self.input.as_ref().map_or(0, InputGuard::taken);
        BytesMoved {
            reads: polls.wrapping_add(commands),
            writes: taken,
        }
    }

    fn has_room(&self) -> bool {
        self.buffer.has_room()
    }

    fn write_text(&mut self, _seq: Option<u64>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.buffer.write(write)
    }

    /// Nothing is needed: a client that lives polls again.
    fn write_ping(&mut self) {}

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionEnd>> {
        self.buffer.poll_taken(cx).map(Ok)
    }

    async fn close(self, end: ConnectionEnd) {
        if let Some(frame) = close_frame(end) {
            self.buffer.write(|out| out.extend_from_slice(frame.as_bytes()));
        }
        self.buffer.close();
        let taken = std::future::poll_fn(|cx| self.buffer.poll_taken(cx));
        let _ = timeout(CLOSE_TIMEOUT, taken).await;
    }
}
