//! Serves an echo over the WebSocket layer on a free port, for Autobahn's fuzzing client (tests/autobahn).

use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{}/", listener.local_addr()?);
    match switchboard_edge::conformance::serve_echo(listener).await? {}
}
