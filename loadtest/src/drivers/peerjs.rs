//! The driver of peerjs.
