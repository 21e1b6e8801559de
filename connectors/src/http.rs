//! The one HTTP client: timeouts, response size bound, rate limits, status to error.
