//! Polls every stream: lease, connector, analysis, store.
