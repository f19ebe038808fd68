//! An origin in comparable form, as a browser sends it. Not which ones may connect (`origin`, `origin_list`).

/// An origin as a browser sends it: scheme, host and port, each comparable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) scheme: String,
    pub(super) host: String,
    /// Absent where the scheme has no default and none is named.
    pub(super) port: Option<u16>,
}

impl Origin {
    /// Reads `scheme://host[:port]`; `None` for everything else, `null` included.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (host, port) = host_and_port(rest)?;
        let scheme = scheme.to_ascii_lowercase();
        let port = port.or_else(|| default_port(&scheme));
        Some(Self { scheme, host, port })
    }
}

/// Splits `host[:port]`; the host in lower case.
pub(super) fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let after_bracket = text.rfind(']').map_or(0, |at| at + 1);
    let colon = text.get(after_bracket..)?.find(':').map(|at| at + after_bracket);
    let (host, port) = match colon {
        None => (text, None),
        Some(at) => (text.get(..at)?, Some(text.get(at + 1..)?.parse().ok()?)),
    };
    Some((host.to_ascii_lowercase(), port))
}

pub(super) fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}
