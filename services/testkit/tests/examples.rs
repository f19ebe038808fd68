//! The examples of the Rust client, as a newcomer runs them: against `switchboard dev`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use switchboard_testkit::binary;

/// `switchboard dev` on free ports; killed when dropped.
struct Dev(Child);

impl Dev {
    /// Starts it; gives its address when it is ready.
    fn start() -> (Self, String) {
        let mut child = Command::new(binary(None).unwrap())
            .args([
                "dev",
                "--listen",
                "127.0.0.1:0",
                "--ops-listen",
                "127.0.0.1:0",
                "--no-turn",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut addresses =
            lines.filter_map(|line| line.unwrap().trim().strip_prefix("http://").map(str::to_owned));
        let address = addresses.next().unwrap().trim_end_matches('/').to_owned();
        (Self(child), address)
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(example: &str, address: &str) -> String {
    let program = binary(None).unwrap().with_file_name("examples").join(example);
    let output = Command::new(program).arg(address).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{example}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_examples_of_the_client_run_against_a_development_node() {
    let (_dev, address) = Dev::start();
    assert!(run("call", &address).ends_with("the call is set up\n"));
    let said = run("message", &address);
    assert!(said.contains("outcome: Delivered"), "{said}");
    assert!(
        said.contains(r#"bob received {"text":"hello"} from alice"#),
        "{said}"
    );
}
