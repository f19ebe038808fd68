//! A web server behind an authority that no system knows: `openssl s_server` with certificates made for the test. It
//! serves the files of its folder. Not for load.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::find_program;

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct TlsServer {
    child: Child,
    port: u16,
    folder: TempDir,
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
        let folder = tempfile::tempdir()?;
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content)?;
        }
        std::fs::write(folder.path().join("san"), "subjectAltName=IP:127.0.0.1\n")?;
        for arguments in [
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 \
             -subj /CN=test-authority",
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=server",
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile san",
        ] {
            let made = Command::new(&openssl)
                .args(arguments.split_whitespace())
                .current_dir(folder.path())
                .output()?;
            let error = String::from_utf8_lossy(&made.stderr);
            anyhow::ensure!(made.status.success(), "openssl {arguments}: {error}");
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
            .current_dir(folder.path())
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
            folder,
            _output: output,
        })
    }

    /// Serves one more file; `path` may have folders.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&self, path: &str, content: &str) -> std::io::Result<()> {
        let file = self.folder.path().join(path);
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
        self.folder.path().join("ca.pem")
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
