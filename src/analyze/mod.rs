//! Understands a text: language, tokens, sentiment and intents, with the words that drove them. CPU only, no I/O.
