//! A worker's work: connect, send, hear, check, over any driver.
