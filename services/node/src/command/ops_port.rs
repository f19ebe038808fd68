//! One request to a node's operations port, for the commands that ask a running node. Not a general HTTP client: HTTP/1.0, one
//! connection for each request, one deadline for all of it.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use axum::http::{Method, Uri};
use switchboard_client::Trust;
use switchboard_protocol::Secret;

use crate::config::{Config, ConfigError};

/// A request.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) url: &'a Uri,
    /// Whom the command trusts behind https://.
    pub(super) trust: &'a Trust,
    /// Sent as `Authorization: Bearer`.
    pub(super) token: Option<&'a Secret>,
    /// The longest answer read, in bytes.
    pub(super) max_bytes: usize,
}

impl<'a> Request<'a> {
    pub(super) fn get(url: &'a Uri, trust: &'a Trust, max_bytes: usize) -> Self {
        Self {
            method: Method::GET,
            url,
            trust,
            token: None,
            max_bytes,
        }
    }
}

/// The answer, whatever its status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// The URL in `text`, which came from the option `--url` or from the configuration.
pub(super) fn url(text: &str) -> Result<Uri, ConfigError> {
    let url: Uri = text
        .parse()
        .map_err(|error| ConfigError::new("--url", format!("`{text}` is not a URL: {error}")))?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        let problem = format!("`{text}` must begin with http://, or with https:// where `[ops.tls]` is set");
        return Err(ConfigError::new("--url", problem));
    }
    Ok(url)
}

/// The root of the operations port of a configuration.
pub(super) fn root(config: &Config) -> String {
    let scheme = if config.ops.tls.is_empty() {
        "http"
    } else {
        "https"
    };
    format!("{scheme}://{}", reachable(config.server.ops_listen))
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

/// All addresses of the host of `url`; at least one.
pub(super) fn addresses(url: &Uri) -> anyhow::Result<Vec<SocketAddr>> {
    let host = bare_host(url);
    let port = url.port_u16().unwrap_or(if is_tls(url) { 443 } else { 80 });
    let found = (host, port).to_socket_addrs();
    let found: Vec<_> = found
        .with_context(|| format!("{host} cannot be resolved"))?
        .collect();
    anyhow::ensure!(!found.is_empty(), "{host} has no address");
    Ok(found)
}

fn bare_host(url: &Uri) -> &str {
    let host = url.host().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}

fn is_tls(url: &Uri) -> bool {
    url.scheme_str() == Some("https")
}

/// Sends the request to the first address of its URL and reads its answer; after `deadline` that is an error.
pub(super) fn ask(request: &Request<'_>, deadline: Instant) -> anyhow::Result<Answer> {
    let address = addresses(request.url)?[0];
    ask_at(request, address, deadline)
}

/// The same at this address, whatever the URL's host resolves to.
pub(super) fn ask_at(
    request: &Request<'_>,
    address: SocketAddr,
    deadline: Instant,
) -> anyhow::Result<Answer> {
    let url = request.url;
    let tcp = TcpStream::connect_timeout(&address, left(deadline)?)
        .with_context(|| format!("cannot connect to {address}"))?;
    let mut stream = Deadlined { tcp, deadline };
    let head = head(request, address);
    let answer = if is_tls(url) {
        let mut stream = request.trust.secure(bare_host(url), stream)?;
        exchange(&mut stream, &head, request.max_bytes)
    } else {
        exchange(&mut stream, &head, request.max_bytes)
    }?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.filter(|_| head.starts_with("HTTP/1."));
    Ok(Answer {
        status: status.with_context(|| format!("{url} does not speak HTTP"))?,
        body: body.to_owned(),
    })
}

/// The host is the address, which a node always takes; a name with a dot it takes only if it is configured.
fn head(request: &Request<'_>, address: SocketAddr) -> String {
    let path = request.url.path_and_query().map_or("/", |path| path.as_str());
    let token = request
        .token
        .map(|token| format!("Authorization: Bearer {}\r\n", token.expose()));
    // 1.0: the node closes after its answer, and never sends it in chunks.
    format!(
        "{} {path} HTTP/1.0\r\nHost: {address}\r\n{}Content-Length: 0\r\n\r\n",
        request.method,
        token.unwrap_or_default()
    )
}

/// Sends a head and reads the answer to its end.
fn exchange(stream: &mut (impl Read + Write), head: &str, max_bytes: usize) -> anyhow::Result<Vec<u8>> {
    let failed = "no whole answer in time";
    stream.write_all(head.as_bytes()).context(failed)?;
    stream.flush().context(failed)?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(answer),
            Ok(count) => answer.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context(failed),
        }
        anyhow::ensure!(answer.len() <= max_bytes, "the answer is too long");
    }
}

/// A connection whose reads and writes end at a deadline. It is looked at for each of them, so that an answer in small
/// pieces cannot exceed it.
struct Deadlined {
    tcp: TcpStream,
    deadline: Instant,
}

impl Read for Deadlined {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = left(self.deadline).map_err(io::Error::other)?;
        self.tcp.set_read_timeout(Some(left))?;
        self.tcp.read(bytes)
    }
}

impl Write for Deadlined {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = left(self.deadline).map_err(io::Error::other)?;
        self.tcp.set_write_timeout(Some(left))?;
        self.tcp.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
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

    fn ask_within(url: &Uri, time: Duration) -> anyhow::Result<Answer> {
        ask(
            &Request::get(url, &Trust::default(), 1_024),
            Instant::now() + time,
        )
    }

    /// Answers one request with `answer` and returns its head; keeps the connection open if `hangs`.
    fn server(answer: &'static str, hangs: bool) -> (Uri, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/livez", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            if hangs {
                // Until the other side has given up.
                let _ = stream.read(&mut [0]);
            }
            String::from_utf8(request).unwrap()
        });
        (url.parse().unwrap(), served)
    }

    #[test]
    fn the_answer_has_its_status_and_its_body() {
        let (url, served) = server("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nok\n", false);
        let answer = ask_within(&url, PATIENCE).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
        let request = served.join().unwrap();
        assert!(request.starts_with("GET /livez HTTP/1.0\r\n"), "{request}");
        let (url, _served) = server("HTTP/1.0 503 No\r\n\r\n{\"reason\":\"bus-down\"}", false);
        let answer = ask_within(&url, PATIENCE).unwrap();
        assert_eq!(answer.status, 503);
        assert!(answer.body.contains("bus-down"), "{}", answer.body);
    }

    #[test]
    fn the_token_is_sent_and_an_error_does_not_show_it() {
        let (url, served) = server("HTTP/1.0 nonsense\r\n\r\n", false);
        let (token, trust) = (Secret::new("0123456789abcdef"), Trust::default());
        let request = Request {
            method: Method::POST,
            token: Some(&token),
            ..Request::get(&url, &trust, 1_024)
        };
        let error = ask(&request, Instant::now() + PATIENCE).unwrap_err();
        let request = served.join().unwrap();
        assert!(request.contains("\r\nAuthorization: Bearer 0123456789abcdef\r\n"));
        assert!(!format!("{error:#} {error:?}").contains("0123456789abcdef"));
    }

    #[test]
    fn something_that_is_no_http_or_has_no_end_is_no_answer() {
        let (url, _served) = server("200 OK\r\n\r\n", false);
        assert!(ask_within(&url, PATIENCE).is_err());
        let endless = String::leak("HTTP/1.0 200 OK\r\n\r\n".to_owned() + &"x".repeat(2_000));
        let (url, _served) = server(endless, false);
        let error = ask_within(&url, PATIENCE).unwrap_err().to_string();
        assert!(error.contains("too long"), "{error}");
    }

    #[test]
    fn a_node_that_takes_the_connection_and_says_nothing_is_not_waited_for() {
        let (url, served) = server("HTTP/1.0 200 OK\r\n", true);
        let error = ask_within(&url, Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("in time"), "{error:#}");
        served.join().unwrap();
    }

    #[test]
    fn nobody_there_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/livez", listener.local_addr().unwrap());
        drop(listener);
        assert!(ask_within(&url.parse().unwrap(), PATIENCE).is_err());
    }

    #[test]
    fn an_address_for_listening_on_all_is_asked_on_loopback() {
        let reached = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(reached("0.0.0.0:9090"), "127.0.0.1:9090");
        assert_eq!(reached("[::]:9090"), "[::1]:9090");
        assert_eq!(reached("10.1.2.3:9090"), "10.1.2.3:9090");
    }
}
