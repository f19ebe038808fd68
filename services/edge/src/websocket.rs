//! `GET /v1/ws`: admission, upgrade, attach, welcome – then the connection runs on its own (`connection`).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use futures_util::SinkExt as _;
use hyper::upgrade::OnUpgrade;
use switchboard_core::{AttachRequest, Attachment, BrokerError, CommandGate};
use switchboard_protocol::{
    CloseCode, DuplicatePolicy, ErrorCode, Event, Grant, Secret, Welcome, WelcomeLimits,
};
use switchboard_telemetry::{RefusalReason, Transport};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    Edge, Problem,
    admission::{self, Refusal},
    close,
    connection::Connection,
    state::Place,
    upgrade::{self, Socket},
};

/// How long the rest of an upgrade may take once its `101` is on the way.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers the handshake; a refused one never upgrades.
pub(crate) async fn connect(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let started = Instant::now();
    let (mut parts, _) = request.into_parts();
    let admitted = admit(&edge, &parts).await;
    match admitted {
        Ok((grant, wish, place, response)) => {
            if let Some(on_upgrade) = parts.extensions.remove::<OnUpgrade>() {
                let connecting = Box::new(Connecting {
                    edge: Arc::clone(&edge),
                    grant,
                    wish,
                    place,
                    started,
                });
                edge.connections.spawn(connecting.run(on_upgrade));
            }
            response.into_response()
        }
        Err(refusal) => refusal.told(&edge).into_response(),
    }
}

async fn admit(
    edge: &Arc<Edge>,
    request: &http::request::Parts,
) -> Result<(Grant, AttachRequest, Place, http::Response<axum::body::Body>), Refusal> {
    if edge.is_refusing() {
        let problem = Problem::unavailable("draining", "the node is draining; connect again");
        return Err(Refusal::new(RefusalReason::Draining, problem));
    }
    let response =
        upgrade::accept(request).map_err(|problem| Refusal::new(RefusalReason::BadRequest, problem))?;
    let mut wish = admission::wish(request)?;
    let grant = admission::verify(edge, request).await?;
    wish.reject = grant.duplicate == DuplicatePolicy::Reject;
    // After the token: whoever has none takes no turn from those who have one.
    edge.may_come_in().map_err(|wait| {
        let detail = "more clients connect than limits.connects_per_second; come back after Retry-After";
        let problem = Problem::unavailable("busy", detail).retry_after(wait);
        Refusal::new(RefusalReason::ConnectRate, problem)
    })?;
    let place = edge.take_place().ok_or_else(|| {
        let problem = Problem::unavailable("full", "the node has reached limits.connections; connect again");
        Refusal::new(RefusalReason::Limit, problem)
    })?;
    Ok((grant, wish, place, response))
}

/// A verified client on its way to becoming a connection.
struct Connecting {
    edge: Arc<Edge>,
    grant: Grant,
    wish: AttachRequest,
    place: Place,
    started: Instant,
}

impl Connecting {
    /// The connection's whole life. `self` and its beginning are boxed: a future keeps room for its arguments
    /// and for its widest step to the end.
    async fn run(self: Box<Self>, on_upgrade: OnUpgrade) {
        let Some((mut socket, mut connection, place)) = Box::pin(self.establish(on_upgrade)).await else {
            return;
        };
        let end = connection.run(&mut socket).await;
        drop(connection);
        Box::pin(close::finish(socket, end)).await;
        drop(place);
    }

    async fn establish(self: Box<Self>, on_upgrade: OnUpgrade) -> Option<(Socket, Connection, Place)> {
        let Self {
            edge,
            grant,
            wish,
            place,
            started,
        } = *self;
        let acks = wish.acks;
        let gauge = edge.telemetry.connection_opened(Transport::WebSocket);
        let upgraded = timeout(UPGRADE_TIMEOUT, on_upgrade).await.ok()?.ok()?;
        let limits = Arc::clone(edge.router.limits());
        let mut socket = upgrade::socket(upgraded, limits.message_bytes).await?;
        let attachment = match edge.router.attach(&grant.peer, wish).await {
            Ok(attachment) => attachment,
            Err(error) => {
                let code = match error {
                    BrokerError::InUse => {
                        let why = "another living connection has this peer ID, and the token says `duplicate: reject`";
                        let event = Event::Error {
                            id: None,
                            code: ErrorCode::NotAllowed,
                            message: why.into(),
                            retry_after_ms: None,
                        };
                        let _ = timeout(UPGRADE_TIMEOUT, socket.send(Message::text(event.to_json()))).await;
                        CloseCode::Replaced
                    }
                    BrokerError::Superseded => CloseCode::Replaced,
                    BrokerError::Unavailable
                    | BrokerError::QueueFull
                    | BrokerError::Unsettled
                    | BrokerError::NotResumable
                    | BrokerError::Refused => CloseCode::Overloaded,
                };
                tracing::debug!(%error, "a peer could not be attached");
                close::finish(socket, close::End::Told(code)).await;
                return None;
            }
        };
        let welcome = Event::Welcome(Box::new(welcome(&edge, &grant, &attachment))).to_json();
        timeout(UPGRADE_TIMEOUT, socket.send(Message::text(welcome)))
            .await
            .ok()?
            .ok()?;
        edge.telemetry.connect_seconds(started.elapsed());
        let session = CommandGate::new(grant, &limits);
        let connection = Connection::new(edge, attachment, session, acks, gauge);
        Some((socket, connection, place))
    }
}

fn welcome(edge: &Edge, grant: &Grant, attachment: &Attachment) -> Welcome {
    let limits = edge.router.limits();
    Welcome {
        peer: grant.peer.peer_id(),
        tenant: grant.peer.tenant_id(),
        session: attachment.session().id().to_string(),
        node: edge.router.node().clone(),
        resumed: attachment.is_resumed(),
        gap: attachment.has_gap(),
        resume_token: if limits.resume_window.is_zero() {
            Secret::default()
        } else {
            attachment.token().to_secret()
        },
        resume_window_ms: u64::try_from(limits.resume_window.as_millis()).unwrap_or(u64::MAX),
        heartbeat_ms: u64::try_from(limits.heartbeat.as_millis()).unwrap_or(u64::MAX),
        token_expires_at: grant.expires_at,
        limits: WelcomeLimits {
            message_bytes: limits.message_bytes,
            pending_messages: limits.pending_messages,
            messages_per_second: limits.messages_per_second,
        },
        ice_servers: edge.ice_servers(&grant.peer).ice_servers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of the future that a function makes.
    fn future_bytes<F: Future>(_: fn(Box<Connecting>, OnUpgrade) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_connections_task_stays_small() {
        // Futures inline their widest branch: one rare `await` that is not boxed costs every idle connection.
        let bytes = future_bytes(Connecting::run);
        assert!(bytes <= 1024, "{bytes} bytes");
    }
}
