//! Commands over HTTP, for connections whose transport carries only events: where they wait for the connection's loop
//! (`input`), and the way of requests to the node that has the session (`relay`). Not their meaning, which is the codec's.

pub(crate) mod input;
pub(crate) mod relay;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::connection::{end::ClientClose, frame::Frame};

/// Commands in one request, at most.
pub(crate) const MAX_COMMANDS: usize = 64;

/// Bytes of one request beyond one message of the largest size.
const MORE_BYTES: usize = 64 * 1024;

/// Bytes of one request, and of all commands that wait for one connection.
pub(crate) const fn max_bytes(message_bytes: usize) -> usize {
    message_bytes.saturating_add(MORE_BYTES)
}

/// The longest text that may be a close.
const MAX_CLOSE_BYTES: usize = 64;

/// The text is not one command or an array of at most [`MAX_COMMANDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotCommands;

/// The commands in the text of a request: one, or an array of them. Each stays as the client wrote it, also where it is
/// no command: its answer comes over the connection. `{"type":"close","code":1000}` is the client's close.
pub(crate) fn split(text: &str) -> Result<Vec<Frame>, NotCommands> {
    if !text.trim_ascii_start().starts_with('[') {
        return Ok(vec![frame(text)]);
    }
    let commands: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| NotCommands)?;
    if commands.len() > MAX_COMMANDS {
        return Err(NotCommands);
    }
    Ok(commands.into_iter().map(|command| frame(command.get())).collect())
}

fn frame(text: &str) -> Frame {
    #[derive(Deserialize)]
    struct Close {
        r#type: String,
        code: u16,
    }
    let may_close = text.len() <= MAX_CLOSE_BYTES && text.contains("close");
    let close = may_close.then(|| serde_json::from_str(text).ok()).flatten();
    match close {
        Some(Close { r#type, code }) if r#type == "close" => Frame::Close(ClientClose::of(Some(code))),
        Some(_) | None => Frame::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Result<Vec<String>, NotCommands> {
        let shown = |frame: &Frame| {
            if let Frame::Text(text) = frame {
                return text.clone();
            }
            format!("{frame:?}")
        };
        Ok(split(text)?.iter().map(shown).collect())
    }

    #[test]
    fn a_request_has_one_command_or_an_array_of_them() {
        let ping = r#"{"type":"ping"}"#;
        assert_eq!(texts(ping), Ok(vec![ping.into()]));
        assert_eq!(
            texts(r#" [ {"a": 1} ,2]"#),
            Ok(vec![r#"{"a": 1}"#.into(), "2".into()])
        );
        assert_eq!(texts("[]"), Ok(vec![]));
        assert_eq!(texts("[1,"), Err(NotCommands));
        let many = format!("[{}1]", "1,".repeat(MAX_COMMANDS));
        assert_eq!(texts(&many), Err(NotCommands));
    }

    #[test]
    fn a_close_has_the_meaning_that_its_code_has_over_a_websocket() {
        for (code, close) in [
            (1000, "Close(Done)"),
            (1001, "Close(Left)"),
            (3001, "Close(Failed)"),
        ] {
            assert_eq!(
                texts(&format!(r#"{{"type":"close","code":{code}}}"#)),
                Ok(vec![close.into()])
            );
        }
        let message = r#"{"type":"message","to":"close","payload":1}"#;
        assert_eq!(texts(message), Ok(vec![message.into()]));
    }
}
