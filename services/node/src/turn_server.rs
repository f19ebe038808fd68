//! STUN and TURN inside `switchboard dev`, on loopback only, so that a demo call uses ICE as a real one does. Not for
//! production: use coturn there.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use switchboard_auth::TurnMinter;
use switchboard_protocol::{PeerId, Secret};
use tokio::net::UdpSocket;
use turn::{
    Error,
    auth::{AuthHandler, generate_auth_key},
    relay::relay_static::RelayAddressGeneratorStatic,
    server::{
        Server,
        config::{ConnConfig, ServerConfig},
    },
};
use webrtc_util::vnet::net::Net;

const REALM: &str = "switchboard.dev";

/// A running server; it stops with [`TurnServer::stop`].
pub(crate) struct TurnServer {
    server: Server,
    address: SocketAddr,
}

impl TurnServer {
    /// Listens on `listen` (UDP) and accepts the credentials that `secret` makes.
    pub(crate) async fn start(listen: SocketAddr, secret: Secret) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind(listen)
            .await
            .with_context(|| format!("{listen} (UDP) is taken"))?;
        let address = socket.local_addr()?;
        let relay = RelayAddressGeneratorStatic {
            relay_address: address.ip(),
            address: address.ip().to_string(),
            net: Arc::new(Net::new(None)),
        };
        let server = Server::new(ServerConfig {
            conn_configs: vec![ConnConfig {
                conn: Arc::new(socket),
                relay_addr_generator: Box::new(relay),
            }],
            realm: REALM.to_owned(),
            auth_handler: Arc::new(Ephemeral { secret }),
            // Zero takes the library's default of ten minutes (RFC 8656, section 12).
            channel_bind_timeout: Duration::ZERO,
            alloc_close_notify: None,
        })
        .await?;
        Ok(Self { server, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn stop(self) {
        if let Err(error) = self.server.close().await {
            tracing::debug!(%error, "the embedded TURN server did not close cleanly");
        }
    }
}

/// Checks `<unix expiry>:<peer>` credentials.
struct Ephemeral {
    secret: Secret,
}

impl AuthHandler for Ephemeral {
    fn auth_handle(&self, username: &str, realm: &str, _: SocketAddr) -> Result<Vec<u8>, Error> {
        let now_s = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let (expires_at, peer) = username.split_once(':').ok_or(Error::ErrNoSuchUser)?;
        let expires_at: u64 = expires_at.parse().map_err(|_| Error::ErrNoSuchUser)?;
        let peer = PeerId::new(peer).map_err(|_| Error::ErrNoSuchUser)?;
        if expires_at <= now_s {
            return Err(Error::ErrNoSuchUser);
        }
        // Minted again for the same expiry, the credentials are the same.
        let credentials = TurnMinter::new(&self.secret, 0).credentials(&peer, expires_at);
        Ok(generate_auth_key(
            username,
            realm,
            credentials.credential.expose(),
        ))
    }
}
