//! The files that the public port leaves free. When clients have all others, a new one is refused at once, and the
//! operations port and the bus go on. Not the limit itself: the node reads it at its start.

use std::{io::Write as _, os::fd::AsRawFd as _, time::Duration};

use switchboard_telemetry::RefusalReason;
use tokio::net::TcpStream;

use crate::{problem::Problem, state::Edge};

/// When a client may try again: other clients rarely leave at once.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Whether `tcp` has one of the files kept in reserve. The kernel gives the lowest free number.
pub(crate) fn is_reserved(tcp: &TcpStream, edge: &Edge) -> bool {
    tcp.as_raw_fd() >= edge.config.first_reserved_file
}

/// Closes; before that answers as far as the kernel takes it at once, if the port `is_plain`. Words over TLS would need a
/// handshake.
pub(crate) fn refuse(tcp: TcpStream, edge: &Edge, is_plain: bool) {
    edge.telemetry.connect_refused(RefusalReason::Files);
    if is_plain && let Ok(mut tcp) = tcp.into_std() {
        // A client that does not get it sees a closed connection.
        let detail = "the node has no file left for a connection; try again later";
        let full = Problem::unavailable("full", detail).retry_after(RETRY_AFTER);
        let _ = tcp.write(&full.into_bytes());
    }
}
