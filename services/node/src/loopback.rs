//! Which names only this machine has. A development node answers under no other name: a page elsewhere can make a name of its
//! own resolve to 127.0.0.1 (DNS rebinding). Not for production nodes, which are asked under the names of their users.

use std::net::IpAddr;

use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

/// Refuses a request for another `Host` than a name of loopback.
pub(crate) async fn refuse_other_hosts(request: Request, next: Next) -> Response {
    if is_loopback(request.headers()) {
        return next.run(request).await;
    }
    let why = "a development node answers only as localhost, 127.0.0.1 or [::1]; the Host of this request is another\n";
    (StatusCode::FORBIDDEN, [(header::CACHE_CONTROL, "no-store")], why).into_response()
}

/// Whether each `Host` is a name of loopback. Pages cannot leave it out.
fn is_loopback(headers: &HeaderMap) -> bool {
    headers.get_all(header::HOST).iter().all(|host| {
        let name = host.to_str().ok().and_then(host_name);
        name.is_some_and(|name| {
            let address = name.parse::<IpAddr>();
            address.map_or_else(|_| name == "localhost", |ip| ip.is_loopback())
        })
    })
}

/// The name or address in a `Host` header, in lower case, without port and brackets.
pub(crate) fn host_name(host: &str) -> Option<String> {
    let authority = host.parse::<Authority>().ok()?;
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    Some(name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    fn is_own(hosts: &[&str]) -> bool {
        let hosts = hosts.iter().map(|host| (header::HOST, host.parse().unwrap()));
        is_loopback(&hosts.collect())
    }

    #[test]
    fn a_development_node_is_asked_only_under_names_of_loopback() {
        for own in [
            "localhost:8080",
            "LOCALHOST",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:8080",
        ] {
            assert!(is_own(&[own]), "{own}");
        }
        for other in [
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.1.2.3",
            "a@b",
            "",
        ] {
            assert!(!is_own(&[other]), "{other}");
        }
        assert!(!is_own(&["localhost", "evil.example"]), "each one counts");
    }
}
