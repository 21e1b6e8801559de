//! Turns what a person wrote into a delivery: measures it, asks the policy, stores it in the outbox.
