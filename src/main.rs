//! The amisweep command.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A parser that fails on hostile bytes is caught, and reported as coverage where it happened:
    // a backtrace on the terminal would say less.
    std::panic::set_hook(Box::new(|_| {}));
    amisweep::cli::main()
}
