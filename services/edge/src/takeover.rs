//! A request whose answer takes the HTTP connection over: from then on the transport has the bare stream, without hyper's
//! buffers and without a virtual call per read. WebSocket begins with a `101`, server-sent events with a `200` that never
//! ends. Not which request may (`admission`).

use std::{future::poll_fn, sync::Arc, time::Duration};

use axum::response::Response;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, header};
use hyper::{body::Incoming, server::conn::http1, service::Service};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{io::AsyncWriteExt as _, time::timeout};

use crate::stream::{Stream, buffered::BufferedStream};

/// How long a stream may take to close after the last answer of its connection.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// An HTTP connection whose requests may take it over.
pub(crate) type HttpStream = http1::Connection<TokioIo<Stream>, Requests>;

type Job = Box<dyn FnOnce(BufferedStream) + Send>;

/// In the extensions of an answer: who gets the stream.
#[derive(Clone)]
pub(crate) struct Takeover(Arc<Mutex<Option<Job>>>);

impl Takeover {
    /// `job` gets the stream, in whose buffer the head of the answer waits. It must not block.
    pub(crate) fn new(job: impl FnOnce(BufferedStream) + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(job)))))
    }
}

/// What a connection's service returns instead of an answer that takes the connection over: hyper must write nothing.
#[derive(Debug, thiserror::Error)]
#[error("a transport takes the connection over")]
pub(crate) struct TakenOver;

/// What was promised a connection: the head of the answer, and who gets the stream.
type Promise = Arc<Mutex<Option<(Vec<u8>, Job)>>>;

/// The requests of one HTTP connection.
pub(crate) struct Requests {
    answer: Box<dyn Fn(Request<Incoming>) -> BoxFuture<'static, Response> + Send + Sync>,
    promise: Promise,
}

impl Requests {
    /// `answer` answers each request.
    pub(crate) fn new(
        answer: impl Fn(Request<Incoming>) -> BoxFuture<'static, Response> + Send + Sync + 'static,
    ) -> Self {
        Self {
            answer: Box::new(answer),
            promise: Promise::default(),
        }
    }
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response;
    type Error = TakenOver;
    type Future = BoxFuture<'static, Result<Response, TakenOver>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (answering, promise) = ((self.answer)(request), Arc::clone(&self.promise));
        Box::pin(async move {
            let mut answer = answering.await;
            let takeover = answer.extensions_mut().remove::<Takeover>();
            let Some(job) = takeover.and_then(|takeover| takeover.0.lock().take()) else {
                return Ok(answer);
            };
            *promise.lock() = Some((head(&answer), job));
            Err(TakenOver)
        })
    }
}

/// Runs a connection up to its last answer. An error may be [`TakenOver`].
pub(crate) async fn run(connection: &mut HttpStream) -> hyper::Result<()> {
    poll_fn(|cx| connection.poll_without_shutdown(cx)).await
}

/// Ends a connection that has run: its stream goes to whom it was promised, or is closed. The bytes that were read and not
/// understood.
pub(crate) async fn finish(connection: HttpStream) -> Bytes {
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    let promised = parts.service.promise.lock().take();
    match promised {
        Some((head, job)) => hand_over(stream, head, &parts.read_buf, job),
        None => {
            let _ = timeout(SHUTDOWN_TIMEOUT, stream.shutdown()).await;
        }
    }
    parts.read_buf
}

/// A client that gave up on a frozen node has its peer elsewhere by now and must not lose it to this node.
fn hand_over(stream: Stream, head: Vec<u8>, ahead: &Bytes, job: Job) {
    if stream.has_hung_up() {
        return;
    }
    let mut stream = BufferedStream::new(stream, ahead.to_vec());
    *stream.gathered() = head;
    job(stream);
}

/// The head of an answer as it is written (RFC 9112, section 4). Its body has no length: it ends with the connection.
fn head(answer: &Response) -> Vec<u8> {
    let status = answer.status();
    let mut out = format!(
        "HTTP/1.1 {} {}\r\n",
        status.as_str(),
        status.canonical_reason().unwrap_or_default()
    )
    .into_bytes();
    let headers = answer.headers().iter();
    for (name, value) in headers.filter(|(name, _)| *name != header::CONTENT_LENGTH) {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}
