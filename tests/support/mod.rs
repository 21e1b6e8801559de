//! Fresh databases, a test app and a fake network.
