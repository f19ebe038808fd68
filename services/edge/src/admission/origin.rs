//! Which pages may connect. The same-origin policy does not cover a WebSocket, so the node checks (RFC 6455, section
//! 10.2). Not authentication: a client that is not a browser can send any origin. How an operator writes the list is in
//! `origin_list`.

use http::{HeaderMap, header};

use super::{
    origin_list::Origins,
    page_origin::{Origin, default_port, host_and_port},
    visitor::Visitor,
};

/// Whether a request is allowed: no `Origin`, the node's own host as the client sees it, or one of `allowed`. The error is
/// the refused origin.
pub(crate) fn check<'a>(
    headers: &'a HeaderMap,
    visitor: &Visitor,
    allowed: &Origins,
) -> Result<(), &'a [u8]> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    match origin.to_str() {
        Ok(text) if is_own(text, visitor) || allowed.lists(text) => Ok(()),
        Ok(_) | Err(_) => Err(origin.as_bytes()),
    }
}

fn is_own(origin: &str, visitor: &Visitor) -> bool {
    let Some(origin) = Origin::parse(origin) else {
        return false;
    };
    let Some((host, port)) = visitor.host.as_deref().and_then(host_and_port) else {
        return false;
    };
    // Without a proxy that names it, the scheme before a balancer is not known here.
    let scheme = match visitor.scheme.as_deref() {
        Some("wss") => "https",
        Some("ws") => "http",
        Some(scheme) => scheme,
        None => &origin.scheme,
    };
    !host.is_empty()
        && origin.scheme == scheme
        && origin.host == host
        && origin.port == port.or_else(|| default_port(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn is_allowed(origin: Option<&'static str>, host: &str, scheme: Option<&str>, allowed: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        let visitor = Visitor {
            address: [127, 0, 0, 1].into(),
            host: Some(host.into()),
            scheme: scheme.map(Into::into),
            is_proxied: false,
        };
        let allowed: Vec<_> = allowed.iter().map(|entry| (*entry).to_owned()).collect();
        check(&headers, &visitor, &Origins::parse(&allowed).unwrap()).is_ok()
    }

    #[test]
    fn only_listed_pages_and_the_own_host_may_connect() {
        let allowed = ["https://app.example"];
        let ours = |origin| is_allowed(origin, "sig.example:8080", None, &allowed);
        for origin in [
            None,
            Some("https://app.example"),
            Some("https://APP.example"),
            Some("https://app.example:443"),
            Some("http://sig.example:8080"),
        ] {
            assert!(ours(origin), "{origin:?}");
        }
        for origin in [
            "https://evil.example",
            "https://app.example.evil",
            "http://app.example",
            "https://app.example:8443",
            "null",
            "http://sig.example",
            "",
        ] {
            assert!(!ours(Some(origin)), "{origin}");
        }
        assert!(is_allowed(Some("https://any.example"), "x", None, &["*"]));
    }

    #[test]
    fn the_own_origin_is_what_the_client_sees() {
        let own = |origin, host, scheme| is_allowed(Some(origin), host, scheme, &[]);
        assert!(own("https://sig.example", "sig.example", None));
        assert!(own("https://sig.example", "sig.example:443", None));
        assert!(own("http://sig.example", "sig.example:80", None));
        assert!(own("https://SIG.example", "sig.Example", Some("https")));
        assert!(own("https://sig.example", "sig.example", Some("wss")));
        assert!(own("http://[::1]:8080", "[::1]:8080", None));
        assert!(!own("http://sig.example", "sig.example", Some("https")));
        assert!(!own("https://sig.example", "sig.example:80", None));
        assert!(!own("file://", "", None));
    }
}
