//! The decoders of bytes from the network with what must hold for all bytes, for fuzz targets. Not part of the API.

use crate::stream::proxy_header::{MAX_V2_BYTES, Step, step};

/// Headers of the PROXY protocol: the parser asks for bytes within its bound, and never for none.
///
/// # Panics
/// When that does not hold.
pub fn proxy_header(bytes: &[u8]) {
    let mut known = 0;
    while let Ok(Step::More(more)) = step(&bytes[..known]) {
        assert!(more > 0 && known + more <= MAX_V2_BYTES);
        if known + more > bytes.len() {
            return;
        }
        known += more;
    }
}
