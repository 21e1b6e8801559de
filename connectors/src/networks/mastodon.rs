//! Mastodon: notifications, hashtag and word searches, own statuses.
