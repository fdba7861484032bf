//! Error bounds, exact risk, statistical dimension and identification
