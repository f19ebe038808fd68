//! The spans of one message: received from a client, published, delivered to the receiver, on two nodes and in one
//! trace. Without a collector each is a single branch.

use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceContextExt as _, TraceState},
};
use switchboard_protocol::{MessageKind, TraceContext};

use crate::{
    Telemetry,
    spans::{MessageSpan, Step},
};

impl Telemetry {
    /// A message is taken from a client: the beginning of a trace.
    #[must_use]
    pub fn span_receive(&self, kind: MessageKind) -> MessageSpan {
        self.span(Step::Receive, kind, None)
    }

    /// It is handed to the bus.
    #[must_use]
    pub fn span_publish(&self, kind: MessageKind, parent: &TraceContext) -> MessageSpan {
        self.span(Step::Publish, kind, Some(parent))
    }

    /// It waits for its receiver's socket, until it is written.
    #[must_use]
    pub fn span_deliver(&self, kind: MessageKind, parent: &TraceContext) -> MessageSpan {
        self.span(Step::Deliver, kind, Some(parent))
    }

    fn span(&self, step: Step, kind: MessageKind, parent: Option<&TraceContext>) -> MessageSpan {
        let Some(tracing) = &self.traces else {
            return MessageSpan::default();
        };
        let parent = parent.map_or_else(Context::new, |parent| {
            Context::new().with_remote_span_context(remote(parent))
        });
        tracing.span(step, kind, &parent)
    }
}

fn remote(context: &TraceContext) -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes(context.trace_id),
        SpanId::from_bytes(context.span_id),
        TraceFlags::new(context.flags),
        true,
        TraceState::NONE,
    )
}
