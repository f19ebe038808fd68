//! Carries a connection's bytes, one task for each direction, under the orders of its `Link`. Not a byte
//! more is held than the limits here; then the sender meets back-pressure.

use std::{collections::VecDeque, io, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    connection::Side,
    link::{Fate, Link, Orders},
};

/// The most bytes read at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// Chunks under way in one direction while it is delayed. Without a delay there is one.
const MAX_DELAYED_CHUNKS: usize = 256;

/// Starts a connection's two pumps.
pub(super) fn start(link: &Arc<Link>, client: TcpStream, upstream: TcpStream, pumps: &mut JoinSet<()>) {
    for stream in [&client, &upstream] {
        // The proxy itself must not add latency.
        let _ = stream.set_nodelay(true);
    }
    let (from_client, to_client) = client.into_split();
    let (from_upstream, to_upstream) = upstream.into_split();
    let directions = [
        (from_client, to_upstream, Side::Upstream),
        (from_upstream, to_client, Side::Client),
    ];
    for (reader, writer, towards) in directions {
        let pump = Pump {
            orders: link.orders(),
            link: Arc::clone(link),
            reader,
            writer,
            towards,
        };
        pumps.spawn(pump.run());
    }
}

struct Pump {
    link: Arc<Link>,
    orders: watch::Receiver<Orders>,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    towards: Side,
}

impl Pump {
    async fn run(mut self) {
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut queue: VecDeque<Chunk> = VecDeque::new();
        let mut is_ended = false;
        loop {
            // Read anew after every read from the socket, so that an order holds for what was sent after it.
            let orders = *self.orders.borrow_and_update();
            match orders.fate {
                Fate::Open => {}
                Fate::HalfOpen { closed } => return self.abandon(closed).await,
                Fate::Cut => return self.reset(),
            }
            let flows = !orders.is_frozen(self.towards);
            let most = if orders.delay.is_zero() {
                1
            } else {
                MAX_DELAYED_CHUNKS
            };
            // Each of these may be given up at any await without a byte lost or sent twice.
            let outcome = tokio::select! {
                biased;
                _ = self.orders.changed() => Ok(()),
                sent = deliver(queue.front_mut(), &orders, &self.link, self.towards, &mut self.writer),
                    if flows && !queue.is_empty() => match sent {
                        Ok(Progress::Partly) => Ok(()),
                        Ok(Progress::Delivered) => {
                            queue.pop_front();
                            Ok(())
                        }
                        Ok(Progress::EndOfStream) => return,
                        Err(error) => Err(error),
                    },
                read = self.reader.read(&mut buffer), if flows && !is_ended && queue.len() < most => {
                    read.map(|count| {
                        is_ended = count == 0;
                        queue.push_back(Chunk::new(buffer.get(..count).unwrap_or_default()));
                    })
                }
            };
            // What one side did by a reset, the other shall see as a reset.
            if outcome.is_err() {
                self.link.cut();
            }
        }
    }

    /// Both sides see a reset, once the other pump has released them too.
    fn reset(self) {
        for stream in [self.reader.as_ref(), self.writer.as_ref()] {
            let _ = stream.set_zero_linger();
        }
        // Dropped, it would first end the stream in an orderly way.
        self.writer.forget();
    }

    /// Releases the side `closed` and keeps the other one open until it ends or is cut. Its bytes are
    /// read and dropped, because only a reader sees its end.
    async fn abandon(self, closed: Side) {
        let Self {
            mut orders,
            mut reader,
            writer,
            towards,
            ..
        } = self;
        if towards != closed {
            // The other pump holds this stream's reading half and with it the stream.
            writer.forget();
            return;
        }
        drop(writer);
        let mut nowhere = tokio::io::sink();
        tokio::select! {
            _ = orders.wait_for(|orders| orders.fate == Fate::Cut) => {
                let _ = reader.as_ref().set_zero_linger();
            }
            _ = tokio::io::copy(&mut reader, &mut nowhere) => {}
        }
    }
}

/// Bytes that were read together; none of them stands for the end of the stream, which so keeps its place.
struct Chunk {
    bytes: Vec<u8>,
    sent: usize,
    is_inspected: bool,
    read_at: Instant,
}

impl Chunk {
    fn new(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.to_vec(),
            sent: 0,
            is_inspected: false,
            read_at: Instant::now(),
        }
    }
}

enum Progress {
    Partly,
    Delivered,
    EndOfStream,
}

/// Writes what it can of the chunk, when its time has come.
async fn deliver(
    chunk: Option<&mut Chunk>,
    orders: &Orders,
    link: &Link,
    towards: Side,
    writer: &mut OwnedWriteHalf,
) -> io::Result<Progress> {
    let Some(chunk) = chunk else {
        return Ok(Progress::Partly);
    };
    let left = orders.delay.saturating_sub(chunk.read_at.elapsed());
    if !left.is_zero() {
        sleep(left).await;
    }
    if chunk.bytes.is_empty() {
        // The pump ends with it, and a writing half that is dropped ends the stream.
        return Ok(Progress::EndOfStream);
    }
    if !chunk.is_inspected {
        chunk.is_inspected = true;
        if link.inspect(towards, &mut chunk.bytes).is_break() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if chunk.bytes.is_empty() {
            return Ok(Progress::Delivered);
        }
    }
    let count = writer
        .write(chunk.bytes.get(chunk.sent..).unwrap_or_default())
        .await?;
    link.count(towards, count);
    chunk.sent += count;
    Ok(if chunk.sent == chunk.bytes.len() {
        Progress::Delivered
    } else {
        Progress::Partly
    })
}
