//! What can go wrong in an audit.

use thiserror::Error;

/// Errors of auditing networks.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AuditError {
    /// From the network: its file, its name, or how its parts fit together.
    #[error(transparent)]
    Graph(#[from] convstat_graph::GraphError),
    /// From structures.
    #[error(transparent)]
    Cnn(#[from] convstat_cnn::CnnError),
    /// From tensor algebra.
    #[error(transparent)]
    Tensor(#[from] convstat_tensor::TensorError),
}
