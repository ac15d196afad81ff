//! The two macros that make a definition the single source of a type.
//!
//! `words!` defines a closed set of wire words; `data!` defines a struct whose Rust fields, JSON reading,
//! limits, JSON writing, binary schema and JSON schema all come from one list of fields.

/// Defines an enum of wire words. The first word is the `Default`. Words are stored by their place: new ones go to
/// the end, none is moved or removed.
macro_rules! words {
    ($(#[$doc:meta])* pub enum $name:ident {
        $( $variant:ident = $word:literal $(| $alias:literal)* ),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default,
            wincode::SchemaWrite, wincode::SchemaRead,
        )]
        pub enum $name {
            #[default]
            $( #[doc = concat!("`", $word, "`")] $variant ),+
        }

        impl $name {
            /// Every word, in the order of definition.
            pub const ALL: &'static [Self] = &[$( Self::$variant ),+];

            /// Returns the wire word.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word ),+ }
            }

            /// Finds the value of a wire word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $( $word $(| $alias)* => Some(Self::$variant), )+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl $crate::field::Field for $name {
            fn read(
                node: &$crate::json::Node<'_>,
                at: $crate::field::Path<'_>,
                _limit: usize,
                cx: &mut $crate::field::Cx,
            ) -> Option<Self> {
                let word = cx.text(node, at)?;
                let found = Self::from_word(word);
                if found.is_none() {
                    cx.unknown_word(at, &[$( $word ),+]);
                }
                found
            }

            fn schema(_limit: usize) -> serde_json::Value {
                serde_json::json!({ "type": "string", "enum": [$( $word ),+] })
            }
        }
    };
}

/// Resolves the name of a field on the wire: its own, unless another is given.
macro_rules! wire {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $wire:literal) => {
        $wire
    };
}

/// Resolves a limit: the type's own (0), unless one is given.
macro_rules! limit {
    () => {
        0
    };
    ($limit:expr) => {
        $limit
    };
}

/// Defines a struct that is read from and written to JSON objects of the same shape.
///
/// A field is `name: Type`, with `as "wire_name"` when the wire name is a Rust keyword and `=> N` for a limit
/// (characters of a text, items of a list, bytes of raw JSON). `Option`, `Vec`, `Change` may be absent; others are
/// required. `clinical` adds `labels` and `extra`, `plain` adds `extra`, `part` adds nothing.
/// `rules path` names a function for what spans several fields.
macro_rules! data {
    ($(#[$doc:meta])* clinical $name:ident { $($fields:tt)* } $($rest:tt)*) => {
        data! { $(#[$doc])* part $name {
            $($fields)*
            /// Sensitivity labels, the sender's and those that the server's lists demand.
            labels: Vec<$crate::Label> => 5,
            /// Whatever else the sender keeps with the event; shown, never interpreted.
            extra: Option<$crate::RawJson> => $crate::limits::EXTRA_BYTES_MAX,
        } $($rest)* }
    };
    ($(#[$doc:meta])* plain $name:ident { $($fields:tt)* } $($rest:tt)*) => {
        data! { $(#[$doc])* part $name {
            $($fields)*
            /// Whatever else the sender keeps with the event; shown, never interpreted.
            extra: Option<$crate::RawJson> => $crate::limits::EXTRA_BYTES_MAX,
        } $($rest)* }
    };
    ($(#[$doc:meta])* part $name:ident {
        $( $(#[$field_doc:meta])* $field:ident $(as $wire:literal)? : $type:ty $(=> $limit:expr)? ),* $(,)?
    } $(lone $lone:path ;)? $(rules $rules:path ;)?) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, PartialEq, Eq, Default, serde::Serialize,
            wincode::SchemaWrite, wincode::SchemaRead,
        )]
        pub struct $name {
            $(
                $(#[$field_doc])*
                $(#[serde(rename = $wire)])?
                #[serde(skip_serializing_if = "crate::field::is_absent")]
                pub $field: $type,
            )*
        }

        impl $crate::field::Field for $name {
            fn read(
                node: &$crate::json::Node<'_>,
                at: $crate::field::Path<'_>,
                _limit: usize,
                cx: &mut $crate::field::Cx,
            ) -> Option<Self> {
                use $crate::field::Slot;
                $( if let Some(whole) = $lone(node, at, cx) { return whole; } )?
                let members = cx.object(node, at)?;
                $( let mut $field: Slot<$type> = Slot::Absent; )*
                for (key, value) in members {
                    match &**key {
                        $( wire!($field $($wire)?) => {
                            $field = Slot::read(value, at.key(wire!($field $($wire)?)), limit!($($limit)?), cx);
                        } )*
                        other => cx.unknown_field(at, other),
                    }
                }
                $( let $field = $field.finish(at, wire!($field $($wire)?), cx); )*
                let whole = Self { $( $field: $field? ),* };
                $( $rules(&whole, at, cx); )?
                Some(whole)
            }

            fn check(&self, at: $crate::field::Path<'_>, _limit: usize, cx: &mut $crate::field::Cx) {
                $(
                    $crate::field::Field::check(
                        &self.$field, at.key(wire!($field $($wire)?)), limit!($($limit)?), cx,
                    );
                )*
                $( $rules(self, at, cx); )?
            }

            fn codes(&mut self, at: $crate::field::Path<'_>, visit: &mut $crate::field::VisitCode<'_>) {
                $( $crate::field::Field::codes(&mut self.$field, at.key(wire!($field $($wire)?)), visit); )*
                let _ = (at, visit);
            }

            fn people(&mut self, at: $crate::field::Path<'_>, visit: &mut $crate::field::VisitPerson<'_>) {
                $( $crate::field::Field::people(&mut self.$field, at.key(wire!($field $($wire)?)), visit); )*
                let _ = (at, visit);
            }

            fn schema(_limit: usize) -> serde_json::Value {
                $crate::field::object_schema(vec![
                    $( $crate::field::Member::of::<$type>(wire!($field $($wire)?), limit!($($limit)?)) ),*
                ])
            }
        }
    };
}
