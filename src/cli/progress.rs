//! Progress of long work, on stderr when it is a terminal.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

pub struct Progress(ProgressBar);

impl Progress {
    /// Starts a bar that counts `what`; silent where stderr is not a terminal.
    pub fn start(what: &str) -> Self {
        let bar = ProgressBar::new(0);
        bar.set_draw_target(match std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr_with_hz(5),
            false => ProgressDrawTarget::hidden(),
        });
        let style = format!("{{bar:30}} {{human_pos}}/{{human_len}} {what} {{per_sec}} {{eta}} left");
        bar.set_style(ProgressStyle::with_template(&style).expect("the template is a constant but for a word"));
        Self(bar)
    }

    pub fn at(&self, done: u64, all: u64) {
        self.0.set_length(all);
        self.0.set_position(done);
    }

    /// A line on stderr, above the bar where there is one.
    pub fn say(&self, line: &str) {
        self.0.suspend(|| eprintln!("{line}"));
    }

    pub fn done(self) {
        self.0.finish_and_clear();
    }
}
