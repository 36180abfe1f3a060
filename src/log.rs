//! The log: which lines, in which form.

use std::io;

use tracing::{Level, Metadata, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer,
    filter::{FilterExt, Targets, filter_fn},
    fmt::{
        self,
        writer::{BoxMakeWriter, MakeWriterExt},
    },
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

/// Where the lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// All of them to standard error.
    StandardError,
    /// Warnings and errors to standard error, the rest to standard output: for a platform that
    /// tells them apart by that.
    EitherByLevel,
}

/// Starts the log. `filter` says which lines: a level, or targets with levels
/// such as `scim_bridge::http=debug,info`; what cannot be read counts as `info`.
pub fn start(filter: Option<&str>, form: Form, to: To) {
    let read = filter.filter(|text| is_readable(text));
    let is_unreadable = filter.is_some() && read.is_none();
    let read = read.and_then(|text| text.parse().ok());
    let filter: Targets = read.unwrap_or_else(|| Targets::new().with_default(Level::INFO));
    let filter = filter.and(filter_fn(shows_no_content));
    let writer = match to {
        To::StandardError => BoxMakeWriter::new(io::stderr),
        To::EitherByLevel => {
            BoxMakeWriter::new(io::stderr.with_max_level(Level::WARN).or_else(io::stdout))
        }
    };
    let lines = fmt::layer().with_writer(writer).with_target(false);
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
    if is_unreadable {
        tracing::warn!(
            "SCIM_BRIDGE_LOG is a level (error, warn, info, debug, trace, off) or targets with \
             levels, such as scim_bridge::http=debug,info: info counts"
        );
    }
}

/// Whether each part is a level, or a target with one. A word alone would be a target that nothing
/// has, and leave the log empty.
fn is_readable(filter: &str) -> bool {
    let mut parts = filter.split(',').map(str::trim);
    parts.all(|part| part.contains('=') || part.parse::<LevelFilter>().is_ok())
}

/// Whether lines of this kind keep to themselves what is sent: at `trace` Lambda's runtime writes
/// whole events, with tokens and bodies.
fn shows_no_content(line: &Metadata<'_>) -> bool {
    let runtime = line.target().starts_with("lambda_");
    !runtime || *line.level() < Level::TRACE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_not_taken_for_a_target() {
        for filter in [
            "info",
            "DEBUG",
            "off",
            "scim_bridge=trace,info",
            "a::b=warn",
        ] {
            assert!(is_readable(filter), "{filter}");
        }
        for filter in ["loud", "scim_bridge,info"] {
            assert!(!is_readable(filter), "{filter}");
        }
    }
}
