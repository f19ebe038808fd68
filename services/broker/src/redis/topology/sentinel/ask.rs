//! The questions to one Sentinel, over one connection that it also sends news on (RESP3).

use std::time::Duration;

use tokio::time::timeout;

use crate::redis::{
    dial::{Conversation, Stream, dial_for_questions},
    endpoint::{Address, Endpoint},
    resp::Reply,
};

/// Sentinels publish here that a master has changed.
const NEWS: &str = "+switch-master";

/// What a Sentinel says of the master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) address: Address,
    /// The election that chose it: the answer of a later one counts.
    pub(super) epoch: u64,
    /// The Sentinel does not reach it.
    pub(super) is_down: bool,
}

/// A connection to one Sentinel.
pub(super) struct Sentinel {
    conversation: Conversation<Stream>,
    patience: Duration,
}

impl Sentinel {
    /// Connects, and subscribes to its news.
    ///
    /// # Errors
    /// For people; with the Sentinel's address, as all errors here.
    pub(super) async fn connect(endpoint: &Endpoint) -> Result<Self, String> {
        let mut sentinel = Self {
            conversation: dial_for_questions(endpoint).await?,
            patience: endpoint.response_timeout,
        };
        let subscribed = sentinel.conversation.send(&["SUBSCRIBE", NEWS]).await;
        subscribed.map_err(|why| format!("{} {why}", endpoint.shown()))?;
        Ok(sentinel)
    }

    /// Where the master of this name is.
    ///
    /// # Errors
    /// For people; continues the Sentinel's address.
    pub(super) async fn master(&mut self, name: &str) -> Result<Answer, String> {
        match self.ask(&["SENTINEL", "MASTER", name]).await? {
            Reply::Words(words) => read(&words).ok_or_else(|| "is no Sentinel".to_owned()),
            Reply::Error(text) if text.contains("No such master") => {
                Err(format!("knows no master of the name `{name}`"))
            }
            Reply::Error(text) => Err(format!("refuses to answer: {text}")),
            Reply::Push(_) => Err("is no Sentinel".to_owned()),
        }
    }

    /// Why the Sentinels could not elect a new master, or that this one may not be asked; `None` if they could.
    ///
    /// # Errors
    /// As [`Sentinel::master`].
    pub(super) async fn lacks_quorum(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.ask(&["SENTINEL", "CKQUORUM", name]).await? {
            Reply::Error(text) if text.starts_with("NOQUORUM") || text.starts_with("NOPERM") => {
                Ok(Some(text))
            }
            Reply::Words(_) | Reply::Push(_) | Reply::Error(_) => Ok(None),
        }
    }

    /// Waits for news, or for `limit`.
    ///
    /// # Errors
    /// As [`Sentinel::master`].
    pub(super) async fn news(&mut self, limit: Duration) -> Result<(), String> {
        match timeout(limit, self.conversation.receive()).await {
            Ok(Ok(Reply::Error(text))) => Err(format!("refuses its news: {text}")),
            Ok(received) => received.map(drop),
            Err(_) => Ok(()),
        }
    }

    async fn ask(&mut self, words: &[&str]) -> Result<Reply, String> {
        let answer = async {
            self.conversation.send(words).await?;
            loop {
                match self.conversation.receive().await? {
                    // The answer that follows knows the news.
                    Reply::Push(_) => {}
                    reply @ (Reply::Words(_) | Reply::Error(_)) => return Ok(reply),
                }
            }
        };
        let answer = timeout(self.patience, answer).await;
        answer.unwrap_or_else(|_| Err("does not answer".to_owned()))
    }
}

fn read(words: &[String]) -> Option<Answer> {
    let value = |name: &str| {
        let (pairs, _) = words.as_chunks::<2>();
        let pair = pairs.iter().find(|[key, _]| key == name)?;
        Some(pair[1].as_str())
    };
    let flags = value("flags").unwrap_or_default();
    Some(Answer {
        address: Address {
            host: value("ip")?.to_owned(),
            port: value("port")?.parse().ok()?,
        },
        epoch: value("config-epoch")?.parse().ok()?,
        is_down: flags.split(',').any(|flag| flag == "s_down" || flag == "o_down"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_by_name() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let reply = "name port ip 10.0.0.1 port 6379 flags s_down,o_down,master config-epoch 7 quorum 2";
        let answer = Answer {
            address: Address::of("10.0.0.1"),
            epoch: 7,
            is_down: true,
        };
        assert_eq!(read(&words(reply)), Some(answer));
        assert_eq!(read(&words("ip 10.0.0.1 port many config-epoch 7")), None);
    }
}
