//! Records what a poll brought, in one transaction fenced by the stream's epoch.
