//! `[tls]`: whom the node trusts as a TLS client. TLS of its own ports is in `port_tls`.

use std::path::PathBuf;

use super::section::section;

section! {
    /// `[tls]`.
    TlsSection {
        /// A PEM file of authorities that the node trusts in addition to those of the system, for the keys of issuers and
        /// for webhooks.
        ca_file: Option<PathBuf> = None,
    }
}
