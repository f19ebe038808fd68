//! JSON lines over any stream, with a bound on their length. It does not know what the lines mean.

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
    /// Who writes, for errors: `worker 2`, `the coordinator`.
    writer: String,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Reads what `writer` writes, in lines of at most `max_bytes`.
    pub(crate) fn new(read: R, writer: impl Into<String>, max_bytes: usize) -> Self {
        Self {
            framed: FramedRead::new(read, LinesCodec::new_with_max_length(max_bytes)),
            writer: writer.into(),
        }
    }

    /// The same stream, from now on under that name and with lines of at most [`MAX_LINE_BYTES`].
    pub(crate) fn rename(self, writer: impl Into<String>) -> Self {
        Self {
            framed: self
                .framed
                .map_decoder(|_| LinesCodec::new_with_max_length(MAX_LINE_BYTES)),
            writer: writer.into(),
        }
    }

    /// The next line as it is; `None` at the end of the stream.
    ///
    /// # Errors
    /// When the line is too long or is no UTF-8, or the stream breaks.
    pub(crate) async fn read_text(&mut self) -> anyhow::Result<Option<String>> {
        self.framed.next().await.transpose().or_else(|error| match error {
            LinesCodecError::MaxLineLengthExceeded => {
                let max = self.framed.decoder().max_length();
                bail!("{} wrote a line of more than {max} bytes", self.writer)
            }
            LinesCodecError::Io(error) => {
                Err(error).with_context(|| format!("{} cannot be read", self.writer))
            }
        })
    }

    /// The content of the next line; `None` at the end of the stream.
    ///
    /// # Errors
    /// As [`Lines::read_text`], and when the line has other content than expected.
    pub(crate) async fn read<T: DeserializeOwned>(&mut self) -> anyhow::Result<Option<T>> {
        let Some(line) = self.read_text().await? else {
            return Ok(None);
        };
        serde_json::from_str(&line).map(Some).or_else(|error| {
            if error.is_eof() {
                bail!("{} stopped in the middle of a line", self.writer);
            }
            bail!(
                "{} wrote an unknown line ({error}); is it of the same build?",
                self.writer
            )
        })
    }
}

/// Writes a line.
///
/// # Errors
/// When the line would be longer than [`MAX_LINE_BYTES`], or the stream breaks.
pub(crate) async fn write<W, T>(write: &mut W, content: &T) -> anyhow::Result<()>
where
    W: AsyncWrite + Unpin,
    T: Serialize,
{
    write_text(
        write,
        serde_json::to_string(content).context("a line cannot be written")?,
    )
    .await
}

/// Writes a line that is text already.
///
/// # Errors
/// As [`write`].
pub(crate) async fn write_text<W: AsyncWrite + Unpin>(write: &mut W, mut line: String) -> anyhow::Result<()> {
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
    async fn lines_are_read_as_they_were_written_until_the_end() {
        let (mut here, there) = tokio::io::duplex(64);
        let mut lines = Lines::new(there, "the test", MAX_LINE_BYTES);
        let writing = async move {
            write(&mut here, &vec![1, 2]).await.unwrap();
            write(&mut here, &vec![3]).await.unwrap();
        };
        let reading = async {
            for expected in [Some(vec![1, 2]), Some(vec![3]), None] {
                assert_eq!(lines.read::<Vec<u8>>().await.unwrap(), expected);
            }
        };
        tokio::join!(writing, reading);
    }

    #[tokio::test]
    async fn long_unknown_and_cut_off_lines_are_errors_that_name_the_writer() {
        for (text, expected) in [
            ("0123456789\n", "worker 2 wrote a line of more than 8 bytes"),
            ("hello\n", "worker 2 wrote an unknown line"),
            ("[1,", "worker 2 stopped in the middle of a line"),
        ] {
            let mut lines = Lines::new(text.as_bytes(), "worker 2", 8);
            let error = lines.read::<Vec<u8>>().await.unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let long = "x".repeat(MAX_LINE_BYTES + 1);
        assert!(write_text(&mut tokio::io::sink(), long).await.is_err());
    }
}
