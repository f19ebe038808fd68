//! Who may ask on the operations port. Pages of browsers may not. A POST needs the configured token, and so does what names
//! peers, rooms or tenants. Not here: the answers.

use std::{net::IpAddr, sync::Arc};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use parking_lot::RwLock;
use switchboard_protocol::Secret;
use switchboard_telemetry::Telemetry;

use crate::loopback::host_name;

/// Who may ask, from `[ops]`.
#[derive(Debug, Clone, Default)]
pub struct OpsAccess {
    /// What a POST, and a question that names users, must carry as `Authorization: Bearer`; without one each is refused.
    pub token: Option<Secret>,
    /// Full host names under which the port may be asked.
    pub allowed_hosts: Vec<String>,
}

/// The access, and where a refusal is counted.
pub(super) struct Guard {
    /// A reload replaces it.
    pub(super) access: Arc<RwLock<OpsAccess>>,
    pub(super) telemetry: Telemetry,
}

/// Refuses a request that may not be answered.
pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let checked = {
        let access = guard.access.read();
        access
            .check_source(headers)
            .and_then(|()| match *request.method() {
                Method::GET | Method::HEAD if !names_users(request.uri().path()) => Ok(()),
                _ => access.check_token(headers),
            })
    };
    match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            guard.telemetry.ops_refused(refusal.why);
            refusal.into_response()
        }
    }
}

/// Whether an answer names peers (events of webhooks), or tenants and rooms.
fn names_users(path: &str) -> bool {
    path.starts_with("/webhooks/") || path == "/status"
}

/// A refused request.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    status: StatusCode,
    why: &'static str,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let headers = [(header::CACHE_CONTROL, "no-store")];
        let text = format!("{}\n", self.why);
        match self.status {
            StatusCode::UNAUTHORIZED => {
                (self.status, headers, [(header::WWW_AUTHENTICATE, "Bearer")], text).into_response()
            }
            _ => (self.status, headers, text).into_response(),
        }
    }
}

const fn forbidden(why: &'static str) -> Refusal {
    Refusal {
        status: StatusCode::FORBIDDEN,
        why,
    }
}

impl OpsAccess {
    /// Refuses what only a browser sends for a page of another origin, and a name that an attacker may own.
    fn check_source(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = text(headers, header::HOST.as_str())?;
        if let Some(host) = host
            && !self.is_own(host)
        {
            return Err(forbidden(
                "this Host is not accepted; use an address, or add the name to ops.allowed_hosts",
            ));
        }
        let origin = text(headers, header::ORIGIN.as_str())?;
        if origin.is_some_and(|origin| origin.split_once("://").map(|(_, rest)| rest) != host) {
            return Err(forbidden("pages may not use the operations port (Origin)"));
        }
        match text(headers, "sec-fetch-site")? {
            None | Some("none" | "same-origin") => Ok(()),
            Some(_) => Err(forbidden(
                "pages may not use the operations port (Sec-Fetch-Site)",
            )),
        }
    }

    /// Whether no one outside can own this name: an address, a name without a dot, or a configured one. Other names can
    /// be made to resolve to this node (DNS rebinding).
    fn is_own(&self, host: &str) -> bool {
        let Some(name) = host_name(host) else {
            return false;
        };
        let is_local = !name.contains('.') || name.parse::<IpAddr>().is_ok();
        let mut allowed = self.allowed_hosts.iter();
        is_local || allowed.any(|allowed| allowed.eq_ignore_ascii_case(&name))
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(token) = &self.token else {
            return Err(forbidden(
                "this needs a token, and the node has none; set ops.token_file, and send it as `Authorization: Bearer`",
            ));
        };
        let given = text(headers, header::AUTHORIZATION.as_str())?.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let given = given.unwrap_or_default().as_bytes();
        verify_slices_are_equal(given, token.expose().as_bytes()).map_err(|_| Refusal {
            status: StatusCode::UNAUTHORIZED,
            why: "this needs the token of ops.token as `Authorization: Bearer`",
        })
    }
}

/// The text of a header that may stand there once.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(|value| value.to_str());
    match (first, values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(text)), None) => Ok(Some(text)),
        (Some(_), _) => Err(forbidden("a header is there twice, or is no text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn access() -> OpsAccess {
        OpsAccess {
            token: Some(Secret::new("0123456789abcdef")),
            allowed_hosts: vec!["node.example".into()],
        }
    }

    #[test]
    fn a_name_that_others_can_own_is_refused_and_an_own_one_is_not() {
        for own in [
            "127.0.0.1:9090",
            "10.1.2.3",
            "[::1]:9090",
            "localhost:9090",
            "n1:9090",
            "NODE.example",
        ] {
            assert_eq!(access().check_source(&headers(&[("host", own)])), Ok(()), "{own}");
        }
        for foreign in [
            "evil.example",
            "evil.example:9090",
            "localhost.evil.example",
            "a b",
            "",
        ] {
            assert!(
                access().check_source(&headers(&[("host", foreign)])).is_err(),
                "{foreign}"
            );
        }
        assert_eq!(access().check_source(&headers(&[])), Ok(()), "HTTP/1.0");
    }

    #[test]
    fn a_page_of_another_origin_is_refused_by_each_header_that_shows_it() {
        for page in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "http://127.0.0.1:8080"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let request = headers(&[("host", "127.0.0.1:9090"), page]);
            assert!(access().check_source(&request).is_err(), "{page:?}");
        }
        for own in [
            ("origin", "http://127.0.0.1:9090"),
            ("sec-fetch-site", "none"),
            ("sec-fetch-site", "same-origin"),
        ] {
            let request = headers(&[("host", "127.0.0.1:9090"), own]);
            assert_eq!(access().check_source(&request), Ok(()), "{own:?}");
        }
    }

    #[test]
    fn a_post_needs_the_token_and_without_a_configured_one_no_post_is_possible() {
        let status = |access: &OpsAccess, value| {
            let refusal = access.check_token(&headers(&[("authorization", value)]));
            refusal.err().map(|refusal| refusal.status.as_u16())
        };
        assert_eq!(status(&access(), "Bearer 0123456789abcdef"), None);
        assert_eq!(status(&access(), "bearer 0123456789abcdef"), None);
        for wrong in [
            "Bearer 0123456789abcdeX",
            "Bearer ",
            "Basic 0123456789abcdef",
            "0123456789abcdef",
        ] {
            assert_eq!(status(&access(), wrong), Some(401), "{wrong}");
        }
        assert_eq!(status(&OpsAccess::default(), "Bearer "), Some(403));
    }
}
