//! The trace context in an envelope: it joins the spans of both nodes in one trace. Not here: spans and exporters (crate
//! `telemetry`).

/// The parent of spans on another node (W3C Trace Context, sections 3.2.2.3 to 3.2.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// 16 bytes, big-endian.
    pub trace_id: [u8; 16],
    /// The parent span, 8 bytes, big-endian.
    pub span_id: [u8; 8],
    /// Trace flags; bit 0 is `sampled`.
    pub flags: u8,
}

impl TraceContext {
    /// Bytes of the encoded form.
    pub const BYTES: usize = 25;

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.trace_id);
        out.extend_from_slice(&self.span_id);
        out.push(self.flags);
    }

    pub(crate) fn decode(bytes: &[u8; Self::BYTES]) -> Self {
        let mut context = Self {
            trace_id: [0; 16],
            span_id: [0; 8],
            flags: bytes[24],
        };
        context.trace_id.copy_from_slice(&bytes[..16]);
        context.span_id.copy_from_slice(&bytes[16..24]);
        context
    }
}
