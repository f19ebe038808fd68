//! From an admitted client to its end, over any transport: opened, attached, welcomed, served, closed. Not who is
//! admitted (`admission`), not the loop (`connection`).

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use switchboard_core::{Attachment, BrokerError, OnDisconnect};
use switchboard_protocol::{
    CloseCode, ErrorCode, Event, Grant, LeaveReason, Secret, Welcome, WelcomeLimits, codec::Codec,
};
use tokio::time::timeout;

use crate::{
    admission::Admitted,
    connection::{Connection, client::Client, end::ConnectionEnd, frame::Frame, transport::Transport},
    ice::{self, IceAnswer},
    limits::ConnectionPermit,
    state::Edge,
};

/// How long the first event may take to leave.
const FIRST_EVENT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that was welcomed.
struct Attached<T, C> {
    transport: T,
    connection: Connection<C>,
    permit: ConnectionPermit,
}

/// The connection's whole life. A future keeps room for its arguments and for its widest step to the end. So the beginning
/// is boxed, and the arguments are in its box.
pub(crate) fn serve<T: Transport, C: Codec>(
    admitted: Box<Admitted>,
    opening: T::Opening,
) -> impl Future<Output = ()> + Send {
    serve_attached(Box::pin(attach::<T, C>(admitted, opening)))
}

async fn serve_attached<T: Transport, C: Codec>(
    attaching: Pin<Box<impl Future<Output = Option<Attached<T, C>>>>>,
) {
    // Taken apart at once: a variable of its own would keep room for the whole a second time.
    let Some(Attached {
        mut transport,
        mut connection,
        permit,
    }) = attaching.await
    else {
        return;
    };
    let end = connection.run(&mut transport).await;
    // Before the close handshake: the peer is free for its next connection at once.
    drop(connection);
    // A connection whose session continues elsewhere has a successor, which needs the place at once.
    let is_replaced = matches!(
        end,
        ConnectionEnd::ByNode(CloseCode::Replaced | CloseCode::Normal)
    );
    let permit = (!is_replaced).then_some(permit);
    Box::pin(transport.close(end)).await;
    drop(permit);
}

async fn attach<T: Transport, C: Codec>(
    admitted: Box<Admitted>,
    opening: T::Opening,
) -> Option<Attached<T, C>> {
    let Admitted {
        edge,
        grant,
        request,
        permit,
        place,
        region,
        address,
        started,
    } = *admitted;
    let gauge = edge.telemetry.connection_opened(T::LABEL);
    let mut transport = T::open(opening).await?;
    let mut codec = C::default();
    let acks = request.acks;
    let attaching = edge.router.attach(&grant.peer, request);
    let (attached, first) = with_first_frame(&mut transport, attaching).await;
    let attachment = match attached {
        Ok(attachment) => attachment,
        Err(error) => {
            tracing::debug!(%error, "a peer could not be attached");
            if let Some(event) = refusal(error) {
                say(&mut transport, &mut codec, &event).await;
            }
            transport.close(ConnectionEnd::ByNode(close_code(error))).await;
            return None;
        }
    };
    let early = match first {
        None => None,
        Some(Ok(Frame::Close(close))) => {
            give_up(attachment, transport, ConnectionEnd::ByClient(close)).await;
            return None;
        }
        Some(Err(end)) => {
            give_up(attachment, transport, end).await;
            return None;
        }
        Some(Ok(frame)) => Some(Box::new(frame)),
    };
    transport.attached(&edge, &attachment);
    let ice = ice::servers(&edge, region, &grant.peer);
    let ice_refresh_at_s = ice.refresh_at_s;
    let welcome = Event::Welcome(Box::new(welcome(&edge, &grant, &attachment, ice)));
    say(&mut transport, &mut codec, &welcome).await?;
    edge.telemetry.connect_seconds(started.elapsed());
    let client =
        Client::new(edge, attachment, grant, codec, acks, address).with_ice(region, ice_refresh_at_s);
    if let Some(code) = client.note_token() {
        // Revoked between the handshake and now: the loop closes it.
        client.session().close(code);
    }
    let connection = Connection::new(client, early, place, gauge);
    Some(Attached {
        transport,
        connection,
        permit,
    })
}

/// The output of `attaching`, and the client's first frame if it came meanwhile. A client waits for `welcome`, so most
/// often this is a client that gives up.
async fn with_first_frame<T: Transport, O>(
    transport: &mut T,
    attaching: impl Future<Output = O>,
) -> (O, Option<Result<Frame, ConnectionEnd>>) {
    let mut first = None;
    let mut attaching = pin!(attaching);
    let output = poll_fn(|cx| {
        if first.is_none()
            && let Poll::Ready(frame) = transport.poll_frame(cx)
        {
            first = Some(frame);
        }
        attaching.as_mut().poll(cx)
    });
    (output.await, first)
}

/// Ends an attempt whose client gave up before `welcome`, however it did so. A session that it wanted to resume stays as
/// it was. Nobody can resume a new one.
async fn give_up<T: Transport>(mut attachment: Attachment, transport: T, end: ConnectionEnd) {
    if !attachment.is_resumed() {
        attachment.on_disconnect(OnDisconnect::End, LeaveReason::Left);
    }
    drop(attachment);
    transport.close(end).await;
}

/// Sends one event; `None` if the client does not take it.
async fn say<T: Transport, C: Codec>(transport: &mut T, codec: &mut C, event: &Event) -> Option<()> {
    transport.write_text(None, |out| codec.write_event(out, event));
    let flushed = poll_fn(|cx| transport.poll_flush(cx));
    timeout(FIRST_EVENT_TIMEOUT, flushed).await.ok()?.ok()
}

/// When a client should come back that the bus did not take, in milliseconds.
const BUS_RETRY_MS: u64 = 2_000;

/// Why a peer is not attached, for its client.
fn refusal(error: BrokerError) -> Option<Event> {
    let (code, message, retry_after_ms) = match error {
        BrokerError::InUse => (
            ErrorCode::NotAllowed,
            "another living connection has this peer ID, and the token says `duplicate: reject`",
            None,
        ),
        BrokerError::Refused | BrokerError::BadCursor | BrokerError::OtherVersion => (
            ErrorCode::BusUnavailable,
            "the bus between nodes takes no new sessions at the moment",
            Some(BUS_RETRY_MS),
        ),
        BrokerError::Unavailable | BrokerError::QueueFull | BrokerError::Unsettled => (
            ErrorCode::BusUnavailable,
            "the bus between nodes cannot be reached at the moment",
            Some(BUS_RETRY_MS),
        ),
        BrokerError::Superseded | BrokerError::NotResumable => return None,
    };
    Some(Event::Error {
        id: None,
        code,
        message: message.into(),
        retry_after_ms,
    })
}

const fn close_code(error: BrokerError) -> CloseCode {
    match error {
        BrokerError::InUse | BrokerError::Superseded => CloseCode::Replaced,
        BrokerError::Unavailable
        | BrokerError::QueueFull
        | BrokerError::Unsettled
        | BrokerError::NotResumable
        | BrokerError::BadCursor
        | BrokerError::OtherVersion
        | BrokerError::Refused => CloseCode::Overloaded,
    }
}

fn welcome(edge: &Edge, grant: &Grant, attachment: &Attachment, ice: IceAnswer) -> Welcome {
    let limits = edge.router.limits();
    let (messages_per_second, message_burst) = attachment.session().account().command_rate();
    let is_resumable = !limits.resume_window.is_zero();
    Welcome {
        peer: grant.peer.peer_id(),
        tenant: grant.peer.tenant_id(),
        session: attachment.session().id().to_string(),
        node: edge.router.node().clone(),
        resumed: attachment.is_resumed(),
        gap: attachment.has_gap(),
        resume_token: if is_resumable {
            attachment.token().to_secret()
        } else {
            Secret::default()
        },
        resume_window_ms: u64::try_from(limits.resume_window.as_millis()).unwrap_or(u64::MAX),
        heartbeat_ms: u64::try_from(limits.heartbeat.as_millis()).unwrap_or(u64::MAX),
        token_expires_at: grant.expires_at,
        limits: WelcomeLimits {
            message_bytes: limits.message_bytes,
            pending_messages: limits.pending_messages,
            pending_bytes: limits.pending_bytes,
            messages_per_second,
            message_burst,
            send_deadline_ms: u64::try_from(limits.send_deadline.as_millis()).unwrap_or(u64::MAX),
            hold_ms: u64::try_from(limits.hold.as_millis()).unwrap_or(u64::MAX),
            rooms_per_peer: limits.rooms_per_peer,
            watched_per_peer: limits.watched_per_peer,
        },
        ice_servers: ice.ice_servers,
        expires_at: ice.expires_at,
    }
}
