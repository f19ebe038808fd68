//! `switchboard-loadtest` as a child process, and what it leaves behind.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use switchboard_testkit::{SECRET, binary};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// Far longer than any load here.
const MOST: Duration = Duration::from_secs(90);

/// What every load here is given: these tests share the machine, and starts that come late are not their subject.
pub(crate) const CALM: &[&str] = &["--set", "generator.max_start_delay=30s"];

/// Where a program runs and leaves its files; and its scenario.
pub(crate) struct Folder(TempDir);

/// A program that has ended.
pub(crate) struct Ended {
    /// Its exit code; `None` if it was killed.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Where it ran.
    pub(crate) folder: Folder,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes a file into it and says where it is.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A file with the secret that the nodes of a testkit cluster trust.
    pub(crate) fn secret(&self) -> String {
        self.file("tokens.secret", SECRET)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs the program in it to its end.
    pub(crate) async fn run(self, arguments: &[&str]) -> Ended {
        let child = command(&self, arguments).spawn().unwrap();
        self.end_of(child).await
    }

    /// Waits for the end of a program in it.
    pub(crate) async fn end_of(self, child: Child) -> Ended {
        let output = timeout(MOST, child.wait_with_output()).await;
        assert!(output.is_ok(), "the program has not ended within {MOST:?}");
        let output = output.unwrap().unwrap();
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            folder: self,
        }
    }

    /// `run`, with everything that a load in a test needs.
    pub(crate) async fn load(self, scenario: &str, more: &[&str]) -> Ended {
        let arguments = [&["run", scenario, "--plain", "--out", "report"], CALM, more].concat();
        self.run(&arguments).await
    }
}

impl Ended {
    /// Demands an exit code, and shows all there is if it is another one.
    pub(crate) fn expect(self, code: i32) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "stdout:\n{stdout}\nstderr:\n{stderr}");
        self
    }

    /// The folder in which it ran.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where its results are.
    pub(crate) fn results_file(&self) -> PathBuf {
        self.folder.path().join("report/results.json")
    }

    /// All of them.
    pub(crate) fn results(&self) -> Value {
        let text = std::fs::read(self.results_file()).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Those of the first run.
    pub(crate) fn first_run(&self) -> Value {
        self.results()["runs"][0].clone()
    }

    /// A counter of the first run; one that is missing is 0.
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.first_run()["counts"][name].as_u64().unwrap_or(0)
    }
}

/// The program in `folder`, not yet started; killed when dropped.
pub(crate) fn command(folder: &Folder, arguments: &[&str]) -> Command {
    let nodes = std::path::absolute(binary(None).unwrap()).unwrap();
    let program = nodes.with_file_name("switchboard-loadtest");
    assert!(
        program.is_file(),
        "{} is not there; build it with `cargo build -p switchboard-loadtest -p switchboard-node`",
        program.display()
    );
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder.path())
        .env("SWITCHBOARD_BIN", nodes)
        .env_remove("LOADTEST_SECRET_FILE")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}
