//! The amisweep command.

use std::io::Write;
use std::panic::{UnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

/// Where in the source the last panic was. Its message may quote an image, and is left out.
static PLACE: Mutex<Option<String>> = Mutex::new(None);

fn main() -> ExitCode {
    // A parser that fails on hostile bytes is caught, and reported as coverage where it happened:
    // a backtrace on the terminal would say less.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        *PLACE.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }));
    told(amisweep::cli::main, &mut std::io::stderr())
}

/// What `run` returns. A panic that nothing inside caught says so, and is never taken for a result.
fn told(run: impl FnOnce() -> ExitCode + UnwindSafe, stderr: &mut dyn Write) -> ExitCode {
    catch_unwind(run).unwrap_or_else(|_| {
        let place = PLACE.lock().unwrap_or_else(PoisonError::into_inner).take();
        let place = place.map_or_else(String::new, |place| format!(" at {place}"));
        let lost = "what was found is lost and no report is complete; please report this";
        // Nobody may be listening, which is no reason to fail again.
        let _ = writeln!(stderr, "amisweep: failed inside{place}: {lost}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The program ended without a word.
    #[test]
    fn a_panic_is_told_in_one_line() {
        let mut said = Vec::new();
        let code = told(|| panic!("secret"), &mut said);
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(1)));
        let said = String::from_utf8(said).unwrap();
        assert!(said.starts_with("amisweep: failed inside") && !said.contains("secret"), "{said}");
        assert_eq!(said.lines().count(), 1);
        let fine = told(|| ExitCode::from(11), &mut Vec::new());
        assert_eq!(format!("{fine:?}"), format!("{:?}", ExitCode::from(11)));
    }
}
