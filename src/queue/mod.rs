//! Who may send which delivery now.
