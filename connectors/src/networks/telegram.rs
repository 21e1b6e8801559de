//! Telegram bots: updates in, messages out, nothing to read back.
