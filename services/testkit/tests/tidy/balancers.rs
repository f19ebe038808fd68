//! The balancers' configurations in `deploy` agree with the node's limits: a head that a node reads passes the balancer, and
//! no balancer gives a connection up before the node does.

use switchboard_node::config::Config;

use crate::root;

fn deployed(path: &str) -> String {
    std::fs::read_to_string(root().join("deploy").join(path)).unwrap()
}

/// The last word behind `key`, without its unit and punctuation, times the unit's size.
fn number(text: &str, key: &str) -> u64 {
    let mut lines = text.lines().map(str::trim);
    let rest = lines
        .find_map(|line| line.strip_prefix(key))
        .unwrap_or_else(|| panic!("no `{key}`"));
    let word = rest.trim_end_matches(';').split_whitespace().next_back().unwrap();
    let digits = word.trim_end_matches(|end: char| !end.is_ascii_digit());
    let unit = if word.ends_with('k') { 1024 } else { 1 };
    digits.parse::<u64>().unwrap() * unit
}

#[test]
fn heads_that_a_node_reads_pass_each_balancer() {
    let head = Config::default().server.request_head_bytes as u64;
    for file in [
        "nginx/switchboard.conf",
        "compose/nginx.conf",
        "local/nginx.conf.template",
    ] {
        let line = number(&deployed(file), "large_client_header_buffers");
        assert!(
            line >= head,
            "{file}: one header may have {line} bytes, the node reads {head}"
        );
    }
    let haproxy = deployed("haproxy/haproxy.cfg");
    let read = number(&haproxy, "tune.bufsize") - number(&haproxy, "tune.maxrewrite");
    assert!(read >= head, "haproxy: {read} bytes, the node reads {head}");
    let envoy = number(&deployed("envoy/envoy.yaml"), "max_request_headers_kb:") * 1024;
    assert!(envoy >= head, "envoy: {envoy} bytes, the node reads {head}");
}

#[test]
fn balancers_wait_longer_than_nodes_for_a_silent_client_and_as_long_for_a_head() {
    let config = Config::default();
    // After two heartbeats the node itself gives a silent client up.
    let silent_s = config.session.heartbeat_ms * 2 / 1000;
    let head_s = config.server.handshake_timeout_ms / 1000;
    for file in [
        "nginx/switchboard.conf",
        "compose/nginx.conf",
        "local/nginx.conf.template",
    ] {
        let text = deployed(file);
        for key in ["proxy_read_timeout", "proxy_send_timeout"] {
            assert!(number(&text, key) > silent_s, "{file}: {key}");
        }
    }
    assert_eq!(
        number(&deployed("nginx/switchboard.conf"), "client_header_timeout"),
        head_s
    );
    let haproxy = deployed("haproxy/haproxy.cfg");
    assert!(number(&haproxy, "timeout tunnel") > silent_s);
    assert_eq!(number(&haproxy, "timeout http-request"), head_s);
    let envoy = deployed("envoy/envoy.yaml");
    assert!(number(&envoy, "stream_idle_timeout:") > silent_s);
    assert_eq!(number(&envoy, "request_headers_timeout:"), head_s);
}
