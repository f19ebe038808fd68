//! Text that looks like a session description (RFC 8866), of any size: servers that look into payloads, and
//! compression on the way, meet what they would meet in earnest.

use std::{fmt::Write as _, sync::LazyLock};

/// The largest size; larger ones are cut to it, in bytes.
const MOST_BYTES: usize = 1 << 20;

/// Descriptions begin at a place of their own in the text, so that no two neighbours are alike.
const STRIDE: usize = 97;

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = String::with_capacity(MOST_BYTES * 2);
    let mut number = 0_u32;
    while text.len() < MOST_BYTES * 2 {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (kind, port) = (
            if number & 64 == 0 { "audio" } else { "video" },
            10_000 + number % 50_000,
        );
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "m={kind} {port} UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:{number:x}\r\n\
             a=fingerprint:sha-256 {number:08X}\r\na=setup:actpass\r\na=mid:{}\r\na=sendrecv\r\na=rtcp-mux\r\n\
             a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\na=ssrc:{number} cname:{:x}\r\n\
             a=candidate:{} 1 udp 2122260223 192.0.2.{} {port} typ host generation 0\r\n",
            number % 9,
            number.rotate_left(9),
            number % 4096,
            number % 250,
        );
    }
    text
});

/// `bytes` of it as JSON, roughly: line ends take two characters there. Different for each `number` nearby.
pub(crate) fn of_size(bytes: usize, number: u64) -> &'static str {
    let text = &**TEXT;
    // A line of some 40 bytes ends in two characters that JSON writes as four; the stamp takes some 90.
    let bytes = (bytes.saturating_sub(90) * 20 / 21).clamp(16, MOST_BYTES);
    let start = (usize::try_from(number).unwrap_or_default() % 4096) * STRIDE;
    text.get(start..start + bytes).unwrap_or(text)
}
