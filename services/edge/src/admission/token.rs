//! Where a request carries its token: header, WebSocket subprotocol or query (protocol.md, section 2).
//! Only finds it; `switchboard-auth` verifies it.

use http::{HeaderMap, Uri, header};

use super::query;

/// The prefix of the subprotocol that carries a token, because a browser cannot set headers.
const BEARER_PROTOCOL: &str = "bearer.";

/// The token of a request, in the order header, subprotocol, query.
pub(crate) fn find<'a>(headers: &'a HeaderMap, uri: &'a Uri, accept_query: bool) -> Option<&'a str> {
    from_header(headers)
        .or_else(|| from_subprotocol(headers))
        .or_else(|| if accept_query { from_query(uri) } else { None })
}

fn from_header(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn from_subprotocol(headers: &HeaderMap) -> Option<&str> {
    subprotocols(headers).find_map(|protocol| protocol.strip_prefix(BEARER_PROTOCOL))
}

fn from_query(uri: &Uri) -> Option<&str> {
    // A JWT's alphabet needs no percent-decoding.
    query::value(uri, "access_token")
}

/// Whether the client offers `subprotocol`; `None` if it offers no list at all.
pub(crate) fn offers_subprotocol(headers: &HeaderMap, subprotocol: &str) -> Option<bool> {
    headers
        .contains_key(header::SEC_WEBSOCKET_PROTOCOL)
        .then(|| subprotocols(headers).any(|name| name == subprotocol))
}

fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use switchboard_protocol::SUBPROTOCOL;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_token_is_found_in_each_of_its_places() {
        let uri = Uri::from_static("/v1/ws?acks=socket&access_token=aa.bb.cc");
        let none = HeaderMap::new();
        assert_eq!(find(&none, &uri, true), Some("aa.bb.cc"));
        assert_eq!(find(&none, &uri, false), None);
        let protocols = headers(header::SEC_WEBSOCKET_PROTOCOL, "switchboard.v1, bearer.dd.ee.ff");
        assert_eq!(find(&protocols, &uri, true), Some("dd.ee.ff"));
        assert_eq!(offers_subprotocol(&protocols, SUBPROTOCOL), Some(true));
        assert_eq!(
            find(&headers(header::AUTHORIZATION, "bearer gg.hh.ii"), &uri, true),
            Some("gg.hh.ii")
        );
    }

    #[test]
    fn other_schemes_and_protocols_are_not_taken_for_ours() {
        let uri = Uri::from_static("/v1/ws");
        assert_eq!(
            find(&headers(header::AUTHORIZATION, "Basic dXNlcg=="), &uri, true),
            None
        );
        let other = headers(header::SEC_WEBSOCKET_PROTOCOL, "graphql-ws");
        assert_eq!(find(&other, &uri, true), None);
        assert_eq!(offers_subprotocol(&other, SUBPROTOCOL), Some(false));
        assert_eq!(offers_subprotocol(&HeaderMap::new(), SUBPROTOCOL), None);
    }
}
