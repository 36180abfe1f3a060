//! Client of the account service.
