//! A web server behind an authority that no system knows: `openssl s_server` with certificates made for the test. It
//! serves the files of its folder. Not for load.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::Context as _;

use crate::{Authority, find_program};

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct TlsServer {
    child: Child,
    port: u16,
    authority: Authority,
    /// Open while the server runs, or it ends at its next line.
    _output: BufReader<ChildStdout>,
}

impl TlsServer {
    /// Serves `files` (name and content) as `127.0.0.1`, with a certificate of its own authority.
    ///
    /// # Errors
    /// When `openssl` is missing or fails.
    pub fn start(files: &[(&str, &str)]) -> anyhow::Result<Self> {
        let openssl = find_program("openssl")?;
        let authority = Authority::new("test-authority")?;
        authority.issue("server", &["127.0.0.1"])?;
        for (name, content) in files {
            std::fs::write(authority.folder().join(name), content)?;
        }
        let mut child = Command::new(&openssl)
            .args([
                "s_server",
                "-accept",
                "127.0.0.1:0",
                "-cert",
                "server.pem",
                "-key",
                "server.key",
                "-WWW",
            ])
            .current_dir(authority.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = child.stdout.take().context("openssl has no output")?;
        let mut output = BufReader::new(output);
        let lines = output.by_ref().lines().map_while(Result::ok);
        let mut ports =
            lines.filter_map(|line| line.strip_prefix("ACCEPT ")?.rsplit(':').next()?.parse().ok());
        let port = ports.next().context("openssl s_server does not say its port")?;
        Ok(Self {
            child,
            port,
            authority,
            _output: output,
        })
    }

    /// Serves one more file; `path` may have folders.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&self, path: &str, content: &str) -> std::io::Result<()> {
        let file = self.authority.folder().join(path);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, content)
    }

    /// `127.0.0.1:…`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The certificate of its authority, as a PEM file.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.authority.ca_file()
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
