//! Bytes over TLS are the bytes that were sent, in whatever pieces.

use proptest::prelude::*;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::peers::{BOTH, EchoPort, echoed};

#[tokio::test]
async fn bytes_of_every_size_come_back_with_both_versions() {
    let port = EchoPort::start(None).await;
    for version in [&TLS12, &TLS13] {
        let mut stream = port.connect(&port.client(&[version], None)).await.unwrap();
        for size in [1, 100, 16_383, 16_384, 16_385, 100_000, 3_000_000] {
            let bytes = (0..=250).cycle().take(size).collect();
            stream = echoed(stream, bytes).await;
        }
    }
}

#[tokio::test]
async fn a_goodbye_is_answered_with_a_goodbye() {
    let port = EchoPort::start(None).await;
    let mut stream = port.connect(&port.client(BOTH, None)).await.unwrap();
    stream.write_all(b"last words").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut got = Vec::new();
    // Without the node's own goodbye this would be an error.
    stream.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"last words");
}

#[tokio::test]
async fn a_reader_that_sleeps_gets_everything_when_it_wakes() {
    const SIZE: usize = 4_000_000;
    let port = EchoPort::start(None).await;
    let stream = port.connect(&port.client(BOTH, None)).await.unwrap();
    let (mut read, mut write) = tokio::io::split(stream);
    // Far more than the kernels hold: the port has to stop reading, and writing.
    let writing = tokio::spawn(async move {
        write.write_all(&vec![7; SIZE]).await.unwrap();
        write
    });
    tokio::task::yield_now().await;
    let mut got = vec![0; SIZE];
    read.read_exact(&mut got).await.unwrap();
    assert!(got.iter().all(|byte| *byte == 7));
    drop(writing.await.unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn pieces_of_any_size_come_back_in_order(sizes in prop::collection::vec(1_usize..40_000, 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let port = EchoPort::start(None).await;
            let mut stream = port.connect(&port.client(BOTH, None)).await.unwrap();
            for (number, size) in sizes.into_iter().enumerate() {
                stream = echoed(stream, vec![number as u8; size]).await;
            }
        });
    }
}
