//! The progress bar: on a terminal, on standard error, with rate and time left.

use crate::sweep::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// A bar that follows a sweep until it is dropped.
pub(super) struct Bar {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bar {
    /// Follow `progress`, unless nobody would see it.
    pub(super) fn follow(progress: &Arc<Progress>, quiet: bool) -> Bar {
        if quiet || !std::io::stderr().is_terminal() {
            return Bar { stop: None, thread: None };
        }
        let progress = Arc::clone(progress);
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            let template = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message("planning");
            while stopped.recv_timeout(Duration::from_millis(200)) == Err(RecvTimeoutError::Timeout)
            {
                let (swept, total) = progress.now();
                bar.set_length(total);
                bar.set_position(swept);
            }
            bar.finish_and_clear();
        });
        Bar { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
