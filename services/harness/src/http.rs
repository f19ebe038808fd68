//! One HTTP request to a server on 127.0.0.1, as much as readiness checks and operations ports need. Not an HTTP
//! client: HTTP/1.0, no headers of the caller's but a token, one connection per request.

use std::{io, net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// How long an answer may take. A frozen process accepts connections and never answers.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// The longest answer that is read, in bytes; a node's metrics are some 50 KiB.
const MAX_ANSWER_BYTES: u64 = 4 << 20;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status code.
    pub status: u16,
    /// Its body.
    pub body: String,
}

/// Sends `method` for `path` to `port` without a body, with a bearer token where one is given.
///
/// # Errors
/// When there is no answer within 3 seconds, or it is not HTTP.
pub async fn request(method: &str, port: u16, path: &str, token: Option<&str>) -> io::Result<Answer> {
    let exchange = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        // With HTTP/1.0 the body is as it is, and the server closes the connection behind it.
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
        let token = token.unwrap_or_default();
        let request =
            format!("{method} {path} HTTP/1.0\r\nhost: 127.0.0.1\r\n{token}content-length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.take(MAX_ANSWER_BYTES).read_to_string(&mut text).await?;
        io::Result::Ok(text)
    };
    let text = timeout(ANSWER_WITHIN, exchange).await??;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(Answer {
        status: status.ok_or(io::ErrorKind::InvalidData)?,
        body: body.to_owned(),
    })
}
