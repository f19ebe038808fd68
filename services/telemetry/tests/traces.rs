//! Spans without a collector. `services/testkit/tests/tracing.rs` tests them with one.

use switchboard_protocol::MessageKind;
use switchboard_telemetry::{OtlpConfig, Telemetry};

#[test]
fn without_a_collector_nothing_is_traced() {
    assert_eq!(
        Telemetry::new("n1").span_receive(MessageKind::Bye).context(),
        None
    );
}

#[tokio::test]
async fn an_unreachable_collector_is_no_error() {
    let otlp = OtlpConfig {
        endpoint: "http://127.0.0.1:1".into(),
        service_instance: "n1".into(),
        sample_ratio: 1.0,
    };
    let telemetry = Telemetry::traced("n1", &otlp).unwrap();
    let context = telemetry
        .span_receive(MessageKind::Offer)
        .context()
        .expect("sampled");
    drop(telemetry.span_deliver(MessageKind::Offer, &context));
    telemetry.shutdown_traces().await;
}

#[tokio::test]
async fn an_invalid_endpoint_is_refused_with_its_name() {
    let otlp = OtlpConfig {
        endpoint: "not an address".into(),
        service_instance: "n1".into(),
        sample_ratio: 1.0,
    };
    let error = Telemetry::traced("n1", &otlp).unwrap_err();
    assert!(
        error.to_string().contains("otlp_endpoint not an address"),
        "{error}"
    );
}
