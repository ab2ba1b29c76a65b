//! The binary: the extension in Lambda, the command line elsewhere.

fn main() -> std::process::ExitCode {
    tapline::Tapline::new().main()
}
