//! JSON lines over any stream, with a bound on their length. It knows nothing of what the lines mean.

use anyhow::{Context as _, bail};
use futures_util::StreamExt as _;
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

/// The longest line, in bytes. A tick with all its histograms is some ten KiB.
pub(crate) const MAX_LINE_BYTES: usize = 8 << 20;

/// The reading side. Dropping the future of a read loses nothing.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    framed: FramedRead<R, LinesCodec>,
    /// Who speaks, for errors: `worker 2`, `the coordinator`.
    speaker: String,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Reads what `speaker` says, in lines of at most [`MAX_LINE_BYTES`].
    pub(crate) fn new(read: R, speaker: impl Into<String>) -> Self {
        Self::bounded(read, speaker, MAX_LINE_BYTES)
    }

    /// Reads lines of at most `most` bytes.
    pub(crate) fn bounded(read: R, speaker: impl Into<String>, most: usize) -> Self {
        Self {
            framed: FramedRead::new(read, LinesCodec::new_with_max_length(most)),
            speaker: speaker.into(),
        }
    }

    /// The same stream, from now on with another bound and under another name.
    pub(crate) fn rebound(self, speaker: impl Into<String>, most: usize) -> Self {
        Self {
            framed: self.framed.map_decoder(|_| LinesCodec::new_with_max_length(most)),
            speaker: speaker.into(),
        }
    }

    /// The next line as it is; `None` at the end of the stream.
    ///
    /// # Errors
    /// When the line is too long or is no UTF-8, or the stream breaks.
    pub(crate) async fn next_text(&mut self) -> anyhow::Result<Option<String>> {
        match self.framed.next().await {
            None => Ok(None),
            Some(Ok(line)) => Ok(Some(line)),
            Some(Err(LinesCodecError::MaxLineLengthExceeded)) => {
                let most = self.framed.decoder().max_length();
                bail!("{} said a line of more than {most} bytes", self.speaker)
            }
            Some(Err(LinesCodecError::Io(error))) => {
                Err(error).with_context(|| format!("{} cannot be read", self.speaker))
            }
        }
    }

    /// What the next line says; `None` at the end of the stream.
    ///
    /// # Errors
    /// As [`Lines::next_text`], and when the line is not what is expected.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> anyhow::Result<Option<T>> {
        let Some(line) = self.next_text().await? else {
            return Ok(None);
        };
        match serde_json::from_str(&line) {
            Ok(said) => Ok(Some(said)),
            Err(error) if error.is_eof() => bail!("{} stopped in the middle of a line", self.speaker),
            Err(error) => bail!(
                "{} said a line that is not understood ({error}); is it of the same build?",
                self.speaker
            ),
        }
    }
}

/// Writes a line.
///
/// # Errors
/// When the line would be longer than [`MAX_LINE_BYTES`], or the stream breaks.
pub(crate) async fn say<W, T>(write: &mut W, what: &T) -> anyhow::Result<()>
where
    W: AsyncWrite + Unpin,
    T: Serialize,
{
    say_text(
        write,
        serde_json::to_string(what).context("a line cannot be written")?,
    )
    .await
}

/// Writes a line that is there already.
///
/// # Errors
/// As [`say`].
pub(crate) async fn say_text<W: AsyncWrite + Unpin>(write: &mut W, mut line: String) -> anyhow::Result<()> {
    if line.len() > MAX_LINE_BYTES {
        bail!("a line of {} bytes is longer than {MAX_LINE_BYTES}", line.len());
    }
    line.push('\n');
    write.write_all(line.as_bytes()).await?;
    Ok(write.flush().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_out_as_they_went_in_until_the_end() {
        let (mut here, there) = tokio::io::duplex(64);
        let mut lines = Lines::new(there, "the test");
        let talk = async {
            say(&mut here, &vec![1, 2]).await.unwrap();
            say(&mut here, &vec![3]).await.unwrap();
            drop(here);
        };
        let hear = async {
            assert_eq!(lines.next::<Vec<u8>>().await.unwrap(), Some(vec![1, 2]));
            assert_eq!(lines.next::<Vec<u8>>().await.unwrap(), Some(vec![3]));
            assert_eq!(lines.next::<Vec<u8>>().await.unwrap(), None);
        };
        tokio::join!(talk, hear);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_an_error_that_names_the_speaker() {
        let mut lines = Lines::bounded(&b"0123456789\n"[..], "worker 2", 8);
        let error = lines.next::<u64>().await.unwrap_err().to_string();
        assert_eq!(error, "worker 2 said a line of more than 8 bytes");
        let long = "x".repeat(MAX_LINE_BYTES + 1);
        assert!(say_text(&mut tokio::io::sink(), long).await.is_err());
    }

    #[tokio::test]
    async fn nonsense_and_cut_off_lines_are_told_apart() {
        let mut lines = Lines::new(&b"hello\n[1,"[..], "agent a:1");
        let error = lines.next::<Vec<u8>>().await.unwrap_err().to_string();
        assert!(
            error.starts_with("agent a:1 said a line that is not understood"),
            "{error}"
        );
        let error = lines.next::<Vec<u8>>().await.unwrap_err().to_string();
        assert_eq!(error, "agent a:1 stopped in the middle of a line");
    }
}
