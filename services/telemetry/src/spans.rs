//! Creation and export of spans. Not here: the spans of a message (`message_spans`).

use std::{sync::Arc, time::Duration};

use opentelemetry::{
    Context, KeyValue,
    trace::{Span as _, SpanKind, Tracer as _, TracerProvider as _},
};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span};
use switchboard_protocol::{MessageKind, TraceContext};

/// How long the collector may take for the last spans. A stopping node has a grace period to keep.
const LAST_SPANS: Duration = Duration::from_secs(1);

/// A span of a message. Dropping it ends the span.
#[derive(Debug, Default)]
pub struct MessageSpan(Option<Box<Span>>);

impl MessageSpan {
    /// The context for child spans on another node; `None` without a trace.
    #[must_use]
    pub fn context(&self) -> Option<TraceContext> {
        let context = self.0.as_ref()?.span_context();
        context.is_sampled().then(|| TraceContext {
            trace_id: context.trace_id().to_bytes(),
            span_id: context.span_id().to_bytes(),
            flags: context.trace_flags().to_u8(),
        })
    }
}

/// Creates the spans of a node.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    node: Arc<str>,
}

impl Traces {
    pub(crate) fn new(provider: SdkTracerProvider, node: Arc<str>) -> Self {
        let tracer = provider.tracer("switchboard");
        Self {
            provider,
            tracer,
            node,
        }
    }

    /// Exports the remaining spans. Blocks until the collector has them, or for [`LAST_SPANS`].
    pub(crate) fn shutdown(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(LAST_SPANS) {
            tracing::warn!(%error, "cannot export the last spans");
        }
    }

    pub(crate) fn span(&self, step: Step, kind: MessageKind, parent: &Context) -> MessageSpan {
        let attributes = [
            KeyValue::new("messaging.system", "switchboard"),
            KeyValue::new("switchboard.kind", kind.as_str()),
            KeyValue::new("switchboard.node", Arc::clone(&self.node)),
        ];
        let builder = self
            .tracer
            .span_builder(step.name(kind))
            .with_kind(step.role())
            .with_attributes(attributes);
        MessageSpan(Some(Box::new(self.tracer.build_with_context(builder, parent))))
    }
}

/// A step in the delivery of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Receive,
    Publish,
    Deliver,
}

impl Step {
    /// The span name, for example `receive offer`, without an allocation.
    const fn name(self, kind: MessageKind) -> &'static str {
        match (self, kind) {
            (Self::Receive, MessageKind::Offer) => "receive offer",
            (Self::Receive, MessageKind::Answer) => "receive answer",
            (Self::Receive, MessageKind::Candidate) => "receive candidate",
            (Self::Receive, MessageKind::Bye) => "receive bye",
            (Self::Receive, MessageKind::Message) => "receive message",
            (Self::Publish, MessageKind::Offer) => "publish offer",
            (Self::Publish, MessageKind::Answer) => "publish answer",
            (Self::Publish, MessageKind::Candidate) => "publish candidate",
            (Self::Publish, MessageKind::Bye) => "publish bye",
            (Self::Publish, MessageKind::Message) => "publish message",
            (Self::Deliver, MessageKind::Offer) => "deliver offer",
            (Self::Deliver, MessageKind::Answer) => "deliver answer",
            (Self::Deliver, MessageKind::Candidate) => "deliver candidate",
            (Self::Deliver, MessageKind::Bye) => "deliver bye",
            (Self::Deliver, MessageKind::Message) => "deliver message",
        }
    }

    const fn role(self) -> SpanKind {
        match self {
            Self::Receive => SpanKind::Server,
            Self::Publish => SpanKind::Producer,
            Self::Deliver => SpanKind::Consumer,
        }
    }
}
