//! A queue bounded in count *and* bytes, whose writers never wait. Not a general channel: it has one reader, and
//! an item that does not fit is refused at once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use switchboard_core::BrokerError;
use tokio::sync::mpsc;

/// The most commands a queue holds.
pub(crate) const MAX_QUEUED_COMMANDS: usize = 65_536;

/// The most payload bytes a queue holds.
pub(crate) const MAX_QUEUED_BYTES: usize = 64 * 1024 * 1024;

/// An item of a queue: it knows how many bytes of payload it keeps alive.
pub(crate) trait Weighed {
    /// Payload bytes, without the item's own size.
    fn bytes(&self) -> usize;
}

/// The writers' end.
#[derive(Debug)]
pub(crate) struct Sender<T> {
    items: mpsc::Sender<T>,
    bytes: Arc<AtomicUsize>,
}

/// The reader's end.
#[derive(Debug)]
pub(crate) struct Receiver<T> {
    items: mpsc::Receiver<T>,
    bytes: Arc<AtomicUsize>,
}

/// An empty queue.
pub(crate) fn bounded<T: Weighed>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::channel(MAX_QUEUED_COMMANDS);
    let bytes = Arc::new(AtomicUsize::new(0));
    let sender = Sender {
        items: sender,
        bytes: Arc::clone(&bytes),
    };
    (
        sender,
        Receiver {
            items: receiver,
            bytes,
        },
    )
}

impl<T: Weighed> Sender<T> {
    /// Queues `item`, or returns it with the reason why not; never waits.
    pub(crate) fn push(&self, item: T) -> Result<(), (BrokerError, T)> {
        let bytes = item.bytes();
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > MAX_QUEUED_BYTES {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err((BrokerError::QueueFull, item));
        }
        self.items.try_send(item).map_err(|error| {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            match error {
                mpsc::error::TrySendError::Full(item) => (BrokerError::QueueFull, item),
                mpsc::error::TrySendError::Closed(item) => (BrokerError::Unavailable, item),
            }
        })
    }
}

impl<T: Weighed> Receiver<T> {
    /// Appends up to `limit` queued items to `into` and waits for the first; 0 once the queue is closed and
    /// empty. Cancel safe.
    pub(crate) async fn receive(&mut self, into: &mut Vec<T>, limit: usize) -> usize {
        let before = into.len();
        let received = self.items.recv_many(into, limit).await;
        let bytes = into.iter().skip(before).map(Weighed::bytes).sum();
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        received
    }

    /// Refuses new items; queued items can still be received.
    pub(crate) fn close(&mut self) {
        self.items.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weighed for Vec<u8> {
        fn bytes(&self) -> usize {
            self.len()
        }
    }

    #[tokio::test]
    async fn the_queue_is_bounded_in_bytes_and_has_room_again_when_read() {
        let (sender, mut receiver) = bounded();
        let half = vec![0; MAX_QUEUED_BYTES / 2];
        assert_eq!(sender.push(half.clone()), Ok(()));
        assert_eq!(sender.push(half), Ok(()));
        assert_eq!(
            sender.push(vec![0]).map_err(|(error, _)| error),
            Err(BrokerError::QueueFull)
        );
        let mut received = Vec::new();
        assert_eq!(receiver.receive(&mut received, 1).await, 1);
        assert_eq!(sender.push(vec![0]), Ok(()));
    }

    #[tokio::test]
    async fn the_queue_is_bounded_in_count_and_closes() {
        let (sender, mut receiver) = bounded();
        for _ in 0..MAX_QUEUED_COMMANDS {
            assert_eq!(sender.push(Vec::new()), Ok(()));
        }
        assert_eq!(
            sender.push(Vec::new()).map_err(|(error, _)| error),
            Err(BrokerError::QueueFull)
        );
        receiver.close();
        let mut received = Vec::new();
        while receiver.receive(&mut received, 1024).await > 0 {}
        assert_eq!(received.len(), MAX_QUEUED_COMMANDS);
        assert_eq!(
            sender.push(Vec::new()).map_err(|(error, _)| error),
            Err(BrokerError::Unavailable)
        );
    }

    #[tokio::test]
    async fn an_item_that_was_refused_takes_no_bytes() {
        let (sender, mut receiver) = bounded();
        assert_eq!(
            sender
                .push(vec![0; MAX_QUEUED_BYTES + 1])
                .map_err(|(error, _)| error),
            Err(BrokerError::QueueFull)
        );
        assert_eq!(sender.push(vec![0; MAX_QUEUED_BYTES]), Ok(()));
        let mut received = Vec::new();
        assert_eq!(receiver.receive(&mut received, 8).await, 1);
        receiver.close();
        assert_eq!(
            sender.push(vec![0; MAX_QUEUED_BYTES]).map_err(|(error, _)| error),
            Err(BrokerError::Unavailable)
        );
        assert_eq!(sender.bytes.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn items_read_before_do_not_count_again() {
        let (sender, mut receiver) = bounded();
        let mut received = vec![vec![0; 100]];
        sender.push(vec![0; 30]).unwrap();
        sender.push(vec![0; 7]).unwrap();
        assert_eq!(receiver.receive(&mut received, 1).await, 1);
        assert_eq!(sender.bytes.load(Ordering::Relaxed), 7);
    }
}
