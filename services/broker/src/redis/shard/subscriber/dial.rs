//! Opens a pub/sub connection: TCP, then credentials. No SELECT: channels know no databases. Not redis-rs,
//! because it handles an unexpected reply in another way than this connection needs.

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    parser::{Frame, parse},
    resp::write_command,
};
use crate::redis::config::Endpoint;

/// A connected, authenticated stream; the error is for people.
pub(super) async fn dial(endpoint: &Endpoint) -> Result<TcpStream, String> {
    match timeout(endpoint.connect_timeout, open(endpoint)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!(
            "Redis at {}:{} does not answer",
            endpoint.host, endpoint.port
        )),
    }
}

async fn open(endpoint: &Endpoint) -> Result<TcpStream, String> {
    let at = (endpoint.host.as_str(), endpoint.port);
    let failed = |error: std::io::Error| format!("Redis at {}:{} cannot be reached: {error}", at.0, at.1);
    let mut stream = TcpStream::connect(at).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let info = endpoint.info();
    let settings = info.redis_settings();
    if let Some(password) = settings.password() {
        let mut command = Vec::new();
        match settings.username() {
            Some(user) => write_command(&["AUTH", user, password], &mut command),
            None => write_command(&["AUTH", password], &mut command),
        }
        stream.write_all(&command).await.map_err(failed)?;
        authenticated(&mut stream).await?;
    }
    Ok(stream)
}

async fn authenticated(stream: &mut TcpStream) -> Result<(), String> {
    let mut buffer = BytesMut::with_capacity(256);
    loop {
        match parse(&buffer) {
            Ok(Some((Frame::Ok, _))) => return Ok(()),
            Ok(Some((Frame::Error(text), _))) => {
                return Err(format!("Redis refused the credentials: {}", text.escape_ascii()));
            }
            Ok(Some(_)) | Err(_) => return Err("what answers is not a Redis".to_owned()),
            Ok(None) => {}
        }
        match stream.read_buf(&mut buffer).await {
            Ok(0) => return Err("Redis closed the connection during the handshake".to_owned()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}
