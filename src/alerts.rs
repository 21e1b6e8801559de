//! Tells a person, by e-mail or webhook, what needs them: failed, late, held or unknown deliveries and dying tokens.
