//! The files that the public port leaves free. When clients have all others, a new one is refused at once, and the
//! operations port and the bus go on. Not the limit itself: the node reads it at its start.

use std::{io::Write as _, os::fd::AsRawFd as _};

use switchboard_telemetry::RefusalReason;
use tokio::net::TcpStream;

use crate::state::Edge;

/// The whole answer: there is no file for a connection that could take a request.
const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n\
    retry-after: 5\r\nconnection: close\r\n\r\n\
    {\"type\":\"urn:switchboard:problem:full\",\"title\":\"The node is full\",\"status\":503,\"code\":\"full\",\
    \"detail\":\"the node has no file left for a connection; try again later\",\"retry_after_ms\":5000}";

/// Whether `tcp` has one of the files kept in reserve. The kernel gives the lowest free number.
pub(crate) fn is_reserved(tcp: &TcpStream, edge: &Edge) -> bool {
    tcp.as_raw_fd() >= edge.config.first_reserved_file
}

/// Answers as far as the kernel takes it at once, and closes.
pub(crate) fn refuse(tcp: TcpStream, edge: &Edge) {
    edge.telemetry.connect_refused(RefusalReason::Files);
    if let Ok(mut tcp) = tcp.into_std() {
        // A client that does not get it sees a closed connection.
        let _ = tcp.write(ANSWER);
    }
}
