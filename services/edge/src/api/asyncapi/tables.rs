//! The tables of error and close codes as schemas: each code with its meaning, from the tables of crate `protocol`.

use serde_json::{Value, json};
use switchboard_protocol::{ClientShould, CloseCode, ErrorCode};

pub(super) fn error_codes() -> Value {
    let codes = ErrorCode::ALL
        .map(|code| json!({ "type": "string", "enum": [code.as_str()], "description": code.meaning() }));
    json!({ "description": "Why a command or a send failed. It is final for its `id`.", "oneOf": codes })
}

/// No frame has it. `x-client-should` is for clients that are generated.
pub(super) fn close_codes() -> Value {
    let codes = CloseCode::ALL.map(|code| {
        json!({
            "type": "integer",
            "enum": [code.code()],
            "description": code.reason(),
            "x-client-should": match code.client_should() {
                ClientShould::Stop => "stop",
                ClientShould::StopAndFix => "stop-and-fix",
                ClientShould::Resume => "resume",
                ClientShould::ResumeAtOnce => "resume-at-once",
                ClientShould::RenewToken => "renew-token",
            },
        })
    });
    json!({ "description": "Why a node closed a connection (RFC 6455, section 7.4).", "oneOf": codes })
}
