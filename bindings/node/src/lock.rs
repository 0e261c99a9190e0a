//! The operating system's lock on a file. It ends with the process that holds it, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;

use napi::Error;
use napi_derive::napi;

use crate::guard::CodedError;

/// An exclusive lock, held until it is released or collected or the process ends.
#[napi]
pub struct LockHandle {
    file: Option<File>,
}

#[napi]
impl LockHandle {
    /// Gives the lock up. Idempotent.
    #[napi]
    pub fn release(&mut self) {
        // Closing the file releases the lock.
        self.file = None;
    }
}

/// Locks the file at `path`, which must exist and is left as it is. Null when someone else holds the lock; throws what the system says when it cannot be tried.
#[napi]
pub fn lock_file(path: String) -> Result<Option<LockHandle>, CodedError> {
    let file = OpenOptions::new().read(true).write(true).open(&path);
    match file.map(|file| (file.try_lock(), file)) {
        Ok((Ok(()), file)) => Ok(Some(LockHandle { file: Some(file) })),
        Ok((Err(TryLockError::WouldBlock), _)) => Ok(None),
        Ok((Err(TryLockError::Error(why)), _)) | Err(why) => Err(failed(&path, &why)),
    }
}

fn failed(path: &str, why: &io::Error) -> CodedError {
    let code = match why.kind() {
        io::ErrorKind::PermissionDenied => "EACCES",
        io::ErrorKind::NotFound => "ENOENT",
        io::ErrorKind::ReadOnlyFilesystem => "EROFS",
        io::ErrorKind::Unsupported => "ENOTSUP",
        _ => "EIO",
    };
    Error::new(code.to_owned(), format!("cannot lock '{path}': {why}"))
}
