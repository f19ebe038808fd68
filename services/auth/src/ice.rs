//! The `iceServers` for a peer: URLs from the configuration, and TURN credentials for this peer. Not here: the STUN and
//! TURN servers.

use switchboard_protocol::{IceServer, PeerId, Secret};

use crate::TurnMinter;

/// The most URLs of one kind. A browser sends requests to all of them.
pub const MAX_ICE_URLS: usize = 16;

/// The shortest life of TURN credentials, in seconds.
pub const MIN_TURN_TTL_S: u64 = 60;

/// The longest life of TURN credentials, in seconds (7 days). They cannot be revoked.
pub const MAX_TURN_TTL_S: u64 = 604_800;

/// Section `[ice]` of the configuration.
#[derive(Debug, Clone)]
pub struct IceConfig {
    /// `stun:host[:port]` or `stuns:…`.
    pub stun_urls: Vec<String>,
    /// `turn:host[:port][?transport=udp|tcp]` or `turns:…`.
    pub turn_urls: Vec<String>,
    /// The TURN server's `static-auth-secret`.
    pub turn_secret: Option<Secret>,
    /// How long TURN credentials last, in seconds.
    pub turn_ttl_s: u64,
}

impl Default for IceConfig {
    fn default() -> Self {
        Self {
            stun_urls: Vec::new(),
            turn_urls: Vec::new(),
            turn_secret: None,
            turn_ttl_s: 3_600,
        }
    }
}

/// Why the section is not valid. Each message names the configuration key and the solution.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IceConfigError {
    /// A URL is not valid.
    #[error("ice.{key}: {url:?} {why}")]
    Url {
        /// `stun_urls` or `turn_urls`.
        key: &'static str,
        /// The URL.
        url: String,
        /// The problem, as the end of a sentence.
        why: &'static str,
    },
    /// More than [`MAX_ICE_URLS`].
    #[error("ice.{key}: {count} URLs, at most {MAX_ICE_URLS} are allowed; browsers slow down beyond four")]
    TooMany {
        /// `stun_urls` or `turn_urls`.
        key: &'static str,
        /// How many.
        count: usize,
    },
    /// TURN servers are configured without the secret for credentials.
    #[error(
        "ice.turn_urls is set, but ice.turn_secret_file is not; put the server's static-auth-secret there"
    )]
    NoSecret,
    /// The life of credentials is out of range.
    #[error("ice.turn_ttl_s: {0} is out of range, it must be {MIN_TURN_TTL_S} to {MAX_TURN_TTL_S}")]
    Ttl(u64),
}

/// Checked ICE servers.
#[derive(Debug, Clone)]
pub struct IceServers {
    stun_urls: Vec<String>,
    turn: Option<(Vec<String>, TurnMinter)>,
}

impl IceServers {
    /// Checks `config`.
    ///
    /// # Errors
    /// [`IceConfigError`], which names the key.
    pub fn new(config: IceConfig) -> Result<Self, IceConfigError> {
        check_urls("stun_urls", &config.stun_urls, ["stun", "stuns"])?;
        check_urls("turn_urls", &config.turn_urls, ["turn", "turns"])?;
        if !(MIN_TURN_TTL_S..=MAX_TURN_TTL_S).contains(&config.turn_ttl_s) {
            return Err(IceConfigError::Ttl(config.turn_ttl_s));
        }
        let turn = if config.turn_urls.is_empty() {
            None
        } else {
            let secret = config.turn_secret.filter(|secret| !secret.is_empty());
            let secret = secret.ok_or(IceConfigError::NoSecret)?;
            Some((config.turn_urls, TurnMinter::new(&secret, config.turn_ttl_s)))
        };
        Ok(Self {
            stun_urls: config.stun_urls,
            turn,
        })
    }

    /// Signs later credentials with the secrets of `other`, which has the same servers. Clones do so too.
    pub fn use_secrets_of(&self, other: &Self) {
        if let (Some((_, own)), Some((_, other))) = (&self.turn, &other.turn) {
            own.use_secret_of(other);
        }
    }

    /// As `RTCConfiguration.iceServers`, with TURN credentials for `peer` issued at `now_s` (seconds since
    /// the Unix epoch). Empty when nothing is configured.
    #[must_use]
    pub fn ice_servers(&self, peer: &PeerId, now_s: u64) -> Vec<IceServer> {
        let stun = (!self.stun_urls.is_empty()).then(|| IceServer {
            urls: self.stun_urls.clone(),
            username: None,
            credential: None,
        });
        let turn = self.turn.as_ref().map(|(urls, minter)| {
            let credentials = minter.credentials(peer, now_s);
            IceServer {
                urls: urls.clone(),
                username: Some(credentials.username),
                credential: Some(credentials.credential),
            }
        });
        stun.into_iter().chain(turn).collect()
    }

    /// When credentials issued at `now_s` end, in seconds since the Unix epoch; 0 without TURN.
    #[must_use]
    pub fn expires_at(&self, now_s: u64) -> u64 {
        self.turn
            .as_ref()
            .map_or(0, |(_, minter)| minter.expires_at(now_s))
    }
}

fn check_urls(key: &'static str, urls: &[String], schemes: [&str; 2]) -> Result<(), IceConfigError> {
    if urls.len() > MAX_ICE_URLS {
        return Err(IceConfigError::TooMany {
            key,
            count: urls.len(),
        });
    }
    for url in urls {
        check_url(url, schemes).map_err(|why| IceConfigError::Url {
            key,
            url: url.clone(),
            why,
        })?;
    }
    Ok(())
}

/// RFC 7064 (`stun:`) and RFC 7065 (`turn:`), as strict as browsers: one bad URL fails a page's whole connection.
fn check_url(url: &str, schemes: [&str; 2]) -> Result<(), &'static str> {
    let turn = schemes == ["turn", "turns"];
    let scheme_missing = if turn {
        "must start with turn: or turns:"
    } else {
        "must start with stun: or stuns:"
    };
    let (scheme, rest) = url.split_once(':').ok_or(scheme_missing)?;
    if !schemes.contains(&scheme) {
        return Err(scheme_missing);
    }
    if rest.starts_with("//") {
        return Err("must not have // after the scheme: write turn:host:port");
    }
    let (address, query) = rest
        .split_once('?')
        .map_or((rest, None), |(address, query)| (address, Some(query)));
    match query {
        None => {}
        Some("transport=udp" | "transport=tcp") if turn => {}
        Some(_) if turn => return Err("may only have ?transport=udp or ?transport=tcp"),
        Some(_) => return Err("must not have a query"),
    }
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or("has an IPv6 address without ]")?;
            host.parse::<std::net::Ipv6Addr>()
                .map_err(|_| "has a bad IPv6 address")?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err("has something other than a port after ]"),
            }
        }
        None => {
            let (host, port) = address
                .split_once(':')
                .map_or((address, None), |(host, port)| (host, Some(port)));
            if !host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
            {
                return Err("has a character in its host that no host name has");
            }
            (host, port)
        }
    };
    if host.is_empty() {
        return Err("has no host");
    }
    match port.map(str::parse::<u16>) {
        None => Ok(()),
        Some(Ok(port)) if port > 0 => Ok(()),
        Some(_) => Err("has a bad port: 1 to 65535 are allowed"),
    }
}
