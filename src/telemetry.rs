//! Tracing set-up and the name of every metric.
//!
//! Logs carry ids, networks and outcomes; never tokens, message text, handles or names.

use std::sync::OnceLock;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Mentions stored, by `network`.
pub const MENTIONS: &str = "muhatap_mentions_total";
/// Items kept raw because they could not be read, by `network`.
pub const UNPARSED: &str = "muhatap_unparsed_total";
/// Ends of delivery attempts, by `network` and `outcome`.
pub const DELIVERIES: &str = "muhatap_deliveries_total";
/// How long after its due time a delivery was called, by `network`.
pub const DELIVERY_LATENESS: &str = "muhatap_delivery_lateness_seconds";
/// One poll of a stream, by `network`.
pub const POLL_DURATION: &str = "muhatap_poll_duration_seconds";
/// Polls that failed, by `network` and `reason`.
pub const POLL_FAILURES: &str = "muhatap_poll_failures_total";
/// Deliveries that are due and not yet out.
pub const OUTBOX_DUE: &str = "muhatap_outbox_due";
/// 1 while Redis is away and this process orders its deliveries by itself.
pub const QUEUE_AWAY: &str = "muhatap_queue_away";
/// Questions to the queue that it did not answer as it should.
pub const QUEUE_FAILURES: &str = "muhatap_queue_failures_total";
/// Alerts raised, by `kind`.
pub const ALERTS: &str = "muhatap_alerts_total";
/// Texts cut without a dictionary for their language, by `language`.
pub const DICTIONARY_MISSING: &str = "muhatap_dictionary_missing_total";

/// Starts logging on stderr. `RUST_LOG` wins over the configuration.
pub fn log(config: &LogConfig) -> Result<(), String> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(filter) => EnvFilter::try_new(&filter).map_err(|error| format!("RUST_LOG {filter:?}: {error}"))?,
        Err(_) => {
            EnvFilter::try_new(&config.filter).map_err(|error| format!("log.filter {:?}: {error}", config.filter))?
        }
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| format!("logging was set up already: {error}"))
}

/// Starts counting, once for the process; the handle renders what `/metrics` answers.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(start_counting).clone()
}

fn start_counting() -> PrometheusHandle {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 600.0])
        .expect("the list of buckets is not empty")
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).expect("nothing else in this program counts");
    describe_counter!(MENTIONS, Unit::Count, "mentions stored");
    describe_counter!(UNPARSED, Unit::Count, "items kept raw because they could not be read");
    describe_counter!(DELIVERIES, Unit::Count, "ends of delivery attempts");
    describe_histogram!(DELIVERY_LATENESS, Unit::Seconds, "from due time to call");
    describe_histogram!(POLL_DURATION, Unit::Seconds, "one poll of a stream");
    describe_counter!(POLL_FAILURES, Unit::Count, "polls that failed");
    describe_gauge!(OUTBOX_DUE, Unit::Count, "deliveries that are due and not yet out");
    describe_gauge!(QUEUE_AWAY, Unit::Count, "1 while redis is away and this process orders its deliveries by itself");
    describe_counter!(QUEUE_FAILURES, Unit::Count, "questions to the queue that it did not answer as it should");
    describe_counter!(ALERTS, Unit::Count, "alerts raised");
    describe_counter!(DICTIONARY_MISSING, Unit::Count, "texts cut without a dictionary for their language");
    handle
}
