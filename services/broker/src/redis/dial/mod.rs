//! The one way to a Redis server: its name is looked up, TCP connects, TLS begins, and `HELLO` tells who calls. Publisher,
//! subscriber, pool and Sentinel's watcher go on from there. Not where the server is (`endpoint`), and not the commands
//! that follow.

mod deferred;
mod hello;
mod resolve;
mod stream;
mod tcp;

use std::sync::Arc;

use redis::{
    AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo, RedisError, aio::MultiplexedConnection,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;

use super::endpoint::{Access, Address, Endpoint};
use deferred::DeferredStream;
pub(crate) use deferred::Reads;
pub(crate) use hello::Conversation;
use resolve::RESOLVER;
pub(crate) use stream::Stream;

/// An authenticated connection, and where it leads.
pub(crate) struct Dialled<S = Stream> {
    pub(crate) stream: S,
    pub(crate) address: Address,
    release: String,
    access: Arc<Access>,
}

/// A connection for commands.
pub(crate) struct CommandConnection {
    pub(crate) commands: MultiplexedConnection,
    /// How answers are read, where the caller decides about it.
    pub(crate) reads: Option<Reads>,
    /// What answers, for people: `valkey 8.1.8`.
    pub(crate) release: String,
    address: Address,
    access: Arc<Access>,
    /// Without it nothing is sent or received.
    _driver: AbortOnDropHandle<()>,
}

impl CommandConnection {
    /// Whether a new connection would be one to the same server, with the same access.
    pub(crate) fn is_current(&self, endpoint: &Endpoint) -> bool {
        Arc::ptr_eq(&self.access, &endpoint.access()) && endpoint.leads_to(&self.address)
    }
}

/// Connects within the endpoint's time limit; the error is for people.
pub(crate) async fn dial(endpoint: &Endpoint) -> Result<Dialled, String> {
    let address = endpoint.locate().await?;
    let access = endpoint.access();
    let opened = open(endpoint, &address, &access, "2").await;
    let opened = opened.and_then(|(conversation, release)| Ok((conversation.into_stream()?, release)));
    let (stream, release) = opened.map_err(|why| format!("Redis at {address} {why}"))?;
    Ok(Dialled {
        stream,
        address,
        release,
        access,
    })
}

/// Connects for questions, in RESP3: answers and pushes come over one connection. The error is for people.
pub(crate) async fn dial_for_questions(endpoint: &Endpoint) -> Result<Conversation<Stream>, String> {
    let address = endpoint.locate().await?;
    let opened = open(endpoint, &address, &endpoint.access(), "3").await;
    let (conversation, _) = opened.map_err(|why| format!("{address} {why}"))?;
    Ok(conversation)
}

/// Connects for commands; the error is for people.
pub(crate) async fn dial_for_commands(endpoint: &Endpoint) -> Result<CommandConnection, String> {
    begin_commands(endpoint, dial(endpoint).await?, None).await
}

/// Connects for commands with answers that nobody waits for; the error is for people. With TLS all answers wake the reader.
pub(crate) async fn dial_for_publisher(endpoint: &Endpoint) -> Result<CommandConnection, String> {
    let dialled = dial(endpoint).await?;
    let Stream::Tcp(stream) = dialled.stream else {
        return begin_commands(endpoint, dialled, None).await;
    };
    let deferred = DeferredStream::new(stream);
    let (stream, reads) =
        deferred.map_err(|error| format!("Redis at {} cannot be used: {error}", dialled.address))?;
    let dialled = Dialled {
        stream,
        address: dialled.address,
        release: dialled.release,
        access: dialled.access,
    };
    begin_commands(endpoint, dialled, Some(reads)).await
}

async fn begin_commands<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    endpoint: &Endpoint,
    dialled: Dialled<S>,
    reads: Option<Reads>,
) -> Result<CommandConnection, String> {
    let Dialled {
        stream,
        address,
        release,
        access,
    } = dialled;
    let settings = RedisConnectionInfo::default()
        .set_db(endpoint.database)
        .set_protocol(ProtocolVersion::RESP2)
        // CLIENT SETINFO needs a right that nothing else needs, and Redis would count a refusal for each connection.
        .set_skip_set_lib_name();
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(endpoint.response_timeout));
    let begin = MultiplexedConnection::new_with_config(&settings, stream, config);
    let (commands, driver) = timeout(endpoint.connect_timeout, begin)
        .await
        .map_err(|_| format!("Redis at {address} does not answer"))?
        .map_err(|error: RedisError| format!("Redis at {address} cannot be used: {error}"))?;
    Ok(CommandConnection {
        commands,
        reads,
        release,
        address,
        access,
        _driver: AbortOnDropHandle::new(tokio::spawn(driver)),
    })
}

/// The conversation, and what answers. The error continues "Redis at …".
async fn open(
    endpoint: &Endpoint,
    address: &Address,
    access: &Access,
    protocol: &str,
) -> Result<(Conversation<Stream>, String), String> {
    let deadline = Instant::now() + endpoint.connect_timeout;
    let addresses = RESOLVER.resolve(address, deadline).await?;
    let tcp = tcp::connect(&addresses, deadline).await?;
    let greeted = async {
        let stream = Stream::begin(tcp, &address.host, access.tls.as_ref()).await?;
        let mut conversation = Conversation::new(stream);
        let release = hello::greet(&mut conversation, protocol, access, endpoint.kind).await?;
        Ok((conversation, release))
    };
    match timeout_at(deadline, greeted).await {
        Ok(outcome) => outcome,
        Err(_) => Err("accepts connections and does not answer".to_owned()),
    }
}
