//! Properties of the decoders in `switchboard-edge`; they stand in that crate, because they use private parts.

pub use switchboard_edge::fuzzing::proxy_header;
