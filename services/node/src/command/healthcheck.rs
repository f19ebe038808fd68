//! `switchboard healthcheck`: one request to a node's operations port, for container runtimes that can run a program
//! but send no HTTP request (the image has no shell and no curl). Not an HTTP client for anything else.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use axum::http::Uri;

use crate::{
    cli::Healthcheck,
    config::{self, ConfigError},
};

/// The longest answer read, in bytes; the reasons of `/readyz` have a few hundred.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

pub(super) fn run(check: &Healthcheck) -> anyhow::Result<()> {
    let timeout = Duration::from_millis(check.timeout_ms);
    let answer = ask(&url(check)?, Instant::now() + timeout)?;
    println!("{}", answer.trim_end());
    Ok(())
}

/// The URL to ask: the one given, or the operations port of the configuration.
fn url(check: &Healthcheck) -> Result<Uri, ConfigError> {
    let text = match &check.url {
        Some(url) => url.clone(),
        None => {
            let ops = reachable(config::load(check.config.as_deref())?.server.ops_listen);
            format!("http://{ops}/{}", if check.ready { "readyz" } else { "livez" })
        }
    };
    let url: Uri = text
        .parse()
        .map_err(|error| ConfigError::new("--url", format!("`{text}` is not a URL: {error}")))?;
    if url.scheme_str() != Some("http") {
        let problem = format!("`{text}` must begin with http://; the operations port has no TLS");
        return Err(ConfigError::new("--url", problem));
    }
    Ok(url)
}

/// The address to connect to for an address to listen on: "all addresses" becomes the loopback address.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// The body of a 200; anything else, also an answer after `deadline`, is an error.
fn ask(url: &Uri, deadline: Instant) -> anyhow::Result<String> {
    let host = url.host().unwrap_or_default();
    let port = url.port_u16().unwrap_or(80);
    let bare_host = host.trim_start_matches('[').trim_end_matches(']');
    let address = (bare_host, port)
        .to_socket_addrs()
        .with_context(|| format!("{host} cannot be resolved"))?
        .next()
        .with_context(|| format!("{host} has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, left(deadline)?)
        .with_context(|| format!("cannot connect to {address}"))?;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    stream.set_write_timeout(Some(left(deadline)?))?;
    // 1.0: the node closes after its answer, and never sends it in chunks.
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n").as_bytes())?;
    let answer = read(&mut stream, deadline)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    anyhow::ensure!(head.starts_with("HTTP/1."), "{url} does not speak HTTP");
    anyhow::ensure!(status == "200", "{url} answered {status}: {}", body.trim_end());
    Ok(body.to_owned())
}

fn read(stream: &mut TcpStream, deadline: Instant) -> anyhow::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        // Set again for each read, so that an answer in small pieces cannot exceed the deadline.
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(answer),
            Ok(count) => answer.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("no whole answer in time"),
        }
        anyhow::ensure!(answer.len() <= MAX_ANSWER_BYTES, "the answer is too long");
    }
}

/// The time until `deadline`; an error when there is none left.
fn left(deadline: Instant) -> anyhow::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    anyhow::ensure!(!left.is_zero(), "no whole answer in time");
    Ok(left)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use std::net::TcpListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn check(url: &str) -> Healthcheck {
        Healthcheck {
            url: Some(url.to_owned()),
            config: None,
            ready: false,
            timeout_ms: 0,
        }
    }

    /// Answers one request with `answer` and returns its first line; keeps the connection open if `hangs`.
    fn server(answer: &'static str, hangs: bool) -> (Uri, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/livez", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let count = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            if hangs {
                // Until the other side has given up.
                let _ = stream.read(&mut request);
            }
            let request = String::from_utf8_lossy(&request[..count]).into_owned();
            request.lines().next().unwrap_or_default().to_owned()
        });
        (url.parse().unwrap(), served)
    }

    #[test]
    fn a_200_is_healthy_and_its_body_is_shown() {
        let (url, served) = server("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nok\n", false);
        assert_eq!(ask(&url, Instant::now() + PATIENCE).unwrap(), "ok\n");
        assert_eq!(served.join().unwrap(), "GET /livez HTTP/1.0");
    }

    #[test]
    fn a_503_is_not_and_its_reasons_are_shown() {
        let (url, _served) = server("HTTP/1.0 503 No\r\n\r\n{\"reason\":\"bus-down\"}", false);
        let error = ask(&url, Instant::now() + PATIENCE).unwrap_err().to_string();
        assert!(error.contains("503") && error.contains("bus-down"), "{error}");
    }

    #[test]
    fn something_that_is_no_http_is_not_healthy() {
        let (url, _served) = server("200 OK\r\n\r\n", false);
        assert!(ask(&url, Instant::now() + PATIENCE).is_err());
    }

    #[test]
    fn a_node_that_takes_the_connection_and_says_nothing_is_not_waited_for() {
        let (url, served) = server("HTTP/1.0 200 OK\r\n", true);
        let error = ask(&url, Instant::now() + Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("in time"), "{error:#}");
        served.join().unwrap();
    }

    #[test]
    fn nobody_there_is_not_healthy() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/livez", listener.local_addr().unwrap());
        drop(listener);
        assert!(ask(&url.parse().unwrap(), Instant::now() + PATIENCE).is_err());
    }

    #[test]
    fn an_address_for_listening_on_all_is_asked_on_loopback() {
        let reached = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(reached("0.0.0.0:9090"), "127.0.0.1:9090");
        assert_eq!(reached("[::]:9090"), "[::1]:9090");
        assert_eq!(reached("10.1.2.3:9090"), "10.1.2.3:9090");
    }

    #[test]
    fn a_url_that_cannot_be_asked_is_an_error_of_the_configuration() {
        assert!(url(&check("https://127.0.0.1:9090/livez")).is_err());
        assert!(url(&check("127.0.0.1 9090")).is_err());
        assert!(url(&check("http://[::1]:9090/readyz")).is_ok());
    }
}
