//! Frames as clients send them, whole and byte by byte, and those that no client may send.

use bytes::Bytes;

use super::*;

const LIMIT: usize = 64;
const MASK: [u8; 4] = [7, 0x5a, 0xff, 0x10];

/// A client's frame; `first` is its first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        length @ 0..=125 => out.push(MASKED | length as u8),
        length @ 126..=0xffff => {
            out.push(MASKED | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(MASKED | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    let start = out.len();
    out.extend_from_slice(payload);
    unmask(&mut out[start..], MASK);
    out
}

/// All inputs of `bytes` that come in pieces of `piece` bytes, up to the first error.
fn inputs(bytes: &[u8], piece: usize) -> Vec<Result<Input, ReadError>> {
    let mut reader = FrameReader::new(LIMIT);
    let mut found = Vec::new();
    for mut piece in bytes.chunks(piece) {
        loop {
            let (taken, input) = reader.read(piece);
            piece = &piece[taken..];
            match input {
                None => break assert!(piece.is_empty()),
                Some(Err(error)) => {
                    found.push(Err(error));
                    return found;
                }
                Some(input) => found.push(input),
            }
        }
    }
    found
}

fn text(text: &str) -> Result<Input, ReadError> {
    Ok(Input::Text(text.into()))
}

#[test]
fn frames_are_the_same_in_whatever_pieces_they_come() {
    let mut bytes = frame(0x81, "grüße".as_bytes());
    bytes.extend(frame(0x01, b"in "));
    bytes.extend(frame(0x89, b"still there?"));
    bytes.extend(frame(0x00, b""));
    bytes.extend(frame(0x80, b"pieces"));
    bytes.extend(frame(0x8a, b"x"));
    bytes.extend(frame(0x82, &[0; 9]));
    bytes.extend(frame(0x81, b""));
    bytes.extend(frame(0x88, &[3, 0xe8]));
    let expected = [
        text("grüße"),
        Ok(Input::Fragment(3)),
        Ok(Input::Ping(b"still there?".to_vec())),
        Ok(Input::Fragment(0)),
        text("in pieces"),
        Ok(Input::Pong),
        Ok(Input::Binary(Bytes::from_static(&[0; 9]))),
        text(""),
        Ok(Input::Close(vec![3, 0xe8])),
    ];
    for piece in [1, 2, 3, 7, 100, 1000] {
        assert_eq!(inputs(&bytes, piece), expected, "in pieces of {piece}");
    }
}

#[test]
fn an_oversized_text_is_skipped_without_a_buffer_and_the_next_one_is_read() {
    let long: String = "äöü".chars().cycle().take(LIMIT * 8).collect();
    assert_eq!(long.len(), LIMIT * 16);
    let mut whole = frame(0x81, long.as_bytes());
    whole.extend(frame(0x81, b"next"));
    let mut pieces = frame(0x01, &long.as_bytes()[..LIMIT]);
    pieces.extend(frame(0x00, &long.as_bytes()[LIMIT..LIMIT + 1]));
    pieces.extend(frame(0x80, &long.as_bytes()[LIMIT + 1..]));
    pieces.extend(frame(0x81, b"next"));
    for (bytes, fragments) in [(whole, 0), (pieces, 2)] {
        for piece in [1, 5, 4096] {
            let found = inputs(&bytes, piece);
            assert_eq!(found.len(), fragments + 2);
            let Ok(Input::Oversized(head)) = &found[fragments] else {
                panic!("{found:?}")
            };
            assert!(head.len() <= MAX_HEAD_BYTES && long.as_bytes().starts_with(head));
            assert_eq!(found[fragments + 1], text("next"));
        }
    }
}

#[test]
fn a_message_of_the_limit_is_read_and_one_of_far_more_ends_the_connection_with_its_header() {
    let most = "x".repeat(LIMIT);
    assert_eq!(inputs(&frame(0x81, most.as_bytes()), 9), [text(&most)]);
    let header = [0x81, MASKED | 127, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4];
    assert_eq!(inputs(&header, 1), [Err(ReadError::TooLarge)]);
    let binary = frame(0x82, &[0; LIMIT + 1]);
    assert_eq!(inputs(&binary, 4096), [Err(ReadError::TooLarge)]);
}

#[test]
fn text_must_be_utf8_also_across_pieces() {
    assert_eq!(inputs(&frame(0x81, b"\xff"), 99), [Err(ReadError::Utf8)]);
    let mut cut = frame(0x01, b"\xc3");
    cut.extend(frame(0x80, b"\xa4"));
    assert_eq!(inputs(&cut, 1)[1], text("ä"));
    let mut early = frame(0x01, b"\xc3\x28");
    early.extend(frame(0x80, b""));
    assert_eq!(
        inputs(&early, 99),
        [Err(ReadError::Utf8)],
        "before the message ends"
    );
    assert_eq!(
        inputs(&frame(0x81, b"a\xc3"), 1).last(),
        Some(&Err(ReadError::Utf8))
    );
}

#[test]
fn frames_that_no_client_may_send_are_refused_by_their_first_bytes() {
    for wrong in [
        vec![0x81, 0x05],                               // no mask
        vec![0xc1, 0x80],                               // a reserved bit
        vec![0x83, 0x80],                               // a reserved kind
        vec![0x09, 0x80],                               // a ping in pieces
        vec![0x89, MASKED | 126],                       // a long ping
        vec![0x80, 0x80],                               // nothing to continue
        [frame(0x01, b"a"), vec![0x81, 0x80]].concat(), // a message within a message
        [vec![0x81, MASKED | 127], vec![0xff; 12]].concat(),
    ] {
        assert_eq!(
            inputs(&wrong, 1).last(),
            Some(&Err(ReadError::Protocol)),
            "{wrong:x?}"
        );
    }
}

#[test]
fn an_idle_reader_keeps_nothing_of_what_it_read() {
    let mut reader = FrameReader::new(LIMIT);
    assert!(size_of::<FrameReader>() <= 2 * size_of::<usize>());
    let mut bytes = frame(0x81, b"text");
    bytes.extend(frame(0x89, b"ping"));
    bytes.extend(frame(0x8a, b"pong"));
    bytes.extend(frame(0x81, &[b'x'; 2 * LIMIT]));
    bytes.extend(frame(0x01, b"in "));
    bytes.extend(frame(0x80, b"pieces"));
    for piece in [1, 5, bytes.len()] {
        let mut is_idle = true;
        for mut piece in bytes.chunks(piece) {
            while !piece.is_empty() {
                let (taken, input) = reader.read(piece);
                piece = &piece[taken..];
                is_idle = input.is_some_and(|input| !matches!(input, Ok(Input::Fragment(_)) | Err(_)));
                assert_eq!(reader.unfinished.is_none(), is_idle);
            }
        }
        assert!(is_idle, "in pieces of {}", piece);
    }
}
