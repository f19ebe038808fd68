//! What servers are asked to do, line by line, as MONITOR shows it.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use switchboard_harness::RedisServer;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::sleep,
};
use tokio_util::task::AbortOnDropHandle;

/// How long the last commands may take to be shown.
const QUIET: Duration = Duration::from_millis(300);

/// Reads until it is stopped.
pub(crate) struct Monitor {
    lines: Arc<Mutex<Vec<String>>>,
    _readers: Vec<AbortOnDropHandle<()>>,
}

impl Monitor {
    pub(crate) async fn start(servers: &[RedisServer]) -> Self {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let mut readers = Vec::new();
        for server in servers {
            let mut stream = TcpStream::connect(server.address()).await.unwrap();
            stream.write_all(b"MONITOR\r\n").await.unwrap();
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            reader.read_line(&mut line).await.unwrap();
            assert_eq!(line, "+OK\r\n");
            let lines = Arc::clone(&lines);
            readers.push(AbortOnDropHandle::new(tokio::spawn(async move {
                let mut reader = reader.lines();
                while let Ok(Some(line)) = reader.next_line().await {
                    lines.lock().push(line);
                }
            })));
        }
        Self {
            lines,
            _readers: readers,
        }
    }

    /// Commands whose text has `word` in it: those that nodes sent, and those that scripts called.
    pub(crate) async fn stop(self, word: &str) -> (usize, usize) {
        sleep(QUIET).await;
        let lines = self.lines.lock();
        let own = || lines.iter().filter(|line| line.contains(word));
        let inner = own().filter(|line| line.contains(" lua]")).count();
        (own().count() - inner, inner)
    }
}
