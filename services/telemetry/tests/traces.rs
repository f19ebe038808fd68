//! Traces against a real OTLP receiver over gRPC: the spans of two nodes form one trace.

use std::sync::Arc;

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    trace::v1::Span,
};
use switchboard_protocol::MessageKind;
use switchboard_telemetry::{OtlpConfig, Telemetry};
use tokio::sync::mpsc;

struct Collector(mpsc::Sender<(String, Span)>);

#[tonic::async_trait]
impl TraceService for Collector {
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
                self.0
                    .send((instance.clone(), span))
                    .await
                    .map_err(|_| tonic::Status::cancelled("test over"))?;
            }
        }
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_spans_of_one_message_on_two_nodes_form_one_trace() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (sender, mut spans) = mpsc::channel(16);
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let server = tonic::transport::Server::builder().add_service(TraceServiceServer::new(Collector(sender)));
    let server = tokio::spawn(server.serve_with_incoming(incoming));

    let node = |name: &str| {
        let config = OtlpConfig {
            endpoint: endpoint.clone(),
            service_instance: name.into(),
            sample_ratio: 1.0,
        };
        Telemetry::traced(name, &config).unwrap()
    };
    let (n1, n2) = (node("n1"), node("n2"));
    let receive = n1.span_receive(MessageKind::Offer);
    let context = receive.context().expect("sampled");
    drop(n1.span_publish(MessageKind::Offer, &context));
    drop(n2.span_deliver(MessageKind::Offer, &context));
    drop(receive);
    n1.shutdown_traces().await;
    n2.shutdown_traces().await;

    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.push(spans.recv().await.expect("three spans arrive"));
    }
    server.abort();
    seen.sort_by(|(_, left), (_, right)| left.name.cmp(&right.name));
    let names: Vec<_> = seen.iter().map(|(_, span)| span.name.as_str()).collect();
    assert_eq!(names, ["deliver offer", "publish offer", "receive offer"]);
    assert!(seen[0].0.contains("n2") && seen[1].0.contains("n1"));
    let root = &seen[2].1;
    assert!(root.parent_span_id.is_empty());
    for (_, child) in &seen[..2] {
        assert_eq!(
            (&child.trace_id, &child.parent_span_id),
            (&root.trace_id, &root.span_id)
        );
    }
}

#[test]
fn without_a_collector_nothing_is_traced() {
    let telemetry = Arc::new(Telemetry::new("n1"));
    assert_eq!(telemetry.span_receive(MessageKind::Bye).context(), None);
}
