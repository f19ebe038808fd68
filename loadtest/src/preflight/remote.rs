//! The rule that only this machine is loaded unless somebody says otherwise.

use std::net::{IpAddr, ToSocketAddrs as _};

use anyhow::Context as _;
use reqwest::Url;

/// Refuses addresses of servers, clients' ports and operations ports alike, that are not on this machine. Names are
/// looked up, and all their addresses must be loopback; it waits for the resolver, so it is for the time before a run.
///
/// # Errors
/// Names the first address that is refused or is none.
pub(crate) fn refuse_remote(urls: &[String], allow_remote: bool) -> anyhow::Result<()> {
    for url in urls {
        let parsed: Url = url
            .parse()
            .with_context(|| format!("`{url}` is no address such as ws://127.0.0.1:8080/v1/ws"))?;
        let host = parsed.host_str().filter(|host| !host.is_empty());
        let host = host.with_context(|| format!("`{url}` names no host"))?;
        if allow_remote {
            continue;
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let strangers: Vec<_> = addresses(host)?
            .into_iter()
            .filter(|address| !is_loopback(*address))
            .collect();
        if let Some(stranger) = strangers.first() {
            anyhow::bail!(
                "`{url}` is not on this machine ({host} is {stranger}); a load is an attack on a server that does not \
                 expect it. If it is yours, give --allow-remote"
            );
        }
    }
    Ok(())
}

fn addresses(host: &str) -> anyhow::Result<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let found = (host, 0).to_socket_addrs();
    let found = found.with_context(|| format!("the name `{host}` is not known"))?;
    let addresses: Vec<_> = found.map(|address| address.ip()).collect();
    anyhow::ensure!(!addresses.is_empty(), "the name `{host}` has no address");
    Ok(addresses)
}

/// Also 127.0.0.1 in the clothes of IPv6.
fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        let outcome = refuse_remote(&[url.to_owned()], false);
        outcome.map_or_else(|error| format!("{error:#}"), |()| String::new())
    }

    #[test]
    fn this_machine_may_be_loaded() {
        for url in [
            "ws://127.0.0.1:8080/v1/ws",
            "ws://127.9.8.7/",
            "http://[::1]:9090",
            "http://[::ffff:127.0.0.1]:9090",
            "ws://localhost:8080/v1/ws",
            "redis://127.0.0.1:6379",
        ] {
            assert_eq!(refused(url), "", "{url}");
        }
    }

    #[test]
    fn other_machines_may_not_unless_allowed() {
        for url in [
            "ws://192.0.2.7/v1/ws",
            "wss://127.0.0.1@192.0.2.7/v1/ws",
            "http://[2001:db8::1]:9090",
            "ws://0.0.0.0:8080/",
            "redis://192.0.2.7:6379",
        ] {
            assert!(refused(url).contains("--allow-remote"), "{url}: {}", refused(url));
            refuse_remote(&[url.to_owned()], true).unwrap();
        }
    }

    #[test]
    fn what_is_no_address_is_told_even_if_all_is_allowed() {
        for url in ["127.0.0.1:8080", "ws://", "nonsense"] {
            let error = refuse_remote(&[url.to_owned()], true).unwrap_err().to_string();
            assert!(error.contains(url), "{error}");
        }
    }
}
