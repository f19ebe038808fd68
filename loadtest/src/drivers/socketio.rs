//! The driver of socketio.
