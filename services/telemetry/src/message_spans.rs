//! The spans of one message: received from a client, published, delivered. One trace has the spans of both nodes. Without a
//! collector each span is a single branch.

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
    /// The node receives a message from a client. A trace begins.
    #[must_use]
    pub fn span_receive(&self, kind: MessageKind) -> MessageSpan {
        self.span(Step::Receive, kind, None)
    }

    /// The node publishes the message to the bus.
    #[must_use]
    pub fn span_publish(&self, kind: MessageKind, parent: &TraceContext) -> MessageSpan {
        self.span(Step::Publish, kind, Some(parent))
    }

    /// The message waits for its receiver's socket, until it is written.
    #[must_use]
    pub fn span_deliver(&self, kind: MessageKind, parent: &TraceContext) -> MessageSpan {
        self.span(Step::Deliver, kind, Some(parent))
    }

    fn span(&self, step: Step, kind: MessageKind, parent: Option<&TraceContext>) -> MessageSpan {
        let Some(traces) = &self.traces else {
            return MessageSpan::default();
        };
        let parent = parent.map_or_else(Context::new, |parent| {
            Context::new().with_remote_span_context(remote(parent))
        });
        traces.span(step, kind, &parent)
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
