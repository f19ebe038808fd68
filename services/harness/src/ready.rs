//! How one sees from outside that a server serves: one check, bounded, with its outcome in words. Not the waiting
//! (`process`).

use std::{net::Ipv4Addr, time::Duration};

use tokio::{net::TcpStream, time::timeout};

use crate::{http, resp};

/// How long a Redis may take for one `PONG`, and a server to accept one connection.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// The sign that a server serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ready {
    /// It runs; there is nothing to wait for.
    Started,
    /// A TCP connection to this port is accepted.
    Accepts(u16),
    /// HTTP on this port answers, with any status.
    Answers(u16),
    /// `GET /readyz` on this port answers 200.
    Readyz(u16),
    /// A Redis on this port answers `PONG`.
    Pong {
        /// Its port.
        port: u16,
        /// Its password, if it asks for one.
        password: Option<String>,
    },
}

impl Ready {
    /// Checks once.
    pub(crate) async fn check(&self) -> Result<(), String> {
        match self {
            Self::Started => Ok(()),
            Self::Accepts(port) => {
                let connect = TcpStream::connect((Ipv4Addr::LOCALHOST, *port));
                let stream = timeout(ANSWER_WITHIN, connect).await;
                stream
                    .map_err(|error| error.to_string())?
                    .map(drop)
                    .map_err(|error| format!("port {port}: {error}"))
            }
            Self::Answers(port) => {
                let answer = http::request("GET", *port, "/", None).await;
                answer
                    .map(drop)
                    .map_err(|error| format!("GET / on port {port}: {error}"))
            }
            Self::Readyz(port) => match http::request("GET", *port, "/readyz", None).await {
                Ok(answer) if answer.status == 200 => Ok(()),
                Ok(answer) => Err(format!(
                    "GET /readyz is {}: {}",
                    answer.status,
                    answer.body.trim()
                )),
                Err(error) => Err(format!("GET /readyz on port {port}: {error}")),
            },
            Self::Pong { port, password } => {
                let ping = resp::call(*port, password.as_deref(), &["PING"]);
                let reply = timeout(ANSWER_WITHIN, ping).await;
                match reply.map_err(|error| format!("PING: {error}"))? {
                    Ok(resp::Reply::Text(text)) if text == "PONG" => Ok(()),
                    Ok(other) => Err(format!("PING is answered {other:?}")),
                    Err(error) => Err(format!("PING on port {port}: {error:#}")),
                }
            }
        }
    }
}
