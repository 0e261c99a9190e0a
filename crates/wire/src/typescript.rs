//! The other side of the wire: `wire.gen.ts`, printed from the same description.

use std::fmt::Write;

use crate::bytes::{FieldKind, TailKind};
use crate::codes::{self, Codes};
use crate::input::Input;
use crate::output::Output;
use crate::record::{Layout, Part};

/// The whole text of `npm/ackbox/src/engine/wire.gen.ts`.
#[must_use]
pub fn typescript() -> String {
    let mut ts = String::from(HEAD);
    kinds(
        &mut ts,
        "InputKind",
        "Numbers of the records to the engine.",
        Input::LAYOUTS,
    );
    kinds(
        &mut ts,
        "OutputKind",
        "Numbers of the records from the engine.",
        Output::LAYOUTS,
    );
    for codes in codes::ALL {
        code_table(&mut ts, codes);
    }
    for layout in Input::LAYOUTS.iter().filter(|layout| has_parts(layout)) {
        interface(&mut ts, layout);
    }
    writer(&mut ts, Input::LAYOUTS);
    for layout in Output::LAYOUTS {
        view(&mut ts, layout);
    }
    reader(&mut ts, Output::LAYOUTS);
    ts
}

const HEAD: &str = "\
// Generated from the records of crates/wire by `cargo xtask codegen`. Do not edit: a test of that
// crate compares this file with what it prints.

import { RecordReader, RecordView, RecordWriter, roomFor } from './records.js'
";

/// Appends formatted text; writing to a `String` cannot fail.
macro_rules! put {
    ($to:expr, $($format:tt)*) => { writeln!($to, $($format)*).expect("a String grows") };
}

fn kinds(ts: &mut String, name: &str, doc: &str, layouts: &[Layout]) {
    put!(ts, "\n/** {doc} */\nexport const {name} = {{");
    for layout in layouts {
        put!(ts, "  {}: {},", lower_camel(layout.name), layout.kind);
    }
    put!(ts, "}} as const");
}

fn code_table(ts: &mut String, codes: &Codes) {
    let Codes { name, doc, entries } = codes;
    put!(ts, "\n/** {} */\nexport const {name} = {{", doc.trim());
    for (text, code) in *entries {
        put!(ts, "  {}: {code},", lower_camel(text));
    }
    put!(ts, "}} as const");
    put!(ts, "\n/** Names of `{name}`. */\nexport type {name}Name =");
    for (text, _) in *entries {
        put!(ts, "  | '{text}'");
    }
    let end = entries.iter().map(|(_, code)| code + 1).max().unwrap_or(0);
    put!(
        ts,
        "\n/** The name of each `{name}` by its number; 0 is none where it is not used. */"
    );
    put!(
        ts,
        "export const {}Names: readonly ({name}Name | undefined)[] = [",
        lower_camel(name)
    );
    for code in 0..end {
        match entries.iter().find(|entry| entry.1 == code) {
            Some((text, _)) => put!(ts, "  '{text}',"),
            None => put!(ts, "  undefined,"),
        }
    }
    put!(ts, "]");
}

/// Whether the host says more than the record's name.
fn has_parts(layout: &Layout) -> bool {
    layout.key.is_some() || !layout.fields.is_empty() || !layout.tails.is_empty()
}

fn interface(ts: &mut String, layout: &Layout) {
    put!(
        ts,
        "\n/** {} */\nexport interface {} {{",
        layout.doc.trim(),
        layout.name
    );
    if let Some(key) = layout.key {
        put!(ts, "  {}: number", lower_camel(key));
    }
    for Part { name, doc, kind } in layout.fields {
        let name = lower_camel(name);
        match kind {
            FieldKind::Flag => put!(ts, "  /** {} */\n  {name}: boolean", doc.trim()),
            FieldKind::U32 | FieldKind::F64 => {
                put!(ts, "  /** {} */\n  {name}: number", doc.trim())
            }
            FieldKind::Maybe => put!(ts, "  /** {} */\n  {name}?: number | undefined", doc.trim()),
        }
    }
    for Part { name, doc, kind } in layout.tails {
        let kind = match kind {
            TailKind::Text => "string",
            TailKind::Bytes => "string | Uint8Array",
        };
        put!(
            ts,
            "  /** {} */\n  {}?: {kind} | undefined",
            doc.trim(),
            lower_camel(name)
        );
    }
    put!(ts, "}}");
}

fn writer(ts: &mut String, layouts: &[Layout]) {
    put!(
        ts,
        "\n/** Writes records into the input area of an engine. */"
    );
    put!(ts, "export class Writer extends RecordWriter {{");
    for (index, layout) in layouts.iter().enumerate() {
        if index > 0 {
            put!(ts, "");
        }
        write_method(ts, layout);
    }
    put!(ts, "}}");
}

fn write_method(ts: &mut String, layout: &Layout) {
    let fixed = layout.fixed_bytes();
    let parameter = if has_parts(layout) {
        format!("record: {}", layout.name)
    } else {
        String::new()
    };
    put!(
        ts,
        "  /** {} */\n  {}({parameter}): void {{",
        layout.doc.trim(),
        lower_camel(layout.name)
    );
    for Part { name, .. } in layout.tails {
        put!(ts, "    const {0} = record.{0} ?? ''", lower_camel(name));
    }
    let mut room = fixed.to_string();
    for Part { name, .. } in layout.tails {
        write!(room, " + roomFor({})", lower_camel(name)).expect("a String grows");
    }
    put!(ts, "    const start = this.begin({}, {room})", layout.kind);
    let key = layout
        .key
        .map_or_else(|| "0".into(), |key| format!("record.{}", lower_camel(key)));
    put!(ts, "    this.f64[(start + 8) >>> 3] = {key}");
    for (index, Part { name, kind, .. }) in layout.fields.iter().enumerate() {
        let (name, offset) = (lower_camel(name), layout.field_offset(index));
        match kind {
            FieldKind::Flag => put!(
                ts,
                "    this.u32[(start + {offset}) >>> 2] = record.{name} ? 1 : 0"
            ),
            FieldKind::U32 => put!(ts, "    this.u32[(start + {offset}) >>> 2] = record.{name}"),
            FieldKind::F64 => put!(ts, "    this.f64[(start + {offset}) >>> 3] = record.{name}"),
            FieldKind::Maybe => put!(
                ts,
                "    this.f64[(start + {offset}) >>> 3] = record.{name} ?? NaN"
            ),
        }
    }
    if layout.tails.is_empty() {
        put!(ts, "    this.finish(start, start + {fixed})\n  }}");
        return;
    }
    put!(ts, "    let end = start + {fixed}");
    for (index, Part { name, .. }) in layout.tails.iter().enumerate() {
        let offset = layout.length_offset(index);
        put!(
            ts,
            "    end += this.u32[(start + {offset}) >>> 2] = this.put(end, {})",
            lower_camel(name)
        );
    }
    put!(ts, "    this.finish(start, end)\n  }}");
}

fn view(ts: &mut String, layout: &Layout) {
    let name = layout.name;
    put!(
        ts,
        "\n/** {} */\nexport class {name}View extends RecordView {{",
        layout.doc.trim()
    );
    if let Some(key) = layout.key {
        put!(ts, "  get {}(): number {{", lower_camel(key));
        put!(
            ts,
            "    return this.from.f64[(this.from.start + 8) >>> 3]!\n  }}"
        );
    }
    for (index, Part { name, doc, kind }) in layout.fields.iter().enumerate() {
        let (name, offset) = (lower_camel(name), layout.field_offset(index));
        let (result, value) = match kind {
            FieldKind::Flag => (
                "boolean",
                format!("u32[(this.from.start + {offset}) >>> 2]! !== 0"),
            ),
            FieldKind::U32 => (
                "number",
                format!("u32[(this.from.start + {offset}) >>> 2]!"),
            ),
            FieldKind::F64 | FieldKind::Maybe => (
                "number",
                format!("f64[(this.from.start + {offset}) >>> 3]!"),
            ),
        };
        put!(ts, "\n  /** {} */\n  get {name}(): {result} {{", doc.trim());
        put!(ts, "    return this.from.{value}\n  }}");
    }
    for index in 0..layout.tails.len() {
        tail_methods(ts, layout, index);
    }
    put!(ts, "}}");
}

fn tail_methods(ts: &mut String, layout: &Layout, index: usize) {
    let Part { name, doc, kind } = layout.tails[index];
    let (name, doc) = (lower_camel(name), doc.trim());
    let length = |index| format!("u32[(start + {}) >>> 2]!", layout.length_offset(index));
    let mut at = format!("start + {}", layout.fixed_bytes());
    for before in 0..index {
        write!(at, " + {}", length(before)).expect("a String grows");
    }
    let mut method = |name: &str, doc: &str, result: &str, read: &str| {
        put!(ts, "\n  /** {doc} */\n  {name}(): {result} {{");
        put!(ts, "    const {{ start, u32 }} = this.from");
        put!(
            ts,
            "    return this.from.{read}({at}, {})\n  }}",
            length(index)
        );
    };
    match kind {
        TailKind::Text => method(&name, doc, "string", "text"),
        TailKind::Bytes => {
            let view =
                format!("{doc} A view: copy it before anything else is asked of the engine.");
            method(&name, &view, "Uint8Array", "view");
            method(
                &format!("{name}Text"),
                &format!("{doc} Decoded as UTF-8."),
                "string",
                "text",
            );
        }
    }
}

fn reader(ts: &mut String, layouts: &[Layout]) {
    put!(
        ts,
        "\n/** Walks the records in the output area; `kind` tells which view is valid. */"
    );
    put!(ts, "export class Reader extends RecordReader {{");
    for layout in layouts {
        put!(
            ts,
            "  readonly {} = new {}View(this)",
            lower_camel(layout.name),
            layout.name
        );
    }
    put!(ts, "}}");
}

/// `delay_ms`, `DelayMs` and `delay-ms` are all `delayMs` in TypeScript.
fn lower_camel(name: &str) -> String {
    let mut result = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        match letter {
            '_' | '-' => upper = true,
            _ if upper => {
                result.push(letter.to_ascii_uppercase());
                upper = false;
            }
            _ if result.is_empty() => result.push(letter.to_ascii_lowercase()),
            _ => result.push(letter),
        }
    }
    result
}
