//! Where a request comes from: the client's address, and the host and scheme that the client sees. Forwarded headers count
//! only from `server.trusted_proxies`; everybody else could write anything there.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{HeaderMap, header, request::Parts};

use super::network::Network;

/// The sender of a request, in the request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Visitor {
    /// The client's address: that of the connection, or the newest one that a trusted proxy does not vouch for.
    pub(crate) address: IpAddr,
    /// `Host` as the client sent it.
    pub(crate) host: Option<String>,
    /// `http` or `https`, where a trusted proxy names it, or where the connection to this node has TLS.
    pub(crate) scheme: Option<String>,
    /// Whether the request came from a trusted proxy, which sets headers itself.
    pub(crate) is_proxied: bool,
}

impl Visitor {
    /// Of a request that did not come through the listener: nothing is known, so nothing is its own host.
    pub(crate) const UNKNOWN: Self = Self {
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        host: None,
        scheme: None,
        is_proxied: false,
    };

    /// The sender of a request over a connection from `peer`, which `is_secure` if it has TLS.
    pub(crate) fn of(peer: IpAddr, is_secure: bool, headers: &HeaderMap, trusted: &[Network]) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let own_host = text(header::HOST.as_str());
        if !is_trusted(peer, trusted) {
            return Self {
                address: peer.to_canonical(),
                host: own_host.map(str::to_owned),
                scheme: is_secure.then(|| "https".to_owned()),
                is_proxied: false,
            };
        }
        let standard = headers.contains_key(header::FORWARDED);
        let (host, scheme) = if standard {
            (
                forwarded(headers, "host").pop(),
                forwarded(headers, "proto").pop(),
            )
        } else {
            let last = |name: &str| list(headers, name).pop().map(str::to_owned);
            (last("x-forwarded-host"), last("x-forwarded-proto"))
        };
        let chain: Vec<String> = if standard {
            forwarded(headers, "for")
        } else {
            list(headers, "x-forwarded-for")
                .into_iter()
                .map(str::to_owned)
                .collect()
        };
        Self {
            address: client(peer, &chain, trusted),
            host: host.or_else(|| own_host.map(str::to_owned)),
            scheme: scheme.map(|scheme| scheme.to_ascii_lowercase()),
            is_proxied: true,
        }
    }
}

/// Who sent `request`.
pub(crate) fn visitor_of(request: &Parts) -> &Visitor {
    request.extensions.get().unwrap_or(&Visitor::UNKNOWN)
}

/// Whether `address` is a trusted proxy.
pub(crate) fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

/// The newest address of the chain that is not a trusted proxy. What stands before it is the client's own word.
fn client(peer: IpAddr, chain: &[String], trusted: &[Network]) -> IpAddr {
    let mut address = peer;
    for entry in chain.iter().rev() {
        let Some(next) = address_in(entry) else { break };
        address = next;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    address.to_canonical()
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address_in(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim().trim_matches('"');
    entry
        .parse()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .or_else(|| entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

/// The entries of all headers of one name, in the order in which the proxies added them.
fn list<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let values = headers.get_all(name).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    texts
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .collect()
}

/// One parameter of each element of `Forwarded` (RFC 7239, section 4).
fn forwarded(headers: &HeaderMap, wanted: &str) -> Vec<String> {
    let elements = list(headers, header::FORWARDED.as_str());
    elements
        .into_iter()
        .filter_map(|element| {
            element.split(';').find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                let is_wanted = name.trim().eq_ignore_ascii_case(wanted);
                is_wanted.then(|| value.trim().trim_matches('"').to_owned())
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn visitor(peer: &str, headers: &[(&'static str, &'static str)]) -> Visitor {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        Visitor::of(peer.parse().unwrap(), false, &headers, &trusted)
    }

    fn address(peer: &str, headers: &[(&'static str, &'static str)]) -> String {
        visitor(peer, headers).address.to_string()
    }

    #[test]
    fn forwarded_addresses_count_only_from_trusted_proxies_and_from_the_right() {
        let forwarded = [("x-forwarded-for", "203.0.113.9, 198.51.100.7, 10.0.0.2")];
        assert_eq!(address("10.0.0.1", &forwarded), "198.51.100.7");
        assert_eq!(address("192.0.2.1", &forwarded), "192.0.2.1");
        assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &[("x-forwarded-for", "unknown")]), "10.0.0.1");
        assert_eq!(
            address("10.0.0.1", &[("x-forwarded-for", "[2001:db8::1]:443")]),
            "2001:db8::1"
        );
        let standard = [
            (
                "forwarded",
                "for=203.0.113.9, for=\"[2001:db8::7]:4711\";proto=https",
            ),
            ("x-forwarded-for", "192.0.2.66"),
        ];
        assert_eq!(address("10.0.0.1", &standard), "2001:db8::7");
    }

    #[test]
    fn the_host_that_the_client_sees_comes_from_a_trusted_proxy_or_from_the_request() {
        let headers = [
            ("host", "node1:8080"),
            ("x-forwarded-host", "sig.example"),
            ("x-forwarded-proto", "HTTPS"),
        ];
        let seen = visitor("10.0.0.1", &headers);
        assert_eq!(
            (seen.host.as_deref(), seen.scheme.as_deref()),
            (Some("sig.example"), Some("https"))
        );
        let foreign = visitor("192.0.2.1", &headers);
        assert_eq!(
            (foreign.host.as_deref(), foreign.scheme),
            (Some("node1:8080"), None)
        );
    }
}
