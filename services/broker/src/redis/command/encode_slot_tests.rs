//! In a Redis Cluster, each command has keys of one slot.

use super::*;

/// The keys of a script, of a command on one key, or the channel of a message.
fn keys_of(command: &Command, caller: &Caller) -> Vec<String> {
    let (mut channel, mut pipeline) = (Vec::new(), Pipeline::new());
    write(command, caller, &mut channel, &mut pipeline);
    let words: Vec<String> = pipeline
        .cmd_iter()
        .flat_map(|command| command.args_iter())
        .map(|word| match word {
            Arg::Simple(word) => String::from_utf8_lossy(word).into_owned(),
            Arg::Cursor | _ => unreachable!("no command has a cursor"),
        })
        .collect();
    match words[0].as_str() {
        "EVALSHA" => words[3..3 + words[2].parse::<usize>().unwrap()].to_vec(),
        "PING" => Vec::new(),
        _ => vec![words[1].clone()],
    }
}

#[test]
fn in_a_redis_cluster_every_command_has_keys_of_the_one_slot_that_it_is_sent_to() {
    let home = Partition::of("home");
    let run = NodeRun {
        node: NodeId::new("n1").unwrap(),
        incarnation: "run".to_owned(),
    };
    let caller = Caller::new(run, Names::default().in_cluster(home), 0.75);
    let room = RoomKey::parse("acme/lobby").unwrap();
    let peer = switchboard_protocol::PeerId::new("bob").unwrap();
    let member = switchboard_core::RoomMember {
        peer: peer.clone(),
        session: SESSION,
        info: None,
        state: switchboard_protocol::MemberState::Online,
    };
    let leave = switchboard_core::RoomLeave {
        room: room.clone(),
        peer: peer.clone(),
        entry: switchboard_core::RoomEntry::Any,
        reason: switchboard_protocol::LeaveReason::Left,
    };
    let join = switchboard_core::RoomJoin {
        room: room.clone(),
        member: member.clone(),
        max_members: 9,
        max_rooms: 0,
        wants_roster: true,
    };
    let due = crate::redis::room::DueMember {
        room: room.clone(),
        local: crate::redis::room::LocalMember {
            member,
            entered: 1,
            creation: 1,
        },
        may_be_swept: false,
    };
    let retention = Retention {
        snapshot: None,
        window: Duration::from_secs(1),
    };
    let note = RoomCall::Note {
        peer: bob(),
        session: SESSION,
        room: room.room_id(),
        info: None,
    };
    let remove_note = RoomCall::RemoveNote {
        peer: bob(),
        session: SESSION,
        room: room.room_id(),
    };
    let creation = crate::redis::command::room_call::Creation::Free;
    let room_calls = [
        RoomCall::Join { join, creation },
        RoomCall::Leave(leave),
        RoomCall::Detach {
            room: room.clone(),
            peer,
            session: SESSION,
        },
        RoomCall::Reassert {
            due,
            answer: oneshot::channel().0,
        },
        RoomCall::Unlist(room.clone()),
        note,
        remove_note,
    ];
    let answer = oneshot::channel().0;
    let calls = [
        ScriptCall::Claim {
            claim: claim(0),
            resume: false,
            window: Duration::from_secs(1),
            epoch: 1,
            answer,
        },
        ScriptCall::Reassert {
            claim: claim(1),
            answer: oneshot::channel().0,
        },
        release(None),
        release(Some(retention)),
        store(Force::No, None),
        ScriptCall::ReadOfflineQueue(bob(), SESSION),
        ScriptCall::RemoveStored {
            key: bob(),
            session: SESSION,
            messages: 1,
            bytes: 1,
        },
        ScriptCall::Touch(bob(), SESSION),
    ];
    let asker = Asker::Send(mid());
    let commands = calls
        .into_iter()
        .chain(room_calls.map(ScriptCall::Room))
        .map(Command::script)
        .chain([
            Command::Locate { asker, to: bob() },
            Command::Publish {
                mid: mid(),
                to: bob(),
                partition: Partition::of("acme/bob"),
                envelope: Vec::new(),
            },
            Command::Probe { nonce: 1 },
        ]);
    for command in commands {
        let slot = command.partition().unwrap_or(home).tag();
        for key in keys_of(&command, &caller) {
            assert!(
                key.starts_with(&format!("sb:{{{slot}}}:")),
                "{key} of {command:?}"
            );
        }
    }
    // Names that are not on the publisher's connection.
    let names = &caller.names;
    let of_shard = [
        names.runs(),
        names.ended_runs(),
        names.sweep(),
        names.room_sweep("run"),
        names.ending(),
        names.lease("n1"),
        names.node_channel("n1"),
    ];
    let of_cluster = [
        names.tenant_usage(),
        names.node_records(),
        names.revocations(),
        names.call_record("acme/x"),
        names.event_stream("s").partition(0),
        names.event_stream("s").readers(),
        names.event_stream("s").dead(),
        names.event_stream("s").recent("k"),
        names.event_stream("s").lease(1),
    ];
    let has_tag =
        |partition: Partition| move |name: &String| name.starts_with(&format!("sb:{{{}}}:", partition.tag()));
    assert!(of_shard.iter().all(has_tag(home)), "{of_shard:?}");
    assert!(of_cluster.iter().all(has_tag(Partition::FIRST)), "{of_cluster:?}");
}
