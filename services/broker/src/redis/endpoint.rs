//! Where one Redis server is, and what every connection to it is made with. Not how a connection is made (`dial`), and not
//! what a user may configure (`config`).

use std::{fmt, sync::Arc, time::Duration};

use parking_lot::RwLock;
use rustls::ClientConfig;
use switchboard_protocol::Secret;
use tokio::sync::watch;

use crate::keys::Names;

/// Host and port of one server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    /// A name, or an IP address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

#[cfg(test)]
impl Address {
    /// The usual port of this host.
    pub(crate) fn of(host: &str) -> Self {
        let (host, port) = (host.to_owned(), 6379);
        Self { host, port }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Who says where a server is.
#[derive(Debug, Clone)]
pub(crate) enum Location {
    /// The configuration.
    Fixed(Address),
    /// The map of a cluster, which may change it at run time.
    Assigned(Assigned),
}

/// An address that changes while connections use it. Clones share it. None: nobody has said yet where the server is. An error
/// says why nobody knows, for people.
#[derive(Debug, Clone)]
pub(crate) struct Assigned(watch::Sender<Option<Result<Address, String>>>);

impl Default for Assigned {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Assigned {
    /// The next dial goes there. Open connections stay. Returns where the server was before.
    pub(crate) fn set(&self, address: Address) -> Option<Address> {
        self.0.send_replace(Some(Ok(address))).and_then(Result::ok)
    }

    /// Why no address is known, for people; has no effect once one is known.
    pub(crate) fn set_unknown(&self, why: String) {
        self.0.send_if_modified(|place| {
            let is_unknown = !matches!(place, Some(Ok(_)));
            if is_unknown {
                *place = Some(Err(why));
            }
            is_unknown
        });
    }

    /// The address; the error is for people, before the first one is set.
    pub(crate) fn get(&self) -> Result<Address, String> {
        let place = self.0.borrow().clone();
        place.unwrap_or_else(|| Err("nobody has named the server yet".to_owned()))
    }

    /// Waits until somebody has said where the server is, or why nobody knows.
    async fn decided(&self) {
        // The sender is this value's own, so it is there.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }
}

/// What a server must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A master that belongs to no Redis Cluster.
    Master,
    /// A master of a Redis Cluster.
    ClusterMaster,
    /// Any server of a Redis Cluster: it knows the map.
    ClusterMember,
    /// It knows where the master is.
    Sentinel,
}

/// Who the node is to Redis, and whom it trusts.
#[derive(Default, Clone)]
pub(crate) struct Access {
    /// `default` without one.
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    /// `None`: without TLS.
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("username", &self.username)
            .field("is_tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

/// One server. Clones, and endpoints made of it with [`Endpoint::at`], share the access.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    location: Location,
    pub(crate) kind: Kind,
    pub(crate) names: Names,
    pub(crate) database: i64,
    pub(crate) memory_watermark: f64,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    access: Arc<RwLock<Arc<Access>>>,
}

/// The settings that all servers of a cluster share.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) memory_watermark: f64,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
}

impl Endpoint {
    pub(crate) fn new(
        location: Location,
        kind: Kind,
        names: Names,
        database: i64,
        access: Access,
        settings: &Settings,
    ) -> Self {
        Self {
            location,
            kind,
            names,
            database,
            memory_watermark: settings.memory_watermark,
            connect_timeout: settings.connect_timeout,
            response_timeout: settings.response_timeout,
            access: Arc::new(RwLock::new(Arc::new(access))),
        }
    }

    #[allow(dead_code, reason = "for topologies whose servers move")]
    /// Another server with the same settings; it shares the access. In a Redis Cluster it must be a master.
    pub(crate) fn at(&self, location: Location, names: Names) -> Self {
        let kind = match self.kind {
            Kind::ClusterMember => Kind::ClusterMaster,
            kind @ (Kind::Master | Kind::ClusterMaster | Kind::Sentinel) => kind,
        };
        Self {
            location,
            kind,
            names,
            ..self.clone()
        }
    }

    /// The place that is assigned at run time, if it is.
    pub(crate) fn place(&self) -> Option<Assigned> {
        match &self.location {
            Location::Fixed(_) => None,
            Location::Assigned(assigned) => Some(assigned.clone()),
        }
    }

    /// Waits until it makes sense to dial: at the start it takes a moment until it is known where a server is.
    pub(crate) async fn decided(&self) {
        match &self.location {
            Location::Fixed(_) => {}
            Location::Assigned(assigned) => assigned.decided().await,
        }
    }

    /// Where the next connection goes. Asked at each dial: the answer may change.
    ///
    /// # Errors
    /// Why nobody knows, for people.
    pub(crate) async fn locate(&self) -> Result<Address, String> {
        match &self.location {
            Location::Fixed(address) => Ok(address.clone()),
            Location::Assigned(assigned) => assigned.get(),
        }
    }

    /// Whether a connection to `address` is still one to this server, as far as is known without asking.
    pub(crate) fn leads_to(&self, address: &Address) -> bool {
        match &self.location {
            Location::Fixed(fixed) => fixed == address,
            Location::Assigned(assigned) => assigned.get().as_ref() == Ok(address),
        }
    }

    /// The server, for people.
    pub(crate) fn shown(&self) -> String {
        match &self.location {
            Location::Fixed(address) => address.to_string(),
            Location::Assigned(assigned) => assigned
                .get()
                .map_or_else(|_| "no server yet".to_owned(), |address| address.to_string()),
        }
    }

    /// What the next connection is made with.
    pub(crate) fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access.read())
    }

    /// Whether `other` is the same server, with the same names. The peers of this node are known on no other one.
    pub(crate) fn is_same_server(&self, other: &Self) -> bool {
        let is_same_place = match (&self.location, &other.location) {
            (Location::Fixed(own), Location::Fixed(other)) => own == other,
            (Location::Assigned(_), Location::Assigned(_)) => true,
            (Location::Fixed(_), Location::Assigned(_)) | (Location::Assigned(_), Location::Fixed(_)) => {
                false
            }
        };
        is_same_place && self.names == other.names
    }

    /// Uses the access of `next` for later connections.
    pub(crate) fn set_access(&self, next: &Self) {
        *self.access.write() = next.access();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn endpoint(location: Location) -> Endpoint {
        let settings = Settings {
            memory_watermark: 0.75,
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(1),
        };
        let access = Access::default();
        Endpoint::new(location, Kind::Master, Names::default(), 0, access, &settings)
    }

    #[test]
    fn an_address_is_shown_as_a_url_writes_it() {
        assert_eq!(Address::of("redis.internal").to_string(), "redis.internal:6379");
        assert_eq!(Address::of("::1").to_string(), "[::1]:6379");
    }

    #[tokio::test]
    async fn an_assigned_server_is_where_the_map_says_at_each_dial() {
        let assigned = Assigned::default();
        let endpoint = endpoint(Location::Assigned(assigned.clone()));
        let clone = endpoint.clone();
        assert!(clone.locate().await.is_err());
        assert!(clone.decided().now_or_never().is_none(), "nobody was asked yet");
        assigned.set_unknown("nobody knows".to_owned());
        clone.decided().await;
        assert_eq!(clone.locate().await, Err("nobody knows".to_owned()));
        assert_eq!(assigned.set(Address::of("a")), None);
        assigned.set_unknown("nobody knows".to_owned());
        assert_eq!(clone.locate().await, Ok(Address::of("a")));
        assert!(clone.leads_to(&Address::of("a")));
        assert_eq!(assigned.set(Address::of("b")), Some(Address::of("a")));
        assert_eq!(clone.shown(), "b:6379");
        assert!(clone.leads_to(&Address::of("b")) && !clone.leads_to(&Address::of("a")));
    }

    #[test]
    fn a_new_password_reaches_every_server_that_was_made_of_the_first() {
        let seed = endpoint(Location::Fixed(Address::of("seed")));
        let master = seed.at(Location::Fixed(Address::of("master")), Names::default());
        let next = endpoint(Location::Fixed(Address::of("seed")));
        *next.access.write() = Arc::new(Access {
            password: Some(Secret::new("new")),
            ..Access::default()
        });
        seed.set_access(&next);
        assert_eq!(master.access().password, Some(Secret::new("new")));
    }
}
