//! Open, snoozed or done; assignee and notes.
