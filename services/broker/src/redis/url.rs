//! URLs of Redis, as redis-rs reads them, without what nodes do not use: options, Unix sockets.

use redis::{ConnectionAddr, IntoConnectionInfo};
use switchboard_protocol::Secret;

use super::{
    config::{RedisConfigError, RedisCredentials},
    endpoint::Address,
};

/// A URL, read.
pub(super) struct RedisUrl {
    pub(super) address: Address,
    pub(super) database: i64,
    pub(super) credentials: RedisCredentials,
}

/// Whether the URL asks for TLS.
pub(super) fn is_tls(url: &Secret) -> bool {
    matches!(scheme(url.expose()), "rediss" | "valkeys")
}

fn scheme(url: &str) -> &str {
    url.split_once(':').map_or("", |(scheme, _)| scheme)
}

/// Reads one URL.
///
/// # Errors
/// [`RedisConfigError`]; its text never holds the URL.
pub(super) fn parse(url: &Secret) -> Result<RedisUrl, RedisConfigError> {
    let url = url.expose();
    if url.contains('?') || url.contains('#') {
        let option = "percent-encode `#` and `?` in a password; TLS has broker.redis_ca_file";
        return Err(RedisConfigError::UrlOption(option));
    }
    // redis-rs reads URLs of TLS only where it makes the connections itself.
    let plain = match scheme(url) {
        tls @ ("rediss" | "valkeys") => format!("redis{}", &url[tls.len()..]),
        _ => url.to_owned(),
    };
    let info = plain
        .into_connection_info()
        .map_err(|error| RedisConfigError::Url(error.category().to_owned() + ": " + &reason(&error)))?;
    let address = match info.addr() {
        ConnectionAddr::Tcp(host, port) => Address {
            host: host.clone(),
            port: *port,
        },
        // Unix sockets, and anything that redis-rs may add.
        ConnectionAddr::TcpTls { .. } | ConnectionAddr::Unix(_) | _ => return Err(RedisConfigError::Unix),
    };
    let redis = info.redis_settings();
    let credentials = RedisCredentials {
        username: redis.username().map(str::to_owned),
        password: redis.password().map(Secret::new),
    };
    Ok(RedisUrl {
        address,
        database: redis.db(),
        credentials,
    })
}

/// The fixed part of redis-rs's message; the variable part may quote the URL.
fn reason(error: &redis::RedisError) -> String {
    let text = error.to_string();
    text.split_once(" - ")
        .map_or(text.clone(), |(text, _)| text.to_owned())
}
