//! Why a verb did not happen.

/// The store could not do what it was asked; nothing of it was done.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum StoreError {
    /// It cannot be reached or written now (disk full, connection lost, shutting down): the same call may work later.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// What it holds cannot be read as what it should be: says which table, column and row.
    #[error("the store holds something unreadable: {0}")]
    Damaged(String),
}
