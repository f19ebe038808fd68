//! The rule that only this machine is loaded unless the user allows others.

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
            .with_context(|| format!("`{url}` is no address like ws://127.0.0.1:8080/v1/ws"))?;
        let host = parsed.host_str().filter(|host| !host.is_empty());
        let host = host.with_context(|| format!("`{url}` names no host"))?;
        if allow_remote {
            continue;
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        // Loopback is also 127.0.0.1 written as IPv6.
        let is_remote = |address: &IpAddr| !address.to_canonical().is_loopback();
        if let Some(remote) = addresses(host)?.into_iter().find(is_remote) {
            anyhow::bail!(
                "`{url}` is not on this machine ({host} is {remote}); a load is an attack on a server that does not \
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_be_loaded_unless_others_are_allowed() {
        for (url, refusal, refusal_if_allowed) in [
            ("ws://127.0.0.1:8080/v1/ws", "", ""),
            ("ws://127.9.8.7/", "", ""),
            ("http://[::1]:9090", "", ""),
            ("http://[::ffff:127.0.0.1]:9090", "", ""),
            ("ws://localhost:8080/v1/ws", "", ""),
            ("redis://127.0.0.1:6379", "", ""),
            ("ws://192.0.2.7/v1/ws", "--allow-remote", ""),
            ("wss://127.0.0.1@192.0.2.7/v1/ws", "--allow-remote", ""),
            ("http://[2001:db8::1]:9090", "--allow-remote", ""),
            ("ws://0.0.0.0:8080/", "--allow-remote", ""),
            ("redis://192.0.2.7:6379", "--allow-remote", ""),
            ("127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:8080"),
            ("ws://", "ws://", "ws://"),
            ("nonsense", "nonsense", "nonsense"),
        ] {
            for (allow_remote, expected) in [(false, refusal), (true, refusal_if_allowed)] {
                let found = refuse_remote(&[url.to_owned()], allow_remote);
                let found = found.map_or_else(|error| format!("{error:#}"), |()| String::new());
                assert!(
                    found.contains(expected) && found.is_empty() == expected.is_empty(),
                    "{url}: {found}"
                );
            }
        }
    }
}
