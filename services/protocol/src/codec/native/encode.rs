//! Node → client: messages and receipts as text, written around an untouched payload. JSON is put together by hand only
//! here, because a payload must not pass through a serialiser.

use std::io::Write as _;

use crate::codec::MessageHead;

/// The most bytes of a head without names: keys, quotes, a `mid` and two numbers.
const HEAD_BYTES: usize = 128;

/// The bytes of the member `room` without the name.
const ROOM_BYTES: usize = 10;

/// Appends the text of one forwarded message to `out`. `payload` must be a valid JSON value; it is copied
/// unread.
pub fn write_message(out: &mut Vec<u8>, head: &MessageHead<'_>, payload: &[u8]) {
    let room_bytes = head.room.map_or(0, |room| ROOM_BYTES + room.len());
    out.reserve(HEAD_BYTES + head.from.len() + room_bytes + payload.len());
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(head.kind.as_str().as_bytes());
    out.extend_from_slice(b"\",\"from\":\"");
    out.extend_from_slice(head.from.as_bytes());
    if let Some(room) = head.room {
        out.extend_from_slice(b"\",\"room\":\"");
        out.extend_from_slice(room.as_bytes());
    }
    out.extend_from_slice(b"\",\"mid\":\"");
    head.mid.write(out);
    // Writing to a Vec cannot fail.
    let _ = write!(out, "\",\"seq\":{},\"payload\":", head.seq);
    out.extend_from_slice(payload);
    out.push(b'}');
}

/// Appends the text of `receipt: delivered` to `out`: the frame a node says most often on its own account.
pub fn write_delivered(out: &mut Vec<u8>, id: u64) {
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        "{{\"type\":\"receipt\",\"id\":{id},\"status\":\"delivered\"}}"
    );
}
