//! Section `[ice]` as the configuration gives it, and its checks: URLs, lives of credentials, names of regions. Not here:
//! what peers get (`ice`).

use switchboard_protocol::{IdError, RegionId, Secret};

/// The most URLs of one kind in one region. A browser sends requests to all of them.
pub const MAX_ICE_URLS: usize = 16;

/// The most regions.
pub const MAX_ICE_REGIONS: usize = 64;

/// The most values of a header that mean one region. There are 249 codes of countries.
pub const MAX_HEADER_VALUES: usize = 256;

/// The longest value of a header that means a region, in bytes.
const MAX_HEADER_VALUE_BYTES: usize = 128;

/// The shortest life of TURN credentials, in seconds.
pub const MIN_TURN_TTL_S: u64 = 60;

/// The longest life of TURN credentials, in seconds (7 days). They cannot be revoked.
pub const MAX_TURN_TTL_S: u64 = 604_800;

/// Section `[ice]` of the configuration.
#[derive(Debug, Clone, Default)]
pub struct IceConfig {
    /// For clients for whom no rule chooses a region.
    pub servers: IceServersConfig,
    /// The regions.
    pub regions: Vec<IceRegionConfig>,
}

/// The servers of one region.
#[derive(Debug, Clone)]
pub struct IceServersConfig {
    /// `stun:host[:port]` or `stuns:…`.
    pub stun_urls: Vec<String>,
    /// `turn:host[:port][?transport=udp|tcp]` or `turns:…`.
    pub turn_urls: Vec<String>,
    /// The TURN server's `static-auth-secret`.
    pub turn_secret: Option<Secret>,
    /// How long TURN credentials last, in seconds.
    pub turn_ttl_s: u64,
}

/// One of `[[ice.regions]]`.
#[derive(Debug, Clone)]
pub struct IceRegionConfig {
    /// Its name, which claims, headers and clients use.
    pub name: String,
    /// Other values of the header that mean this region, for example codes of countries.
    pub header_values: Vec<String>,
    /// Its servers.
    pub servers: IceServersConfig,
}

impl Default for IceServersConfig {
    fn default() -> Self {
        Self {
            stun_urls: Vec::new(),
            turn_urls: Vec::new(),
            turn_secret: None,
            turn_ttl_s: 3_600,
        }
    }
}

/// Why the section is not valid. Each message names the configuration key and the solution. `at` is `ice` or
/// `ice.regions[<number from 0>]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IceConfigError {
    /// A URL is not valid.
    #[error("{at}.{key}: {url:?} {why}")]
    Url {
        /// The table.
        at: String,
        /// `stun_urls` or `turn_urls`.
        key: &'static str,
        /// The URL.
        url: String,
        /// The problem, as the end of a sentence.
        why: &'static str,
    },
    /// More than [`MAX_ICE_URLS`].
    #[error("{at}.{key}: {count} URLs, at most {MAX_ICE_URLS} are allowed; browsers slow down beyond four")]
    TooMany {
        /// The table.
        at: String,
        /// `stun_urls` or `turn_urls`.
        key: &'static str,
        /// How many.
        count: usize,
    },
    /// TURN servers are configured without the secret for credentials.
    #[error(
        "{0}.turn_urls is set, but {0}.turn_secret_file is not; put the server's static-auth-secret there"
    )]
    NoSecret(String),
    /// The life of credentials is out of range.
    #[error("{0}.turn_ttl_s: {1} is out of range, it must be {MIN_TURN_TTL_S} to {MAX_TURN_TTL_S}")]
    Ttl(String, u64),
    /// More than [`MAX_ICE_REGIONS`].
    #[error("ice.regions: {0} regions, at most {MAX_ICE_REGIONS} are allowed")]
    TooManyRegions(usize),
    /// A region has no TURN server.
    #[error("{0}.turn_urls: is empty; a region has at least one TURN server")]
    NoTurn(String),
    /// There are regions, and no server for everybody else.
    #[error(
        "ice.turn_urls: is empty, and clients without a region get these servers; repeat those of one region"
    )]
    NoDefault,
    /// The name of a region is none.
    #[error("{0}.name: {1}")]
    Name(String, IdError),
    /// A value of the header is none, or means two regions.
    #[error("{at}.header_values: {value:?} {why}")]
    HeaderValue {
        /// The table.
        at: String,
        /// The value.
        value: String,
        /// The problem, as the end of a sentence.
        why: &'static str,
    },
    /// More than [`MAX_HEADER_VALUES`].
    #[error("{0}.header_values: {1} values, at most {MAX_HEADER_VALUES} are allowed")]
    TooManyHeaderValues(String, usize),
    /// Two regions have one name.
    #[error("{0}.name: another region has the name `{1}`")]
    SameName(String, RegionId),
}

/// Checks the servers of the table `at`.
pub(crate) fn check_servers(at: &str, servers: &IceServersConfig) -> Result<(), IceConfigError> {
    check_urls(at, "stun_urls", &servers.stun_urls, ["stun", "stuns"])?;
    check_urls(at, "turn_urls", &servers.turn_urls, ["turn", "turns"])?;
    if !(MIN_TURN_TTL_S..=MAX_TURN_TTL_S).contains(&servers.turn_ttl_s) {
        return Err(IceConfigError::Ttl(at.to_owned(), servers.turn_ttl_s));
    }
    Ok(())
}

/// Checks one value of a header.
pub(crate) fn check_header_value(value: &str) -> Result<(), &'static str> {
    if !(1..=MAX_HEADER_VALUE_BYTES).contains(&value.len()) {
        return Err("must have 1 to 128 bytes");
    }
    match value.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err("must have visible ASCII characters alone"),
    }
}

fn check_urls(
    at: &str,
    key: &'static str,
    urls: &[String],
    schemes: [&str; 2],
) -> Result<(), IceConfigError> {
    if urls.len() > MAX_ICE_URLS {
        return Err(IceConfigError::TooMany {
            at: at.to_owned(),
            key,
            count: urls.len(),
        });
    }
    for url in urls {
        check_url(url, schemes).map_err(|why| IceConfigError::Url {
            at: at.to_owned(),
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
