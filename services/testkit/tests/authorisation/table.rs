//! What each call and each command answers to each kind of token. This is the one place that says it.

/// The tokens that are valid, in the order of the columns. `narrow send` may reach only peers called `team-…`, `narrow rooms`
/// only rooms called so; each may reach all of the other kind. `other` is of another tenant.
pub(crate) const VALID: [&str; 8] = [
    "own",
    "narrow send",
    "narrow rooms",
    "other",
    "backend",
    "narrow send backend",
    "narrow rooms backend",
    "other backend",
];

/// The other tokens, and how each is refused.
pub(crate) const REFUSED: [(&str, &str); 10] = [
    ("none", "401 token-missing"),
    ("malformed", "401 token-malformed"),
    ("alg none", "401 token-algorithm"),
    ("forged", "401 token-signature"),
    ("expired", "401 token-expired"),
    ("wrong audience", "401 token-audience"),
    ("revoked by jti", "401 token-revoked"),
    ("revoked by peer", "401 token-revoked"),
    ("unknown member", "403 token-claims"),
    ("null member", "403 token-claims"),
];

/// The last column of a row: the refusal of [`REFUSED`].
const AS_REFUSED: &str = "refused";

/// Calls over HTTP. `with` is the query or the body or both; `shows` is a path in the answer, whose value the
/// outcome repeats.
const CALLS: &str = r#"
call                                   | with                                   | shows               | own                   | narrow send           | narrow rooms          | other                 | backend               | narrow send backend   | narrow rooms backend  | other backend         | the others
GET /v1/ws                             |                                        |                     | 101                   | 101                   | 101                   | 101                   | 101                   | 101                   | 101                   | 101                   | refused
GET /v1/events                         |                                        |                     | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | refused
GET /v1/poll                           |                                        |                     | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | refused
POST /v1/messages                      | ?session={own} {"type":"ping"}         |                     | 202                   | 202                   | 202                   | 404 session-not-found | 202                   | 202                   | 202                   | 404 session-not-found | refused
POST /v1/messages                      | ?session={bob} {"type":"ping"}         |                     | 404 session-not-found | 404 session-not-found | 404 session-not-found | 404 session-not-found | 404 session-not-found | 404 session-not-found | 404 session-not-found | 404 session-not-found | refused
GET /v1/ready                          |                                        |                     | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | refused
GET /v1/ice                            |                                        |                     | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | refused
GET /v1/ice                            | ?peer=bob                              |                     | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 200                   | 403 not-allowed       | 200                   | 200                   | refused
GET /v1/health                         |                                        |                     | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | 200
GET /v1/openapi.json                   |                                        |                     | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | 200
GET /v1/asyncapi.json                  |                                        |                     | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | 200                   | 200
GET /v1/peers/{peer}                   |                                        | /state              | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 200 online            | 403 not-allowed       | 200 online            | 200 offline           | refused
DELETE /v1/peers/{peer}                |                                        | /had_session        | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 200 true              | 403 not-allowed       | 200 true              | 200 false             | refused
POST /v1/peers/{peer}/messages         | {"payload":"peer {kind}"}              | /status             | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 200 delivered         | 403 not-allowed       | 200 delivered         | 404 peer-offline      | refused
GET /v1/revocations                    |                                        | /revocations/0/peer | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 200 gone              | 200 team-7            | 200 gone              | 200                   | refused
GET /v1/revocations                    | ?limit=1000                            | /revocations/1/jti  | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 200                   | 200                   | 200                   | 200                   | refused
POST /v1/revocations                   | {"jti":"{kind}","until":{until}}       |                     | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 201                   | 403 not-allowed       | 201                   | 201                   | refused
POST /v1/revocations                   | {"peer":"of-{name}","until":{until}}   |                     | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 201                   | 403 not-allowed       | 201                   | 201                   | refused
POST /v1/revocations                   | {"peer":"team-{name}","until":{until}} |                     | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 201                   | 201                   | 201                   | 201                   | refused
GET /v1/rooms                          | ?prefix=lob                            | /rooms/0/room       | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 200 lobby             | 200 lobby             | 200                   | 200                   | refused
GET /v1/rooms/{room}                   |                                        | /room               | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 200 lobby             | 200 lobby             | 403 not-allowed       | 404 no-such-room      | refused
POST /v1/rooms/{room}/messages         | {"payload":"room {kind}"}              | /status             | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 200 published         | 200 published         | 403 not-allowed       | 200 published         | refused
DELETE /v1/rooms/{room}/members/{peer} |                                        |                     | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 403 not-allowed       | 204                   | 403 not-allowed       | 403 not-allowed       | 404 not-in-room       | refused
"#;

/// Commands of a connection that was opened with the token. Where the frame has `{token}`, the connection was opened with the
/// peer's own token, and the one of the column stands in the frame. Two words for the others: the first is for no token.
const COMMANDS: &str = r#"
command | frames                                                                                               | own          | narrow send   | narrow rooms  | other         | backend       | narrow send backend | narrow rooms backend | other backend | the others
send    | {"type":"offer","to":"bob","payload":"peer {kind}","id":2}                                           | delivered    | not-allowed   | delivered     | peer-offline  | delivered     | not-allowed         | delivered            | peer-offline  | refused
send    | {"type":"offer","to":"team-8","payload":"peer {kind}","id":2}                                        | peer-offline | peer-offline  | peer-offline  | peer-offline  | peer-offline  | peer-offline        | peer-offline         | peer-offline  | refused
send    | {"type":"join","room":"lobby","id":1} {"type":"offer","room":"lobby","payload":"room {kind}","id":2} | published    | published     | not-allowed   | published     | published     | published           | not-allowed          | published     | refused
send    | {"type":"offer","room":"lobby","payload":"room {kind}","id":2}                                       | not-in-room  | not-in-room   | not-allowed   | not-in-room   | not-in-room   | not-in-room         | not-allowed          | not-in-room   | refused
join    | {"type":"join","room":"lobby","id":2}                                                                | joined       | joined        | not-allowed   | joined        | joined        | joined              | not-allowed          | joined        | refused
join    | {"type":"join","room":"team-room","id":2}                                                            | joined       | joined        | joined        | joined        | joined        | joined              | joined               | joined        | refused
leave   | {"type":"join","room":"lobby","id":1} {"type":"leave","room":"lobby","id":2}                         | left         | left          | not-in-room   | left          | left          | left                | not-in-room          | left          | refused
lookup  | {"type":"lookup","peers":["bob"],"id":2}                                                             | online       | not-allowed   | online        | offline       | online        | not-allowed         | online               | offline       | refused
watch   | {"type":"watch","peers":["bob"],"id":2}                                                              | online       | not-allowed   | online        | offline       | online        | not-allowed         | online               | offline       | refused
unwatch | {"type":"unwatch","peers":["bob"],"id":2}                                                            | presence     | presence      | presence      | presence      | presence      | presence            | presence             | presence      | refused
ice     | {"type":"ice","id":2}                                                                                | ice          | ice           | ice           | ice           | ice           | ice                 | ice                  | ice           | refused
renew   | {"type":"renew","token":"{own}","id":2}                                                              | renewed      | token-invalid | token-invalid | token-invalid | renewed       | token-invalid       | token-invalid        | token-invalid | refused
renew   | {"type":"renew","token":"{token}","id":2}                                                            | renewed      | renewed       | renewed       | token-invalid | token-invalid | token-invalid       | token-invalid        | token-invalid | missing-field, token-invalid
ack     | {"type":"ack","seq":1} {"type":"ping","id":2}                                                        | pong         | pong          | pong          | pong          | pong          | pong                | pong                 | pong          | refused
ping    | {"type":"ping","id":2}                                                                               | pong         | pong          | pong          | pong          | pong          | pong                | pong                 | pong          | refused
"#;

/// What reaches `bob`, as a peer and as a member of the room, and with which kinds of token. No more may.
pub(crate) const RECEIVED_BY_BOB: [&str; 8] = [
    "peer backend",
    "peer narrow rooms",
    "peer narrow rooms backend",
    "peer own",
    "room backend",
    "room narrow send",
    "room narrow send backend",
    "room own",
];

/// The revocations in force in the end, beyond those of the scene. No more may be.
pub(crate) const REVOKED_IN_THE_END: [&str; 7] = [
    "jti backend",
    "jti narrow rooms backend",
    "peer of-backend",
    "peer of-narrow-rooms-backend",
    "peer team-backend",
    "peer team-narrow-rooms-backend",
    "peer team-narrow-send-backend",
];

/// One row.
#[derive(Debug)]
pub(crate) struct Row {
    /// The columns before the outcomes.
    pub(crate) what: Vec<&'static str>,
    outcomes: Vec<&'static str>,
}

impl Row {
    /// Each kind of token, with the outcome that the table demands.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let valid = VALID.into_iter().zip(self.outcomes.iter().copied());
        let of_refused = self.outcomes[VALID.len()];
        let (of_none, of_some) = of_refused.split_once(", ").unwrap_or((of_refused, of_refused));
        let refused = REFUSED.into_iter().map(move |(kind, refusal)| {
            let outcome = if kind == "none" { of_none } else { of_some };
            (kind, if outcome == AS_REFUSED { refusal } else { outcome })
        });
        valid.chain(refused)
    }
}

/// The rows of the calls: call, `with`, `shows`.
pub(crate) fn calls() -> Vec<Row> {
    rows(CALLS, 3)
}

/// The rows of the commands: command, frames.
pub(crate) fn commands() -> Vec<Row> {
    rows(COMMANDS, 2)
}

fn rows(table: &'static str, columns_before: usize) -> Vec<Row> {
    let mut lines = table.trim().lines().map(|line| {
        let mut what: Vec<_> = line.split('|').map(str::trim).collect();
        let outcomes = what.split_off(columns_before);
        assert_eq!(outcomes.len(), VALID.len() + 1, "{line}");
        Row { what, outcomes }
    });
    let head = lines.next().unwrap();
    assert_eq!(head.outcomes[..VALID.len()], VALID);
    lines.collect()
}
