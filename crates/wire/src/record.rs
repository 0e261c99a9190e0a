//! The one description of a record: `records!` turns it into Rust types that encode and decode
//! themselves and into the [`Layout`]s from which [`crate::typescript()`] prints the other side.
//!
//! ```text
//! u32 kind | u32 size | f64 key | f64 fields | u32 fields | u32 length of each tail | tails
//! ```
//!
//! `size` counts the whole record and is a multiple of 8, so every `f64` lies on its own boundary.
//! Tails follow each other without gaps; the fixed part and the record end with zeros up to 8.

use crate::bytes::{FieldKind, TailKind, aligned};

/// Bytes of kind, size and key.
pub const HEADER_BYTES: usize = 16;

/// Where everything in a record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Of the record, in the words of Rust.
    pub name: &'static str,
    /// First line of its documentation.
    pub doc: &'static str,
    /// Its number on the wire.
    pub kind: u32,
    /// What the key is; none for a record without one, whose key is 0.
    pub key: Option<&'static str>,
    /// Numbers, in order.
    pub fields: &'static [Part<FieldKind>],
    /// Bytes, in order.
    pub tails: &'static [Part<TailKind>],
}

/// A field or tail of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part<K> {
    /// Its name, in the words of Rust.
    pub name: &'static str,
    /// First line of its documentation.
    pub doc: &'static str,
    /// How it is kept.
    pub kind: K,
}

impl Layout {
    /// Bytes before the tails.
    #[must_use]
    pub const fn fixed_bytes(&self) -> usize {
        aligned(self.length_offset(self.tails.len()))
    }

    /// Where field `index` begins.
    #[must_use]
    pub const fn field_offset(&self, index: usize) -> usize {
        let (mut offset, mut before) = (HEADER_BYTES, 0);
        while before < index {
            offset += self.fields[before].kind.bytes();
            before += 1;
        }
        offset
    }

    /// Where the length of tail `index` is.
    #[must_use]
    pub const fn length_offset(&self, index: usize) -> usize {
        self.field_offset(self.fields.len()) + 4 * index
    }

    /// Whether every field lies on a multiple of its own size.
    #[must_use]
    pub const fn is_aligned(&self) -> bool {
        let mut index = 0;
        while index < self.fields.len() {
            if !self
                .field_offset(index)
                .is_multiple_of(self.fields[index].kind.bytes())
            {
                return false;
            }
            index += 1;
        }
        true
    }
}

/// Why bytes are no record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Malformed {
    /// The bytes end before the record does.
    Short,
    /// The size is no multiple of 8, or smaller than the record's fixed part.
    Size(u32),
    /// No record of this direction has this number.
    Kind(u32),
    /// The tails do not fill the record.
    Tails,
    /// A text is not UTF-8.
    Text(&'static str),
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Short => f.write_str("expected a whole record, the bytes end before it does"),
            Self::Size(size) => write!(f, "expected the size of a whole record, got {size}"),
            Self::Kind(kind) => write!(f, "expected the kind of a known record, got {kind}"),
            Self::Tails => f.write_str("expected tails that fill the record exactly"),
            Self::Text(name) => write!(f, "expected UTF-8 in {name}"),
        }
    }
}

impl std::error::Error for Malformed {}

/// Kind and size of the record at the start of `bytes`, which hold all of it.
pub(crate) fn header(bytes: &[u8]) -> Result<(u32, usize), Malformed> {
    let [k0, k1, k2, k3, s0, s1, s2, s3, ..] = *bytes else {
        return Err(Malformed::Short);
    };
    let size = u32::from_le_bytes([s0, s1, s2, s3]);
    if !size.is_multiple_of(8) || (size as usize) < HEADER_BYTES {
        return Err(Malformed::Size(size));
    }
    if bytes.len() < size as usize {
        return Err(Malformed::Short);
    }
    Ok((u32::from_le_bytes([k0, k1, k2, k3]), size as usize))
}

/// Describes all records of one direction. For each a struct with its parts, and one enum over
/// them. The number after `bytes` is the length of the fixed part, checked at compile time.
macro_rules! records {
    (
        $(#[$enum_doc:meta])*
        enum $enum:ident<$all:lifetime>;
        $(
            #[doc = $doc:literal] $(#[doc = $more:literal])*
            $name:ident $(<$life:lifetime>)? = $kind:literal $(, key $key:ident)?, bytes $fixed:literal {
                $(#[doc = $field_doc:literal] $field:ident: $field_type:ty,)*
                $(; $(#[doc = $tail_doc:literal] $tail:ident: $tail_type:ty,)+)?
            }
        )+
    ) => {
        $(
            #[doc = $doc] $(#[doc = $more])*
            #[derive(Clone, Copy, PartialEq, Debug)]
            pub struct $name $(<$life>)? {
                $(
                    /// Correlates the record.
                    pub $key: f64,
                )?
                $(#[doc = $field_doc] pub $field: $field_type,)*
                $($(#[doc = $tail_doc] pub $tail: $tail_type,)+)?
            }

            impl $(<$life>)? $name $(<$life>)? {
                /// Where its parts are.
                pub const LAYOUT: $crate::record::Layout = $crate::record::Layout {
                    name: stringify!($name),
                    doc: $doc,
                    kind: $kind,
                    key: records!(@key $($key)?),
                    fields: &[$($crate::record::Part {
                        name: stringify!($field),
                        doc: $field_doc,
                        kind: <$field_type as $crate::bytes::Field>::KIND,
                    },)*],
                    tails: &[$($($crate::record::Part {
                        name: stringify!($tail),
                        doc: $tail_doc,
                        kind: <$tail_type as $crate::bytes::Tail<'_>>::KIND,
                    },)+)?],
                };

                /// Bytes that it takes on the wire.
                #[must_use]
                pub fn size(&self) -> usize {
                    $crate::bytes::aligned($fixed $($(+ self.$tail.len())+)?)
                }

                /// Writes it at the start of `out`, which has room for [`Self::size`] bytes.
                pub fn encode(&self, out: &mut [u8]) {
                    let mut to = $crate::bytes::Sink::new(out);
                    let size = u32::try_from(self.size()).expect("a record is smaller than 4 GiB");
                    $crate::bytes::Field::write(&Self::LAYOUT.kind, &mut to);
                    $crate::bytes::Field::write(&size, &mut to);
                    $crate::bytes::Field::write(&[$(self.$key,)? 0.0][0], &mut to);
                    $($crate::bytes::Field::write(&self.$field, &mut to);)*
                    $($($crate::bytes::Field::write(&(self.$tail.len() as u32), &mut to);)+)?
                    to.align();
                    $($(to.put($crate::bytes::Tail::bytes(&self.$tail));)+)?
                    to.align();
                }
            }

            const _: () = {
                let layout = $name::LAYOUT;
                assert!(layout.is_aligned(), "numbers of eight bytes come before those of four");
                assert!(layout.fixed_bytes() == $fixed, "the fixed part has another length");
            };
        )+

        $(#[$enum_doc])*
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub enum $enum<$all> {
            $(#[doc = $doc] $name($name $(<$life>)?),)+
        }

        impl<$all> $enum<$all> {
            /// All records of this direction.
            pub const LAYOUTS: &'static [$crate::record::Layout] = &[$($name::LAYOUT,)+];

            /// What it is called.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $name::LAYOUT.name,)+ }
            }

            /// Bytes that it takes on the wire.
            #[must_use]
            pub fn size(&self) -> usize {
                match self { $(Self::$name(record) => record.size(),)+ }
            }

            /// Writes it at the start of `out`, which has room for [`Self::size`] bytes.
            pub fn encode(&self, out: &mut [u8]) {
                match self { $(Self::$name(record) => record.encode(out),)+ }
            }

            /// Reads the record at the start of `bytes`, and how many bytes it takes.
            ///
            /// # Errors
            /// When the bytes do not begin with one whole record of this direction.
            #[allow(unused_mut, unused_variables, reason = "a record without parts reads nothing")]
            pub fn decode(bytes: &$all [u8]) -> Result<(Self, usize), $crate::record::Malformed> {
                use $crate::{bytes, record::Malformed};
                let (kind, size) = $crate::record::header(bytes)?;
                let bytes = &bytes[..size];
                let record = match kind {
                    $($kind => {
                        if size < $fixed {
                            return Err(Malformed::Size(size as u32));
                        }
                        let mut from = bytes::Source::new(bytes, 8);
                        let key = <f64 as bytes::Field>::read(&mut from);
                        $(let $field = <$field_type as bytes::Field>::read(&mut from);)*
                        $($(let $tail = <u32 as bytes::Field>::read(&mut from);)+)?
                        from.align();
                        $($(
                            let $tail = from.tail($tail).ok_or(Malformed::Tails)?;
                            let $tail = <$tail_type as bytes::Tail<'_>>::from_bytes($tail)
                                .ok_or(Malformed::Text(stringify!($tail)))?;
                        )+)?
                        from.align();
                        if from.at() != size {
                            return Err(Malformed::Tails);
                        }
                        Self::$name($name { $($key: key,)? $($field,)* $($($tail,)+)? })
                    })+
                    _ => return Err(Malformed::Kind(kind)),
                };
                Ok((record, size))
            }
        }
    };
    (@key) => { None };
    (@key $key:ident) => { Some(stringify!($key)) };
}
pub(crate) use records;
