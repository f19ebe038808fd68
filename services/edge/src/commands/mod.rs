//! Commands over HTTP, for connections whose transport carries only events: where they wait for the connection's loop
//! (`input`), and their way to the node that has the session (`relay`). Not their meaning, which is the codec's.

pub(crate) mod input;
pub(crate) mod relay;

use serde_json::value::RawValue;

use crate::connection::transport::Text;

/// Commands in one request, at most.
pub(crate) const MAX_COMMANDS: usize = 64;

/// Bytes of one request beyond one message of the largest size.
const MORE_BYTES: usize = 64 * 1024;

/// Bytes of one request, and of all commands that wait for one connection.
pub(crate) const fn max_bytes(message_bytes: usize) -> usize {
    message_bytes.saturating_add(MORE_BYTES)
}

/// The text is not one command or an array of at most [`MAX_COMMANDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotCommands;

/// The commands in the text of a request: one, or an array of them. Each stays as the client wrote it, also where it is
/// no command: its answer comes over the connection.
pub(crate) fn split(text: &str) -> Result<Vec<Text>, NotCommands> {
    if !text.trim_ascii_start().starts_with('[') {
        return Ok(vec![Text::from(text.to_owned())]);
    }
    let commands: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| NotCommands)?;
    if commands.len() > MAX_COMMANDS {
        return Err(NotCommands);
    }
    Ok(commands
        .into_iter()
        .map(|command| Text::from(command.get().to_owned()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_one_command_or_an_array_of_them() {
        let texts = |text: &str| {
            let commands = split(text)?;
            Ok(commands
                .iter()
                .map(|command| command.as_str().to_owned())
                .collect())
        };
        assert_eq!(texts(r#"{"type":"ping"}"#), Ok(vec![r#"{"type":"ping"}"#.into()]));
        assert_eq!(
            texts(r#" [ {"a": 1} ,2]"#),
            Ok(vec![r#"{"a": 1}"#.into(), "2".into()])
        );
        assert_eq!(texts("[]"), Ok(vec![]));
        assert_eq!(texts("[1,"), Err::<Vec<String>, _>(NotCommands));
        let many = format!("[{}1]", "1,".repeat(MAX_COMMANDS));
        assert_eq!(texts(&many), Err(NotCommands));
    }
}
