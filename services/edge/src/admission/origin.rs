//! Which pages may connect. The same-origin policy does not cover a WebSocket, so the node checks (RFC 6455, section
//! 10.2). Not authentication: a client that is not a browser can send any origin.

use http::{HeaderMap, header};

/// Whether a request is allowed: no `Origin`, the node's own host, or one of `allowed`.
pub(crate) fn is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else { return false };
    is_own_host(origin, headers) || is_listed(origin, allowed)
}

/// Whether `origin` is on the operator's list.
pub(crate) fn is_listed(origin: &str, allowed: &[String]) -> bool {
    allowed
        .iter()
        .any(|entry| entry == "*" || entry.eq_ignore_ascii_case(origin))
}

fn is_own_host(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin_host = origin.split_once("://").map(|(_, host)| host);
    matches!((origin_host, host), (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn request(origin: Option<&'static str>) -> HeaderMap {
        let mut headers =
            HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("sig.example:8080"))]);
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        headers
    }

    #[test]
    fn only_listed_pages_and_the_own_host_may_connect() {
        let allowed = vec!["https://app.example".to_owned()];
        for origin in [
            None,
            Some("https://app.example"),
            Some("https://APP.example"),
            Some("http://sig.example:8080"),
        ] {
            assert!(is_allowed(&request(origin), &allowed), "{origin:?}");
        }
        for origin in [
            "https://evil.example",
            "https://app.example.evil",
            "null",
            "http://sig.example",
            "",
        ] {
            assert!(!is_allowed(&request(Some(origin)), &allowed), "{origin}");
        }
        assert!(is_allowed(
            &request(Some("https://any.example")),
            &["*".to_owned()]
        ));
    }
}
