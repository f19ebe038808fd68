//! What a member of a room shows of itself: JSON that nodes keep as text and never interpret. Not here: who may set it
//! (crate `core`).

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// The `info` of a member, shared by all who hold it. Two are equal if their texts are.
#[derive(Debug, Clone)]
pub struct Info(Arc<RawValue>);

impl Info {
    /// The JSON text.
    #[must_use]
    pub fn get(&self) -> &str {
        self.0.get()
    }
}

impl From<Box<RawValue>> for Info {
    fn from(json: Box<RawValue>) -> Self {
        Self(json.into())
    }
}

impl PartialEq for Info {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Info {}

impl Serialize for Info {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

/// Works only where the reader keeps the text, as `serde_json::from_str` does.
impl<'de> Deserialize<'de> for Info {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Box<RawValue>>::deserialize(deserializer).map(Self::from)
    }
}
