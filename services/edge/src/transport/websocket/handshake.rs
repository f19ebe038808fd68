//! The HTTP part of a WebSocket connection (RFC 6455, section 4.2): the request's headers and the `101`. Done here
//! and not by axum's extractor, so that the node tracks the connection's task and holds its bare stream.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header, request::Parts};
use switchboard_protocol::codec::Codec;

use crate::{admission::token, problem::Problem};

/// The only version of RFC 6455.
const WEBSOCKET_VERSION: &str = "13";

/// What RFC 6455, section 1.3, appends to a client's key.
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Checks the headers of a handshake for the codec `C` and builds its `101` answer.
pub(crate) fn accept<C: Codec>(request: &Parts) -> Result<Response<Body>, Problem> {
    if request.method != Method::GET || request.version != Version::HTTP_11 {
        return Err(refuse("a WebSocket handshake is a GET over HTTP/1.1"));
    }
    let headers = &request.headers;
    if !lists(headers, &header::CONNECTION, "upgrade") || !lists(headers, &header::UPGRADE, "websocket") {
        return Err(Problem::new(
            StatusCode::UPGRADE_REQUIRED,
            "upgrade-required",
            "A WebSocket handshake is needed",
            "this address speaks WebSocket; send `Connection: Upgrade` and `Upgrade: websocket`",
        )
        .header(header::UPGRADE, "websocket")
        .header(header::CONNECTION, "Upgrade"));
    }
    if headers
        .get(header::SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != WEBSOCKET_VERSION)
    {
        // RFC 6455, section 4.4: the answer names the version that the server speaks.
        return Err(Problem::new(
            StatusCode::UPGRADE_REQUIRED,
            "websocket-version",
            "Another version of WebSocket is needed",
            "`Sec-WebSocket-Version` must be 13",
        )
        .header(header::SEC_WEBSOCKET_VERSION, WEBSOCKET_VERSION)
        .header(header::UPGRADE, "websocket")
        .header(header::CONNECTION, "Upgrade"));
    }
    // 16 random bytes in base64 are 24 characters, the last two of them padding.
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .filter(|key| key.len() == 24 && key.as_bytes().ends_with(b"=="))
        .ok_or_else(|| refuse("`Sec-WebSocket-Key` must be 16 bytes in base64"))?;
    let mut response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept_key(key.as_bytes()));
    match token::offers_subprotocol(headers, C::SUBPROTOCOL) {
        None => {}
        Some(true) => {
            response = response.header(
                header::SEC_WEBSOCKET_PROTOCOL,
                HeaderValue::from_static(C::SUBPROTOCOL),
            );
        }
        Some(false) => {
            let detail = format!("`Sec-WebSocket-Protocol` must list `{}`", C::SUBPROTOCOL);
            return Err(refuse(detail));
        }
    }
    response
        .body(Body::empty())
        .map_err(|_| refuse("the handshake cannot be answered"))
}

/// The answer to a client's key (RFC 6455, section 4.2.2): proof that this server read the handshake. SHA-1 protects nothing.
fn accept_key(key: &[u8]) -> String {
    let mut hash = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(KEY_SUFFIX);
    STANDARD.encode(hash.finish())
}

fn refuse(detail: impl Into<String>) -> Problem {
    Problem::bad_request("bad-handshake", detail)
}

fn lists(headers: &HeaderMap, name: &header::HeaderName, wanted: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|entry| entry.trim().eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_rfc_has_the_answer_of_the_rfc() {
        assert_eq!(
            accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }
}
