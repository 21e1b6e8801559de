//! What processes take.

use std::time::Duration;

/// Processor time that a process and its children, dead or alive, have used; of this one without its children, which are
/// the others that are measured.
pub fn cpu_time(pid: u32) -> Duration {
    let own = times(pid);
    if pid == std::process::id() {
        return hundredths(own.map_or(0, |times| times[..2].iter().sum::<u64>()));
    }
    let own = own.map_or(0, |times| times.iter().sum::<u64>());
    let children: u64 = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|child| parent(*child) == Some(pid))
        .filter_map(|child| Some(times(child)?[..2].iter().sum::<u64>()))
        .sum();
    hundredths(own + children)
}

/// Linux counts these in hundredths of a second (proc(5), USER_HZ).
fn hundredths(count: u64) -> Duration {
    Duration::from_millis(count * 10)
}

/// utime, stime, cutime, cstime.
fn times(pid: u32) -> Option<[u64; 4]> {
    let fields = stat(pid)?;
    let at = |place: usize| fields.get(place).and_then(|field| field.parse().ok());
    Some([at(11)?, at(12)?, at(13)?, at(14)?])
}

fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.get(1)?.parse().ok()
}

/// The fields of `/proc/PID/stat` after the name.
fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// The most memory a process ever had, in MB.
pub fn peak_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default() / 1e3
}
