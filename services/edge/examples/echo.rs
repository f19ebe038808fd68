//! Serves the echo route of the WebSocket layer on a free port, for Autobahn's fuzzing client.

use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{}/", listener.local_addr()?);
    loop {
        let (tcp, _) = listener.accept().await?;
        let service = TowerToHyperService::new(switchboard_edge::echo::routes());
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(tcp), service)
            .with_upgrades();
        tokio::task::spawn(connection);
    }
}
