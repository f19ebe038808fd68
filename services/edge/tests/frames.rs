//! Frames of clients, right and wrong ones, against tungstenite: the property of the fuzz target `websocket`, over its
//! seeds and over generated frames.

#![allow(clippy::expect_used, reason = "a test stops at the first surprise")]

use proptest::prelude::*;

#[allow(unreachable_pub, reason = "the fuzz targets need it public")]
#[path = "../../../fuzz/src/seeds.rs"]
mod seeds;
#[allow(unreachable_pub, clippy::panic, reason = "the fuzz target needs it so")]
#[path = "../../../fuzz/src/websocket.rs"]
mod websocket;

use websocket::MOST;

/// How a frame states its length.
#[derive(Debug, Clone, Copy)]
enum Length {
    Shortest,
    TwoBytes,
    EightBytes,
    /// Longer than the frame, by so much.
    Wrong(u64),
}

/// Appends a client's frame.
fn append(out: &mut Vec<u8>, first: u8, mask: Option<[u8; 4]>, length: Length, payload: &[u8]) {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let bytes = payload.len() as u64;
    out.push(first);
    match (length, bytes) {
        (Length::Shortest, 0..=125) => out.push(masked | bytes as u8),
        (Length::Shortest | Length::TwoBytes, 0..=0xffff) => {
            out.push(masked | 126);
            out.extend((bytes as u16).to_be_bytes());
        }
        (Length::Wrong(more), _) => {
            out.push(masked | 127);
            out.extend((bytes.wrapping_add(more)).to_be_bytes());
        }
        (Length::Shortest | Length::TwoBytes | Length::EightBytes, _) => {
            out.push(masked | 127);
            out.extend(bytes.to_be_bytes());
        }
    }
    let mask_bytes = mask.unwrap_or_default();
    out.extend(mask.into_iter().flatten());
    out.extend(
        payload
            .iter()
            .zip(mask_bytes.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
}

/// A frame's first byte: mostly one that a client may send.
fn first() -> impl Strategy<Value = u8> {
    prop_oneof![
        8 => Just(0x81), // text
        6 => Just(0x01), // text that goes on
        6 => Just(0x00), // what goes on
        8 => Just(0x80), // the end of it
        2 => Just(0x82), // bytes
        1 => Just(0x02),
        4 => Just(0x89), // ping
        2 => Just(0x8a), // pong
        2 => Just(0x88), // close
        1 => any::<u8>(),
    ]
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let text = "[a-zäß€😀\u{7ff}\u{800}\u{ffff}\u{10ffff}]{0,12}".prop_map(String::into_bytes);
    // A part of a text may begin and end within a character.
    let part = (text.clone(), 0..8_usize, 0..8_usize).prop_map(|(text, from, to)| {
        let to = text.len().saturating_sub(to);
        text.get(from.min(to)..to).unwrap_or_default().to_vec()
    });
    let edge = prop::sample::select(vec![
        124,
        125,
        126,
        127,
        MOST - 1,
        MOST,
        MOST + 1,
        16 * MOST,
        16 * MOST + 1,
    ]);
    let close =
        (any::<u16>(), 990..1020_u16, text.clone(), any::<bool>()).prop_map(|(any, near, why, is_any)| {
            let code = if is_any { any } else { near };
            [&code.to_be_bytes()[..], &why].concat()
        });
    prop_oneof![
        6 => text,
        6 => part,
        2 => edge.prop_map(|bytes| vec![b'x'; bytes]),
        2 => close,
        2 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

fn length() -> impl Strategy<Value = Length> {
    prop_oneof![
        20 => Just(Length::Shortest),
        2 => Just(Length::TwoBytes),
        2 => Just(Length::EightBytes),
        1 => any::<u64>().prop_map(Length::Wrong),
    ]
}

/// Frames of a client, of which the last may be cut, and one byte may be wrong.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let mask = prop_oneof![30 => any::<[u8; 4]>().prop_map(Some), 1 => Just(None)];
    let frame = (first(), mask, length(), payload());
    let cut = prop_oneof![3 => Just(0), 1 => 1..40_usize];
    let wrong = prop_oneof![4 => Just(None), 1 => any::<(prop::sample::Index, u8)>().prop_map(Some)];
    (prop::collection::vec(frame, 1..12), cut, wrong).prop_map(|(frames, cut, wrong)| {
        let mut out = Vec::new();
        for (first, mask, length, payload) in frames {
            append(&mut out, first, mask, length, &payload);
        }
        out.truncate(out.len().saturating_sub(cut).max(1));
        if let Some((place, byte)) = wrong {
            let place = place.index(out.len());
            out[place] = byte;
        }
        out
    })
}

#[test]
fn the_seeds_of_the_fuzz_target_have_its_property() {
    seeds::have_properties(&[("websocket", websocket::websocket)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn frames_are_what_tungstenite_makes_of_them_in_whatever_pieces_they_come(bytes in frames()) {
        websocket::websocket(&bytes);
    }
}
