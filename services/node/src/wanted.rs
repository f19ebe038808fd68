//! The state in which the operator wants the node, from its operations port and from signals.

use tokio::sync::watch;

/// A state in which the node can be wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// It serves clients.
    Serving,
    /// It moves its clients to other nodes and takes no new ones.
    Drained,
    /// As drained, and then the process ends.
    Stopped,
}

/// The node must stop; nothing else can be wanted any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AlreadyStopping;

/// Changes the wanted state, unless the node must stop.
pub(crate) fn want(sender: &watch::Sender<Wanted>, wanted: Wanted) -> Result<(), AlreadyStopping> {
    let mut is_stopping = false;
    sender.send_if_modified(|current| {
        is_stopping = *current == Wanted::Stopped;
        let is_new = !is_stopping && *current != wanted;
        if is_new {
            *current = wanted;
        }
        is_new
    });
    if is_stopping { Err(AlreadyStopping) } else { Ok(()) }
}
