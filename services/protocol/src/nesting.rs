//! The nesting depth of a JSON text, without parsing. Not here: whether the text is valid JSON.

/// Whether `json` nests objects and arrays deeper than `limit`.
///
/// Most frames have fewer opening brackets than the limit. A vectorised count shows that in a few nanoseconds per
/// kilobyte. Only other frames are scanned, with their strings skipped.
#[must_use]
pub fn nests_deeper_than(json: &[u8], limit: usize) -> bool {
    openers(json) > limit && deepest(json) > limit
}

fn openers(json: &[u8]) -> usize {
    json.iter().filter(|byte| matches!(byte, b'{' | b'[')).count()
}

fn deepest(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_only_brackets_outside_strings() {
        let deep = format!("{}{}", "[".repeat(129), "]".repeat(129));
        assert!(nests_deeper_than(deep.as_bytes(), 128));
        assert!(!nests_deeper_than(deep.as_bytes(), 129));
        let wide = format!("[{}]", vec!["{}"; 500].join(","));
        assert!(!nests_deeper_than(wide.as_bytes(), 128));
        let quoted = format!(r#"["\"{}"]"#, "[".repeat(500));
        assert!(!nests_deeper_than(quoted.as_bytes(), 128));
    }
}
