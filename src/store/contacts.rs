//! Authors, contacts, links with evidence, merges that can be undone.
