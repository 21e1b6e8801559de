//! What people read: filtered mentions, search, a conversation, sentiment by hour.
