//! The log: which lines, in which form.

use std::io;

use tracing::{Level, Metadata};
use tracing_subscriber::{
    Layer,
    filter::{FilterExt, Targets, filter_fn},
    fmt,
    layer::SubscriberExt,
    registry,
    util::SubscriberInitExt,
};

/// The form of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people at a terminal.
    Text,
    /// One JSON object each, for programs.
    Json,
}

/// Starts the log, on standard error. `filter` says which lines: a level, or targets with levels
/// such as `scim_bridge::http=debug,info`; what cannot be read counts as `info`.
pub fn start(filter: Option<&str>, form: Form) {
    let filter = filter.and_then(|text| text.parse().ok());
    let filter: Targets = filter.unwrap_or_else(|| Targets::new().with_default(Level::INFO));
    let filter = filter.and(filter_fn(shows_no_content));
    let lines = fmt::layer().with_writer(io::stderr).with_target(false);
    let lines = match form {
        Form::Text => lines.with_ansi(false).with_filter(filter).boxed(),
        Form::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .with_filter(filter)
            .boxed(),
    };
    registry().with(lines).init();
}

/// Whether lines of this kind keep to themselves what is sent: at `trace` Lambda's runtime writes
/// whole events, with tokens and bodies.
fn shows_no_content(line: &Metadata<'_>) -> bool {
    let runtime = line.target().starts_with("lambda_");
    !runtime || *line.level() < Level::TRACE
}
