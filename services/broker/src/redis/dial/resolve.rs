//! Looks names of servers up, anew at each dial. A name server that hangs costs one dial its time and a thread, and never
//! more than [`MAX_LOOKUPS`] threads.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, LazyLock},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{
    net::lookup_host,
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use crate::redis::endpoint::Address;

/// Lookups under way in the process. The system's resolver gives up after 5 to 30 s, and cannot be
/// stopped earlier.
const MAX_LOOKUPS: usize = 8;

type Lookup = fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;

/// Looks names up.
#[derive(Debug)]
pub(super) struct Resolver {
    free: Arc<Semaphore>,
    lookup: Lookup,
}

/// The system's.
pub(super) static RESOLVER: LazyLock<Resolver> = LazyLock::new(|| {
    Resolver::with(|host, port| {
        let addresses = async move { lookup_host((host, port)).await.map(Iterator::collect) };
        addresses.boxed()
    })
});

impl Resolver {
    fn with(lookup: Lookup) -> Self {
        Self {
            free: Arc::new(Semaphore::new(MAX_LOOKUPS)),
            lookup,
        }
    }

    /// Every address of a server, in the order of the system.
    ///
    /// # Errors
    /// For people; continues "Redis at …".
    pub(super) async fn resolve(
        &self,
        address: &Address,
        deadline: Instant,
    ) -> Result<Vec<SocketAddr>, String> {
        if let Ok(ip) = address.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, address.port)]);
        }
        let hangs = || "cannot be reached: the name server does not answer".to_owned();
        let failed = |why: String| format!("cannot be reached: its name cannot be looked up: {why}");
        let permit = timeout_at(deadline, Arc::clone(&self.free).acquire_owned()).await;
        let permit = permit.map_err(|_| hangs())?;
        let lookup = (self.lookup)(address.host.clone(), address.port);
        // A task of its own: it keeps its permit also when this dial has given up.
        let found = tokio::spawn(async move {
            let found = lookup.await;
            drop(permit);
            found
        });
        let found = timeout_at(deadline, found).await.map_err(|_| hangs())?;
        let found = found.map_err(|error| failed(error.to_string()))?;
        let found = found.map_err(|error| failed(error.to_string()))?;
        if found.is_empty() {
            return Err(failed("it has no address".to_owned()));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(100)
    }

    #[tokio::test]
    async fn an_ip_address_needs_no_name_server() {
        let resolver = Resolver::with(|_, _| std::future::pending().boxed());
        for host in ["127.0.0.1", "::1"] {
            let found = resolver.resolve(&Address::of(host), soon()).await.unwrap();
            assert_eq!(
                (found[0].ip().to_string().as_str(), found[0].port()),
                (host, 6379)
            );
        }
    }

    #[tokio::test]
    async fn a_name_server_that_hangs_ends_each_dial_in_time_and_holds_few_threads() {
        let resolver = Resolver::with(|_, _| std::future::pending().boxed());
        for _ in 0..MAX_LOOKUPS + 2 {
            let begun = Instant::now();
            let refused = resolver.resolve(&Address::of("redis.internal"), soon()).await;
            assert!(refused.unwrap_err().contains("the name server does not answer"));
            assert!(begun.elapsed() < Duration::from_secs(5));
        }
        assert_eq!(resolver.free.available_permits(), 0);
    }

    #[tokio::test]
    async fn lookups_that_end_make_room_for_others() {
        let resolver = Resolver::with(|_, _| std::future::ready(Ok(Vec::new())).boxed());
        for _ in 0..MAX_LOOKUPS * 2 {
            let refused = resolver
                .resolve(&Address::of("nowhere"), soon())
                .await
                .unwrap_err();
            assert!(refused.contains("it has no address"), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_name_is_looked_up_each_time() {
        let limit = soon() + Duration::from_secs(9);
        let found = RESOLVER.resolve(&Address::of("localhost"), limit).await;
        assert!(found.unwrap().iter().all(|found| found.ip().is_loopback()));
    }
}
