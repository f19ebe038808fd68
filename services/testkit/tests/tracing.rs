//! One trace shows a message on both nodes, at a real OTLP receiver.

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    trace::v1::Span,
};
use switchboard_protocol::MessageKind;
use switchboard_testkit::{Cluster, PATIENCE, payload};
use tokio::sync::mpsc;

struct Receiver(mpsc::Sender<(String, Span)>);

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        for resource_spans in request.into_inner().resource_spans {
            let attributes = resource_spans.resource.unwrap_or_default().attributes;
            let instance = attributes
                .into_iter()
                .find(|attribute| attribute.key == "service.instance.id");
            let instance = format!("{:?}", instance.and_then(|attribute| attribute.value));
            for span in resource_spans
                .scope_spans
                .into_iter()
                .flat_map(|scope| scope.spans)
            {
                let _ = self.0.send((instance.clone(), span)).await;
            }
        }
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_shows_receive_and_publish_on_the_first_node_and_deliver_on_the_second() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = listener.local_addr().unwrap();
    let (sender, mut spans) = mpsc::channel(64);
    let service = TraceServiceServer::new(Receiver(sender));
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let server = tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming),
    );

    let telemetry = format!("[telemetry]\notlp_endpoint = \"http://{endpoint}\"\ntrace_sample_ratio = 1.0\n");
    let cluster = Cluster::start_with(2, &telemetry).await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let mut bob = cluster.connect(1, "bob").await.unwrap();
    alice
        .send_and_confirm(MessageKind::Offer, "bob", &payload("1").unwrap(), PATIENCE)
        .await
        .unwrap();
    bob.message(PATIENCE).await.unwrap();

    let mut seen = Vec::new();
    while seen.len() < 3 {
        let span = tokio::time::timeout(PATIENCE, spans.recv())
            .await
            .expect("three spans arrive in time");
        seen.push(span.expect("the receiver lives"));
    }
    server.abort();
    seen.sort_by(|(_, left), (_, right)| left.name.cmp(&right.name));
    let names: Vec<_> = seen.iter().map(|(_, span)| span.name.as_str()).collect();
    assert_eq!(names, ["deliver offer", "publish offer", "receive offer"]);
    assert!(
        seen[0].0.contains("n2") && seen[1].0.contains("n1") && seen[2].0.contains("n1"),
        "{seen:?}"
    );
    for (_, child) in &seen[..2] {
        assert_eq!(
            (&child.trace_id, &child.parent_span_id),
            (&seen[2].1.trace_id, &seen[2].1.span_id)
        );
    }
}
