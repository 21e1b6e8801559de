//! May this be sent, now, by whom, as what. Pure; its rules are data in config/policy.
