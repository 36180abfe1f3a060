//! The state store as the place where bridges share their account session.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::{
    account::native::shared::{End, NotShared, Sealed, SessionShare, Turn},
    state::{self, SessionEnd, SessionTurn, SharedSession, StateStore},
};

/// A store, for those who sign in.
pub struct InStore(pub Arc<dyn StateStore>);

#[async_trait]
impl SessionShare for InStore {
    async fn join(&self, name: &str, attempt: &str, lease: Duration) -> Result<Turn, NotShared> {
        let now = OffsetDateTime::now_utc();
        match self.0.join_session(name, attempt, now, now + lease).await {
            Ok(SessionTurn::Join { session, lane }) => {
                let SharedSession { id, sealed, .. } = session;
                Ok(Turn::Join(Sealed { id, sealed }, lane))
            }
            Ok(SessionTurn::Begin) => Ok(Turn::Begin),
            // Too many at once: somebody gets on each time.
            Ok(SessionTurn::Wait) | Err(state::Error::Conflict) => Ok(Turn::Wait),
            Err(error) => Err(NotShared(error.to_string())),
        }
    }

    async fn share(
        &self,
        name: &str,
        attempt: &str,
        session: &Sealed,
        lasts: Duration,
    ) -> Result<bool, NotShared> {
        let session = SharedSession {
            id: session.id.clone(),
            sealed: session.sealed.clone(),
            until: OffsetDateTime::now_utc() + lasts,
        };
        match self.0.share_session(name, attempt, &session).await {
            Ok(()) => Ok(true),
            Err(state::Error::Conflict) => Ok(false),
            Err(error) => Err(NotShared(error.to_string())),
        }
    }

    async fn end(&self, name: &str, end: End<'_>) -> Result<bool, NotShared> {
        let end = match end {
            End::Failed(attempt) => SessionEnd::Failed(attempt),
            End::Over(id) => SessionEnd::Over(id),
            End::Alone(id) => SessionEnd::Alone(id),
        };
        let ended = self.0.end_session(name, end).await;
        ended.map_err(|error| NotShared(error.to_string()))
    }
}
