//! Figures of many measurements.

use std::time::Duration;

/// The value that this share of all values does not exceed.
pub fn quantile(values: &mut [Duration], share: f64) -> Duration {
    values.sort_unstable();
    let last = values.len().checked_sub(1).expect("something was measured");
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation
    )]
    let place = (last as f64 * share).round() as usize;
    values[place]
}

/// The value in the middle.
pub fn median(values: &mut [Duration]) -> Duration {
    quantile(values, 0.5)
}

/// Three digits and a unit that fits: `12.3 µs`.
pub fn short(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    let (figure, unit) = match micros {
        ..1000.0 => (micros, "µs"),
        ..1_000_000.0 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    };
    let digits = if figure < 10.0 {
        2
    } else if figure < 100.0 {
        1
    } else {
        0
    };
    format!("{figure:.digits$} {unit}")
}
