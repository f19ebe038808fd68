//! The header of the PROXY protocol, versions 1 and 2 (haproxy.org, `proxy-protocol.txt`): a balancer that forwards TCP says
//! in front of the client's bytes where they come from. Only its addresses are read. Not who may send one (`listener`).
//!
//! No byte behind the header is read: it belongs to the HTTP request. So the parser says how many bytes are certain to come.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The first bytes of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The first bytes of version 1.
const WORD: &[u8; 6] = b"PROXY ";

/// The longest header of version 1, in bytes; the specification's own bound.
const MAX_V1_BYTES: usize = 107;

/// The longest header of version 2, in bytes, with the extensions that are skipped.
pub(crate) const MAX_V2_BYTES: usize = 4096;

/// Why a connection has no usable header.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyHeaderError {
    /// The connection ended before its first byte, as one of a health check does.
    #[error("the connection ended before its first byte")]
    Empty,
    /// The connection ended or failed within the header.
    #[error("the connection ended within its PROXY header: {0}")]
    Lost(#[from] io::Error),
    /// The bytes are no header.
    #[error("the connection does not begin with a PROXY header: {0}")]
    Malformed(&'static str),
}

/// What follows from the bytes read so far.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many more bytes belong to the header.
    More(usize),
    /// The header is complete; the client's address, unless the balancer speaks for itself.
    Done(Option<IpAddr>),
}

/// Reads the header of a connection, and nothing else.
///
/// # Errors
/// [`ProxyHeaderError`].
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<IpAddr>, ProxyHeaderError> {
    let mut header = Vec::with_capacity(MAX_V1_BYTES);
    loop {
        let more = match step(&header).map_err(ProxyHeaderError::Malformed)? {
            Step::Done(client) => return Ok(client),
            Step::More(more) => more,
        };
        let start = header.len();
        if start == 0 {
            match stream.read_u8().await {
                Ok(first) => header.push(first),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(ProxyHeaderError::Empty);
                }
                Err(error) => return Err(error.into()),
            }
        } else {
            header.resize(start + more, 0);
            stream.read_exact(&mut header[start..]).await?;
        }
    }
}

/// Decides on the bytes read so far.
///
/// # Errors
/// Why they begin no header.
pub(crate) fn step(header: &[u8]) -> Result<Step, &'static str> {
    let known = header.len().min(SIGNATURE.len());
    if header[..known] == SIGNATURE[..known] {
        if header.len() < SIGNATURE.len() {
            return Ok(Step::More(SIGNATURE.len() - header.len()));
        }
        return version_2(header);
    }
    let known = header.len().min(WORD.len());
    if header[..known] != WORD[..known] {
        return Err("its first bytes are those of neither version");
    }
    if header.len() < WORD.len() {
        return Ok(Step::More(WORD.len() - header.len()));
    }
    version_1(header)
}

fn version_2(header: &[u8]) -> Result<Step, &'static str> {
    let Some((fixed, body)) = header.split_at_checked(16) else {
        return Ok(Step::More(16 - header.len()));
    };
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if 16 + length > MAX_V2_BYTES {
        return Err("its extensions are too long");
    }
    if body.len() < length {
        return Ok(Step::More(length - body.len()));
    }
    match (fixed[12], fixed[13]) {
        // A health check of the balancer itself, or a family without addresses.
        (0x20, _) | (0x21, 0x00 | 0x31) => Ok(Step::Done(None)),
        (0x21, 0x11) => {
            let source: [u8; 4] = *body.first_chunk().ok_or("its addresses are cut short")?;
            is_whole(body, 12).map(|()| Step::Done(Some(Ipv4Addr::from(source).into())))
        }
        (0x21, 0x21) => {
            let source: [u8; 16] = *body.first_chunk().ok_or("its addresses are cut short")?;
            is_whole(body, 36).map(|()| Step::Done(Some(Ipv6Addr::from(source).into())))
        }
        (0x21, _) => Err("it is not about TCP"),
        _ => Err("its version or command is unknown"),
    }
}

fn is_whole(body: &[u8], addresses: usize) -> Result<(), &'static str> {
    (body.len() >= addresses)
        .then_some(())
        .ok_or("its addresses are cut short")
}

/// The end of the line is not known beforehand, so it is read byte by byte.
fn version_1(header: &[u8]) -> Result<Step, &'static str> {
    let Some(line) = header.strip_suffix(b"\r\n") else {
        return match header.len() {
            MAX_V1_BYTES.. => Err("its line is too long"),
            _ => Ok(Step::More(1)),
        };
    };
    let line = std::str::from_utf8(line).map_err(|_| "its line is not ASCII")?;
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["PROXY", "UNKNOWN", ..] => Ok(Step::Done(None)),
        ["PROXY", "TCP4", source, destination, from, to] => {
            of_line::<Ipv4Addr>([source, destination], [from, to])
                .map(|source| Step::Done(Some(source.into())))
        }
        ["PROXY", "TCP6", source, destination, from, to] => {
            of_line::<Ipv6Addr>([source, destination], [from, to])
                .map(|source| Step::Done(Some(source.into())))
        }
        _ => Err("its line has other words than the specification"),
    }
}

/// The source, if both addresses and both ports can be read.
fn of_line<A: FromStr>(addresses: [&str; 2], ports: [&str; 2]) -> Result<A, &'static str> {
    let source = addresses[0].parse().map_err(|_| "its source is no address")?;
    let _: A = addresses[1]
        .parse()
        .map_err(|_| "its destination is no address")?;
    for port in ports {
        let _: u16 = port.parse().map_err(|_| "its port is no number")?;
    }
    Ok(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_all(mut bytes: &[u8]) -> (Result<Option<IpAddr>, ProxyHeaderError>, Vec<u8>) {
        let outcome = read(&mut bytes).await;
        (outcome, bytes.to_vec())
    }

    fn version_2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut header = SIGNATURE.to_vec();
        header.extend([command, family]);
        header.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        header.extend(body);
        header
    }

    #[tokio::test]
    async fn both_versions_name_the_client_and_leave_the_request_alone() {
        let mut v6 = [0; 36];
        v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        v6[15] = 7;
        let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 0xd4, 0x31, 0x01, 0xbb];
        let with_extension = [&v4[..], &[0x04, 0, 3, 1, 2, 3]].concat();
        for (header, client) in [
            (
                b"PROXY TCP4 192.0.2.7 10.0.0.1 54321 443\r\n".to_vec(),
                Some("192.0.2.7"),
            ),
            (
                b"PROXY TCP6 2001:db8::7 ::1 54321 443\r\n".to_vec(),
                Some("2001:db8::7"),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(), None),
            (version_2(0x21, 0x11, &v4), Some("192.0.2.7")),
            (version_2(0x21, 0x11, &with_extension), Some("192.0.2.7")),
            (version_2(0x21, 0x21, &v6), Some("2001:db8::7")),
            (version_2(0x20, 0x00, &[]), None),
            (version_2(0x21, 0x31, &[0; 216]), None),
        ] {
            let bytes = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
            let (outcome, rest) = read_all(&bytes).await;
            let shown = header.escape_ascii();
            assert_eq!(
                outcome.unwrap().map(|ip| ip.to_string()).as_deref(),
                client,
                "{shown}"
            );
            assert_eq!(rest, b"GET / HTTP/1.1\r\n", "{shown}");
        }
    }

    #[tokio::test]
    async fn other_bytes_are_refused_within_their_bounds() {
        let endless = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 4000]].concat();
        for bytes in [
            b"GET /v1/ws HTTP/1.1\r\n\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 54321\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::7 ::1 54321 443\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 54321 65536\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2 3\r\n".to_vec(),
            b"PROXY \xff\r\n".to_vec(),
            version_2(0x21, 0x11, &[192, 0, 2, 7]),
            version_2(0x21, 0x12, &[0; 12]),
            version_2(0x22, 0x11, &[0; 12]),
            version_2(0x11, 0x11, &[0; 12]),
            version_2(0x21, 0x11, &[0; MAX_V2_BYTES]),
            endless,
        ] {
            let (outcome, _) = read_all(&bytes).await;
            let shown = bytes[..bytes.len().min(60)].escape_ascii();
            assert!(
                matches!(outcome, Err(ProxyHeaderError::Malformed(_))),
                "{shown}: {outcome:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_connection_without_a_byte_is_a_health_check_and_one_that_ends_early_is_lost() {
        assert!(matches!(read_all(b"").await.0, Err(ProxyHeaderError::Empty)));
        for bytes in [
            &b"PROXY TCP4 192"[..],
            b"\r\n\r\n\0",
            &version_2(0x21, 0x11, &[0; 12])[..20],
        ] {
            assert!(matches!(read_all(bytes).await.0, Err(ProxyHeaderError::Lost(_))));
        }
    }
}
