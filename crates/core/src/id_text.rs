//! The text of an id, on its way to whoever asked.

use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use crate::id::{GeneratedId, TEXT_BYTES};

/// An id as text, at most one count away from being copied: generated ids are kept in place, those
/// of callers are shared.
#[derive(Clone, PartialEq, Eq)]
pub struct IdText(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    Generated([u8; TEXT_BYTES]),
    Given(Rc<str>),
}

impl IdText {
    /// The id that a caller gave.
    #[must_use]
    pub const fn given(id: Rc<str>) -> Self {
        Self(Form::Given(id))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Form::Generated(letters) => str::from_utf8(letters).expect("the alphabet is ASCII"),
            Form::Given(id) => id,
        }
    }
}

impl From<GeneratedId> for IdText {
    fn from(id: GeneratedId) -> Self {
        Self(Form::Generated(id.letters()))
    }
}

impl From<IdText> for String {
    fn from(id: IdText) -> Self {
        id.as_str().to_owned()
    }
}

impl Deref for IdText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for IdText {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for IdText {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for IdText {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl fmt::Display for IdText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self)
    }
}

impl fmt::Debug for IdText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}
