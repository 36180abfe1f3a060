//! `scim-bridge guard`: the guard against a provider that removes too many people.

use clap::Subcommand;
use serde_json::json;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Failure, bridge, kept::Place, terminal::Output, token::duration};

#[derive(Subcommand)]
pub enum Command {
    /// Show how many people were removed within the last hour, and how many may be.
    Status {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Let everything pass for a while: removals of people, and emptying or deleting of large
    /// groups. What was removed before does not count afterwards. The provider repeats what was
    /// refused by itself, or when it is told to.
    #[command(after_help = "Examples:\n  \
        scim-bridge guard lift\n  \
        scim-bridge guard lift --for 15m\n  \
        scim-bridge guard lift --for 0s     # it stands again")]
    Lift {
        /// For how long.
        #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = time)]
        time: Duration,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
}

/// A length of time, and nothing else that ends something.
fn time(text: &str) -> Result<Duration, String> {
    duration(text).map_err(|_| "has to be a time such as 15m or 2h".to_owned())
}

/// Does what the command says.
pub async fn run(command: Command) -> Result<(), Failure> {
    let now = OffsetDateTime::now_utc();
    match command {
        Command::Status { place, output } => {
            let bridge = bridge::open(&place).await?;
            let status = bridge.guard_status(now).await;
            bridge.sign_out().await;
            let status = status?;
            let time = |at: Option<OffsetDateTime>| at.and_then(|at| at.format(&Rfc3339).ok());
            let (lifted, refused) = (time(status.lifted_until), time(status.refused_at));
            let value = json!({
                "removed": status.removed,
                "limit": status.limit,
                "liftedUntil": lifted,
                "refusedAt": refused,
            });
            if let Some(until) = lifted {
                let text = format!(
                    "The guard is lifted until {until}: everything passes, and nothing counts. \
                     Then up to {} people may be suspended or deleted in an hour.",
                    status.limit
                );
                return Ok(output.show(&value, &text)?);
            }
            let mut text = format!(
                "{} people were suspended or deleted within the last hour, as far as they count; \
                 up to {} may be.",
                status.removed, status.limit
            );
            if let Some(at) = refused {
                text += &format!(
                    "\nSomething was refused, last at {at}: a removal, or the emptying of a large \
                     group. If it is meant: scim-bridge guard lift"
                );
            }
            Ok(output.show(&value, &text)?)
        }
        Command::Lift {
            time,
            place,
            output,
        } => {
            let until = now
                .checked_add(time)
                .ok_or_else(|| Failure::usage("that is too long"))?;
            bridge::open(&place).await?.lift_guard(until, now).await?;
            let shown = match time.is_zero() {
                true => None,
                false => Some(until.format(&Rfc3339)?),
            };
            let text = match &shown {
                None => "The guard stands.".to_owned(),
                Some(shown) => format!("The guard is lifted until {shown}."),
            };
            Ok(output.show(&json!({ "liftedUntil": shown }), &text)?)
        }
    }
}
