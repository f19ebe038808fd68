//! Where a request carries its token: WebSocket subprotocol, query or header (docs/protocol.md, Handshake). Only finds the
//! candidates; `switchboard-auth` verifies them.

use http::{HeaderMap, Uri, header};
use switchboard_auth::TokenError;

use super::query;

/// The prefix of the subprotocol that carries a token, because a browser cannot set headers.
const BEARER_PROTOCOL: &str = "bearer.";

/// What may be the token of a request, the place that is most surely meant for this node first: a gateway may put a
/// credential of its own into `Authorization`.
pub(crate) fn candidates<'a>(
    headers: &'a HeaderMap,
    uri: &'a Uri,
    accept_query: bool,
) -> impl Iterator<Item = &'a str> {
    let query = if accept_query { from_query(uri) } else { None };
    [from_subprotocol(headers), query, from_header(headers)]
        .into_iter()
        .flatten()
        .filter(|token| !token.is_empty())
}

/// Whether a token that was refused with `error` is none of ours at all, so that another candidate may be meant.
pub(crate) const fn is_foreign(error: &TokenError) -> bool {
    match error {
        TokenError::Missing
        | TokenError::TooLarge { .. }
        | TokenError::Malformed(_)
        | TokenError::Algorithm
        | TokenError::UnknownKey
        | TokenError::AmbiguousKey
        | TokenError::Signature
        | TokenError::Issuer
        | TokenError::Audience => true,
        TokenError::Expired { .. }
        | TokenError::NotYetValid { .. }
        | TokenError::Claims(_)
        | TokenError::Revoked
        | TokenError::RevocationsUnknown
        | TokenError::KeysUnavailable { .. } => false,
    }
}

/// The token in the header `Authorization`.
pub(super) fn from_header(headers: &HeaderMap) -> Option<&str> {
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

    fn find<'a>(headers: &'a HeaderMap, uri: &'a Uri, accept_query: bool) -> Option<&'a str> {
        candidates(headers, uri, accept_query).next()
    }

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
            find(&headers(header::AUTHORIZATION, "bearer gg.hh.ii"), &uri, false),
            Some("gg.hh.ii")
        );
    }

    #[test]
    fn the_place_that_is_meant_for_this_node_comes_first() {
        let uri = Uri::from_static("/v1/ws?access_token=query");
        let mut all = headers(
            header::SEC_WEBSOCKET_PROTOCOL,
            "switchboard.v1, bearer.subprotocol",
        );
        all.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer gateway"));
        let found: Vec<_> = candidates(&all, &uri, true).collect();
        assert_eq!(found, ["subprotocol", "query", "gateway"]);
        let found: Vec<_> = candidates(&all, &uri, false).collect();
        assert_eq!(found, ["subprotocol", "gateway"]);
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
