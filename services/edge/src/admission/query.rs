//! The query of a request for a connection: `acks`, `resume`, `seen` (protocol.md, section 2). The token in the
//! query is found by `token`.

use http::Uri;
use switchboard_core::AttachRequest;
use switchboard_protocol::{NodeId, ResumeToken};
use switchboard_telemetry::RefusalReason;

use super::refusal::Refusal;
use crate::problem::Problem;

/// The highest `seen`: what JSON carries exactly in every language. No node ever numbers as far.
const MAX_SEEN: u64 = 1 << 53;

/// What the query asks for.
pub(super) fn attach_request(uri: &Uri) -> Result<AttachRequest, Refusal> {
    let acks = match value(uri, "acks") {
        None | Some("socket") => false,
        Some("client") => true,
        Some(_) => return Err(refuse("acks-unknown", "`acks` is `socket` or `client`")),
    };
    let seen = match value(uri, "seen").map(str::parse) {
        None => 0,
        Some(Ok(seen)) if seen <= MAX_SEEN => seen,
        Some(Ok(_) | Err(_)) => {
            return Err(refuse(
                "seen-invalid",
                "`seen` is the `seq` of the last event received",
            ));
        }
    };
    let resume = match value(uri, "resume").map(ResumeToken::parse) {
        None => None,
        Some(Ok(token)) => Some((token, seen)),
        Some(Err(_)) => {
            let detail = "`resume` is the `resume_token` of an earlier `welcome`";
            return Err(refuse("resume-invalid", detail));
        }
    };
    Ok(AttachRequest {
        resume,
        acks,
        reject: false,
    })
}

/// The node that a request names.
pub(crate) fn node(uri: &Uri) -> Result<Option<NodeId>, Problem> {
    let node = value(uri, "node").map(NodeId::new).transpose();
    node.map_err(|_| Problem::bad_request("node-invalid", "`node` is the `node` of `welcome`"))
}

/// The value of one query parameter, as it stands.
pub(crate) fn value<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    uri.query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

fn refuse(code: &'static str, detail: &'static str) -> Refusal {
    Refusal::new(RefusalReason::BadRequest, Problem::bad_request(code, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_asks_for_acks_and_a_resume_or_for_neither() {
        let plain = attach_request(&Uri::from_static("/v1/ws")).ok().unwrap();
        assert!(!plain.acks && plain.resume.is_none());
        let acks = attach_request(&Uri::from_static("/v1/ws?acks=client&seen=7"))
            .ok()
            .unwrap();
        assert!(
            acks.acks && acks.resume.is_none(),
            "`seen` means nothing without `resume`"
        );
        for bad in [
            "/v1/ws?acks=maybe",
            "/v1/ws?seen=-1",
            "/v1/ws?seen=18446744073709551615",
            "/v1/ws?resume=x",
        ] {
            assert!(attach_request(&Uri::from_static(bad)).is_err(), "{bad}");
        }
    }
}
