//! The runtime: the few threads everything that talks to AWS runs on.

use crate::error::{Error, ErrorKind, Result};

/// Hashing 500 MB/s takes about one thread; the rest is waiting.
const THREADS_MOST: usize = 4;

/// A small runtime of its own.
pub struct Runtime {
    /// Empty only while dropped.
    inner: Option<tokio::runtime::Runtime>,
}

impl Runtime {
    /// Start its threads.
    pub fn new() -> Result<Runtime> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let inner = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores.clamp(2, THREADS_MOST))
            .thread_name("aws")
            .enable_all()
            .build()
            .map_err(|cause| {
                Error::new(ErrorKind::Io, "cannot start the threads that talk to AWS")
                    .caused_by(cause)
            })?;
        Ok(Runtime { inner: Some(inner) })
    }

    /// Wait for `future`, from a thread that is not the runtime's own.
    pub fn block_on<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        match &self.inner {
            Some(inner) => inner.block_on(future),
            None => Err(Error::new(ErrorKind::Internal, "the runtime has ended")),
        }
    }

    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        if let Some(inner) = &self.inner {
            inner.spawn(future);
        }
    }
}

impl Drop for Runtime {
    /// Without waiting: the last owner may be one of its own tasks, which must not.
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            inner.shutdown_background();
        }
    }
}
