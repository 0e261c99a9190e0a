//! Prints `npm/ackbox/src/engine/wire.gen.ts`.

fn main() {
    print!("{}", ackbox_wire::typescript());
}
