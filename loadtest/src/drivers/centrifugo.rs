//! The driver of centrifugo.
