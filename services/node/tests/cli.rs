//! The command line, as people script against it, where no other process is needed.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    io::Write as _,
    process::{Command, Output},
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// All that a command printed.
fn said(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

fn config_file(toml: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    file
}

fn path(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

#[test]
fn a_wrong_key_ends_with_64_and_names_the_key_before_any_port_opens() {
    let secret = format!("[auth]\nhs256_secret = \"{SECRET}\"\n");
    let cases = [
        ("[server]\nlistn = \"127.0.0.1:0\"\n".to_owned(), "listn"),
        (
            format!("{secret}[server]\nlisten = \"nowhere\"\n"),
            "server.listen",
        ),
        (
            format!("{secret}[limits]\nmessage_bytes = 1\n"),
            "limits.message_bytes",
        ),
        (
            format!("{secret}[limits]\nmessage_bytes = 2000000\n"),
            "is more than nodes forward over Redis",
        ),
        (
            format!("{secret}[broker]\nredis_urls = [\"unix:///x\"]\n"),
            "broker.redis_urls",
        ),
        (
            format!("{secret}[broker]\nredis_urls = [\"redis://a\", \"redis://b\"]\n"),
            "takes exactly one URL",
        ),
        (
            format!("{secret}[broker]\nredis_mode = \"sentinel\"\n"),
            "broker.redis_sentinel_master",
        ),
        (
            format!("{secret}[broker]\nredis_password_file = \"/nowhere\"\n"),
            "broker.redis_password_file: /nowhere",
        ),
        (
            format!("{secret}[broker]\nredis_username = \"ann\"\n"),
            "broker.redis_password_file: a user needs a password",
        ),
        (
            format!("{secret}[broker]\nredis_ca_file = \"Cargo.toml\"\n"),
            "broker.redis_ca_file: is for TLS, and no URL begins with rediss://",
        ),
        (
            format!("{secret}[broker]\nredis_urls = [\"rediss://a\"]\nredis_ca_file = \"Cargo.toml\"\n"),
            "broker.redis_ca_file: holds no certificate",
        ),
        (
            format!("{secret}[broker]\nredis_cert_file = \"Cargo.toml\"\n"),
            "broker.redis_key_file: is missing",
        ),
        (
            format!("{secret}[session]\nresume_window_s = 86400\n"),
            "session.resume_window_s",
        ),
        (
            format!("{secret}[rebalance]\nhigh_watermark = nan\n"),
            "rebalance.high_watermark",
        ),
        (
            format!("{secret}[rebalance]\nmax_connection_age_jitter = 1.5\n"),
            "rebalance.max_connection_age_jitter",
        ),
        (
            format!("{secret}[telemetry]\notlp_endpoint = \"https://collector:4317\"\n"),
            "telemetry.otlp_endpoint",
        ),
        (
            format!("{secret}[telemetry]\notlp_endpoint = \"collector:4317\"\n"),
            "telemetry.otlp_endpoint",
        ),
        (
            format!("{secret}[telemetry]\nlog_filter = \"a=b=c\"\n"),
            "telemetry.log_filter",
        ),
        (
            format!("{secret}[server]\nlisten = \"127.0.0.1:9090\"\n"),
            "server.ops_listen",
        ),
        (format!("{secret}[ops]\ntoken = \"short\"\n"), "ops.token"),
        (
            format!("{secret}[ops]\nallowed_hosts = [\"http://n1.example\"]\n"),
            "ops.allowed_hosts",
        ),
        ("[auth]\nhs256_secret = \"short\"\n".to_owned(), "auth"),
        (String::new(), "auth"),
    ];
    for (toml, key) in cases {
        let file = config_file(&toml);
        for command in [&["config", "check"][..], &["serve"]] {
            let arguments = [command, &["--config", file.path().to_str().unwrap()]].concat();
            let output = run(&arguments, &[]);
            assert_eq!(output.status.code(), Some(64), "{command:?} {toml}");
            assert!(
                text(&output.stderr).contains(key),
                "{key}: {}",
                text(&output.stderr)
            );
        }
    }
}

#[test]
fn the_printed_defaults_are_a_valid_file_once_there_is_a_key() {
    let defaults = text(&run(&["config", "default"], &[]).stdout);
    let file = config_file(&defaults);
    let arguments = ["config", "check", "--config", file.path().to_str().unwrap()];
    let output = run(
        &arguments,
        &[
            ("SWITCHBOARD__AUTH__HS256_SECRET", SECRET),
            ("SWITCHBOARD__NODE__ID", "n7"),
        ],
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("n7"),
        "the environment overrides the file"
    );
    let schema: serde_json::Value = serde_json::from_slice(&run(&["config", "schema"], &[]).stdout).unwrap();
    assert!(schema["properties"]["broker"].is_object());
}

#[test]
fn an_error_of_the_configuration_names_where_it_stands_and_an_example() {
    let file = config_file(&format!(
        "[auth]\nhs256_secret = \"{SECRET}\"\n[server]\nlisten = \"localhost:7951\"\n[limits]\nconnections = \"many\"\n"
    ));
    let check = ["config", "check", "--config", path(&file)];
    let output = run(&check, &[]);
    let address = said(&output);
    assert!(address.contains(path(&file)), "{address}");
    let output = run(
        &check,
        &[
            ("SWITCHBOARD__SERVER__LISTEN", "localhost:7951"),
            ("SWITCHBOARD__LIMITS__CONNECTIONS", "9"),
        ],
    );
    let variable = said(&output);
    assert_eq!(output.status.code(), Some(64));
    for part in [
        "server.listen",
        "SWITCHBOARD__SERVER__LISTEN",
        "IP address",
        "0.0.0.0:8080",
    ] {
        assert!(variable.contains(part), "{part}: {variable}");
    }
    let output = run(&check, &[("SWITCHBOARD__SERVER__LISTEN", "127.0.0.1:0")]);
    let number = said(&output);
    for part in ["limits.connections", path(&file), "connections = 100000"] {
        assert!(number.contains(part), "{part}: {number}");
    }
}

#[test]
fn a_mode_that_does_not_exist_is_refused_with_those_that_do() {
    let file = config_file(&format!(
        "[auth]\nhs256_secret = \"{SECRET}\"\n[broker]\nredis_mode = \"replicated\"\n"
    ));
    let refusal = said(&run(&["config", "check", "--config", path(&file)], &[]));
    for part in [
        "broker.redis_mode",
        "in this version",
        "`standalone`",
        "`sentinel`",
    ] {
        assert!(refusal.contains(part), "{part}: {refusal}");
    }
    let file = config_file("[auth\n");
    let refusal = said(&run(&["config", "check", "--config", path(&file)], &[]));
    assert!(
        refusal.contains("line 1") && refusal.contains(path(&file)),
        "{refusal}"
    );
}

#[test]
fn a_variable_with_one_underscore_is_named_with_the_right_one() {
    let output = run(
        &["config", "check"],
        &[
            ("SWITCHBOARD_REDIS_URL", "redis://a"),
            ("SWITCHBOARD__AUTH__HS256_SECRET", SECRET),
        ],
    );
    assert!(output.status.success(), "{}", said(&output));
    let sentence = "SWITCHBOARD_REDIS_URL is not read; the variable of broker.redis_urls is SWITCHBOARD__BROKER__REDIS_URLS";
    assert!(text(&output.stderr).contains(sentence), "{}", said(&output));
}

#[test]
fn every_key_is_printed_with_its_meaning_also_those_without_a_default() {
    let defaults = text(&run(&["config", "default"], &[]).stdout);
    for key in [
        "# hs256_secret_file =",
        "# public_keys_dir =",
        "# redis_url_file =",
        "# redis_password_file =",
        "# turn_secret_file =",
        "# ca_file =",
    ] {
        assert!(defaults.contains(key), "{key}\n{defaults}");
    }
    assert!(
        defaults.contains("# Address of the public port.\nlisten ="),
        "{defaults}"
    );
}

#[test]
fn the_version_names_the_program_and_its_commit() {
    let version = text(&run(&["--version"], &[]).stdout);
    assert!(
        version.starts_with("switchboard ") && version.contains("commit"),
        "{version}"
    );
}

#[test]
fn an_authority_file_that_cannot_be_used_is_named() {
    let config = config_file(&format!(
        "[auth]\nhs256_secret = \"{SECRET}\"\njwks_url = \"https://a.example/\"\n[tls]\nca_file = \"/nowhere.pem\"\n"
    ));
    let output = run(&["config", "check", "--config", path(&config)], &[]);
    assert_eq!(output.status.code(), Some(64));
    assert!(
        said(&output).contains("tls.ca_file: /nowhere.pem"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_minted_token_can_be_inspected() {
    let secret = config_file(SECRET);
    let mint = [
        "token",
        "mint",
        "--peer",
        "alice",
        "--secret-file",
        secret.path().to_str().unwrap(),
    ];
    let token = text(&run(&mint, &[]).stdout);
    let output = run(&["token", "inspect", token.trim()], &[]);
    assert!(text(&output.stdout).contains("alice"), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("NOT VERIFIED"));
    assert!(!run(&["token", "inspect", "garbage"], &[]).status.success());
}

#[test]
fn a_redis_url_stands_in_a_file_or_in_the_configuration_not_in_both() {
    let url = config_file("redis://:secret@redis.example:6380/2\n");
    let bad = config_file("unix:///run/redis.sock");
    let auth = format!("[auth]\nhs256_secret = \"{SECRET}\"\n[broker]\n");
    let cases = [
        (format!("redis_url_file = \"{}\"", path(&url)), Some(0), "valid"),
        (
            format!("redis_url_file = \"{}\"", path(&bad)),
            Some(64),
            "broker.redis_url_file",
        ),
        (
            "redis_url_file = \"/nowhere\"".to_owned(),
            Some(64),
            "broker.redis_url_file",
        ),
        (
            format!(
                "redis_url_file = \"{}\"\nredis_urls = [\"redis://a\"]",
                path(&url)
            ),
            Some(64),
            "not both",
        ),
    ];
    for (broker, code, sentence) in cases {
        let config = config_file(&format!("{auth}{broker}\n"));
        let output = run(&["config", "check", "--config", path(&config)], &[]);
        assert_eq!(output.status.code(), code, "{broker}: {}", said(&output));
        assert!(said(&output).contains(sentence), "{broker}: {}", said(&output));
        assert!(!said(&output).contains("secret@"), "a password is never shown");
    }
}

#[test]
fn a_send_has_one_receiver_and_the_help_shows_how() {
    for (arguments, reason) in [
        (&["send", "1"][..], "--to <TO>"),
        (
            &["send", "--to", "bob", "--room", "lobby", "1"],
            "cannot be used with",
        ),
        (
            &["send", "--room", "lobby", "--hold", "30s", "1"],
            "cannot be used with",
        ),
        (
            &["send", "--to", "bob", "--hold", "30", "1"],
            "the unit is ms, s or m",
        ),
        (&["listen", "--info", "{}"], "--room"),
        (
            &["listen", "--room", "lobby", "--info", "{"],
            "--info is not JSON",
        ),
    ] {
        let refused = run(arguments, &[]);
        assert!(!refused.status.success(), "{arguments:?}");
        assert!(
            said(&refused).contains(reason),
            "{arguments:?}: {}",
            said(&refused)
        );
    }
    for (command, example) in [
        ("send", "switchboard send --to bob --hold 30s"),
        ("listen", "switchboard listen --room lobby"),
    ] {
        let help = said(&run(&[command, "--help"], &[]));
        assert!(help.contains(example), "{help}");
    }
}

#[test]
fn several_issuers_stand_in_the_file_and_their_mistakes_are_named() {
    let one = format!("[[auth.issuers]]\nissuer = \"https://a.example\"\nhs256_secret = \"{SECRET}\"\n");
    let two = "[[auth.issuers]]\nissuer = \"https://b.example\"\ndiscovery = true\ntenant = \"acme\"\n\
               required_claims = { \"https://x.example/Role.Name\" = \"Staff\" }\n";
    for (toml, code, words) in [
        (format!("{one}{two}"), Some(0), "valid"),
        (
            format!("[auth]\naudience = \"x\"\n{one}"),
            Some(64),
            "auth: has settings but no keys",
        ),
        (
            format!("[auth]\nhs256_secret = \"{SECRET}\"\n{one}"),
            Some(64),
            "auth.issuer",
        ),
        (
            format!("{one}{one}"),
            Some(64),
            "auth.issuers[1].issuer: is also auth.issuers[0].issuer",
        ),
        (format!("{one}tenent = \"acme\"\n"), Some(64), "tenent"),
        (
            format!("{one}{two}algorithms = [\"HS256\"]\n"),
            Some(64),
            "auth.issuers[1].algorithms",
        ),
        (
            format!("{one}jwks_url = \"ftp://x\"\n"),
            Some(64),
            "auth.issuers[0].jwks_url",
        ),
    ] {
        let file = config_file(&toml);
        let output = run(&["config", "check", "--config", path(&file)], &[]);
        assert_eq!(output.status.code(), code, "{toml}: {}", said(&output));
        assert!(said(&output).contains(words), "{words}: {}", said(&output));
    }
}

/// The payload of a token.
fn payload(token: &str) -> serde_json::Value {
    let inspected = text(&run(&["token", "inspect", token.trim()], &[]).stdout);
    let claims = inspected.split_once("claims").unwrap().1;
    let mut values = serde_json::Deserializer::from_str(claims).into_iter();
    values.next().unwrap().unwrap()
}

#[test]
fn a_token_minted_for_a_configuration_carries_what_it_requires() {
    let config = config_file(&format!(
        "[auth]\nissuer = \"https://app.example\"\naudience = \"calls\"\nhs256_secret = \"{SECRET}\"\n"
    ));
    let mint = ["token", "mint", "--peer", "alice", "--config", path(&config)];
    let claims = payload(&text(&run(&mint, &[]).stdout));
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&"https://app.example".into(), &"calls".into())
    );
    let secret = config_file(SECRET);
    let mint = [
        "token",
        "mint",
        "--peer",
        "alice",
        "--secret-file",
        path(&secret),
        "--kid",
        "k7",
    ];
    let token = text(&run(&mint, &[]).stdout);
    let inspected = text(&run(&["token", "inspect", token.trim()], &[]).stdout);
    assert!(inspected.contains("\"kid\": \"k7\""), "{inspected}");
}

#[test]
fn errors_of_dev_name_the_options_to_type() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let (address, any) = (taken.to_string(), "127.0.0.1:0");
    for (options, code, names) in [
        (
            ["--listen", &address, "--ops-listen", any],
            1,
            "use --listen 127.0.0.1:0 for any free port; a second node needs --ops-listen 127.0.0.1:0 too",
        ),
        (
            ["--listen", any, "--ops-listen", &address],
            1,
            "use --ops-listen 127.0.0.1:0 for any free port",
        ),
        (
            ["--listen", "0.0.0.0:0", "--ops-listen", any],
            64,
            "--listen: a development node listens on loopback",
        ),
        (
            ["--listen", any, "--allow-origin", "https://my.test/"],
            64,
            "--allow-origin: `https://my.test/` has a path",
        ),
    ] {
        let output = run(&[["dev", "--no-turn"].as_slice(), &options].concat(), &[]);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(names), "{}", said(&output));
        let says_port = said(&output).contains(&format!("port {} is taken", taken.port()));
        assert_eq!(says_port, code == 1, "{}", said(&output));
    }
}
