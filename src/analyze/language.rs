//! Tells the language of a text: scripts first, then our own evidence for Turkish and English, then whatlang.
