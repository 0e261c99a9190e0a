//! The committed codec of the other side is what this crate prints.

use std::path::Path;

#[test]
fn the_committed_codec_is_fresh() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../npm/ackbox/src/engine/wire.gen.ts");
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(
        committed == ackbox_wire::typescript(),
        "{} is stale: run `cargo xtask codegen`",
        path.display()
    );
}
