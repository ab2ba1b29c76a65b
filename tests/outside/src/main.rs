//! A binary of one's own: the kinds of the example, in a crate that is no member of Tapline's workspace.

#[allow(
    dead_code,
    reason = "the example's own `main` is not called, only its `program`"
)]
#[path = "../../../extension/examples/custom_sink.rs"]
mod custom_sink;

fn main() -> std::process::ExitCode {
    custom_sink::program().main()
}
