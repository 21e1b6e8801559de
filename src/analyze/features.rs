//! What a linear model reads of a text: hashed words, pairs of words, runs of letters, and what the word lists know.
//!
//! Everything is taken from folded keys, so a text typed without its Turkish letters has the same features. Every feature
//! belongs to one token or in equal parts to two, and weighs the same in every text: what a model says of a text is the sum
//! of what it says of its tokens.

use super::intents::Cues;
use super::lexicon::EmojiWeights;
use super::linear::Worn;
use super::sentiment::{self, Known, Span, Stance, Words};
use super::tokens::{Token, TokenKind};

/// Tokens of a text that are read: time stays bounded, and nobody's mood needs more.
pub const TOKENS_READ: usize = 400;
/// Runs of letters are taken from this much of a word.
const LETTERS_READ: usize = 30;
const SHORTEST_RUN: usize = 3;
const LONGEST_RUN: usize = 5;
const MOST_RUNS: usize = (LETTERS_READ + 2) * (LONGEST_RUN - SHORTEST_RUN + 1);
/// What the lists say of a mood is learnt faster than what a single word says: it holds for words that no text taught.
const LISTED: f32 = 2.5;
/// So is what a word says in a construction: there are few texts of each.
const CONSTRUED: f32 = 2.0;
/// A mood counts at most this much, however the lists weigh it.
const STRONGEST_MOOD: f64 = 2.0;

/// So many letters of a word stand for its stem.
const STEM: usize = 5;
/// What praise weighs at least, where in a sentence it ends at most, and how many words after it are looked at.
const PRAISE: f64 = 0.4;
const PRAISE_WITHIN: usize = 4;
const WORDS_AFTER: usize = 10;

/// The hash of a feature; a model takes as many of its bits as it has buckets for.
pub type Hash = u32;

/// Kinds of features, to leave one out and see what it was good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds {
    /// Runs of three to five letters.
    pub runs: bool,
    /// Two words beside each other.
    pub pairs: bool,
    /// What the lists of good and bad words say.
    pub moods: bool,
    /// How the moods that the lists know turn in a sentence.
    pub turns: bool,
    /// What a clause says of a word of the lists: that there is a lot of it or none, and how.
    pub stances: bool,
    /// What follows praise in a sentence.
    pub after_praise: bool,
    /// What the list of phrases says about what the writer wants.
    pub cues: bool,
    /// Capitals and drawn-out letters.
    pub look: bool,
}

impl Kinds {
    pub const ALL: Self = Self {
        runs: true,
        pairs: true,
        moods: true,
        turns: true,
        stances: true,
        after_praise: true,
        cues: true,
        look: true,
    };
}

/// What the features of a language are read with.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'l> {
    pub words: Words<'l>,
    pub emoji: &'l EmojiWeights,
    pub cues: &'l Cues,
    pub kinds: Kinds,
}

/// The tokens of a text: what the lists know of each, and the hash of its word where it has one.
#[derive(Debug, Clone)]
pub struct Pieces<'t> {
    pub known: Vec<Known<'t>>,
    pub words: Vec<Option<Hash>>,
}

impl Pieces<'_> {
    /// How many words say something.
    pub fn said(&self) -> usize {
        self.words.iter().flatten().count()
    }
}

impl<'l> Reader<'l> {
    /// By what the evidence of a text loses worth.
    pub fn worn(&self) -> Worn {
        if matches!(self.words, Words::Turkish(_)) { Worn::BySpread } else { Worn::ByLength }
    }

    /// The tokens of a text, looked up; of a long one, those of its beginning.
    pub fn pieces<'t>(&self, tokens: &'t [Token<'t>]) -> Pieces<'t>
    where
        'l: 't,
    {
        let tokens = &tokens[..tokens.len().min(TOKENS_READ)];
        let word = |token: &Token<'_>| key(token).map(|key| hash(b'w', key.as_bytes()));
        Pieces { known: sentiment::look_up(tokens, self.words, self.emoji), words: tokens.iter().map(word).collect() }
    }

    /// Calls `say` with the features that are a token's own, those of one value together.
    pub fn own(&self, token: &Token<'_>, word: Option<Hash>, mut say: impl FnMut(&[Hash], f32)) {
        let Some(word) = word else { return };
        say(&[word], 1.0);
        if matches!(token.kind, TokenKind::Word | TokenKind::Hashtag) {
            if self.kinds.runs {
                runs(&token.key, &mut say);
            }
            if self.kinds.look {
                look(token, &mut say);
            }
        }
    }

    /// The feature of two words beside each other, whatever marks stand between them; its value is 1.
    pub fn pair(&self, left: Hash, right: Hash) -> Option<Hash> {
        self.kinds.pairs.then(|| finish(left.rotate_left(5).wrapping_mul(0x9e37_79b1) ^ right))
    }

    /// Calls `say` with each pair of words beside each other and the places of both.
    pub fn pairs(&self, words: &[Option<Hash>], mut say: impl FnMut(Hash, usize, usize)) {
        let mut before: Option<(usize, Hash)> = None;
        for (index, word) in words.iter().enumerate().filter_map(|(index, word)| Some((index, (*word)?))) {
            if let Some((left, left_word)) = before
                && let Some(pair) = self.pair(left_word, word)
            {
                say(pair, left, index);
            }
            before = Some((index, word));
        }
    }

    /// Calls `say` with each feature of what the lists know: its hash, its value, and the places of the two tokens that share
    /// it, which may be one and the same. Calls `hush` with the place of each word whose own features do not count, since
    /// another word denies it: "sorun" in "sorun çıkmadı" is not the one of "sorun çıktı".
    pub fn moods(
        &self,
        known: &[Known<'_>],
        mut say: impl FnMut(Hash, f32, usize, usize),
        mut hush: impl FnMut(usize),
    ) {
        if !self.kinds.moods {
            return;
        }
        let spans = sentiment::spans(known, self.words);
        for span in &spans {
            let sign = u8::from(span.weight > 0.0);
            let size = (4.0 * span.weight.abs()).round().min(8.0) as u8;
            let value = span.weight.abs().min(STRONGEST_MOOD) as f32;
            say(hash(b'm', &[sign]), LISTED * value, span.head, span.until - 1);
            say(hash(b'm', &[sign, size]), LISTED, span.head, span.until - 1);
            if let Some(stance) = span.stance.filter(|_| self.kinds.stances) {
                self.stance(known, span, stance, &mut say);
                if matches!(stance.1, Stance::Word | Stance::Lie | Stance::Twice) {
                    hush(span.word);
                }
            }
        }
        // Where no list knows words there are emoji alone, and nothing is construed.
        if !matches!(self.words, Words::None) {
            self.constructions(known, &spans, &mut say);
        }
        if self.kinds.turns {
            for turn in sentiment::turns(known, &spans) {
                let (first, second, link) = turn.kind;
                let second = second.map_or(2, u8::from);
                say(hash(b'n', &[u8::from(first), second, link as u8]), LISTED, turn.from, turn.to);
            }
        }
    }

    /// What the order of clauses, words of time and participles make of the moods of a sentence.
    fn constructions(&self, known: &[Known<'_>], spans: &[Span], say: &mut impl FnMut(Hash, f32, usize, usize)) {
        if self.kinds.stances {
            for (participle, none, negated) in sentiment::participles_denied(known) {
                say(hash(b'd', &[u8::from(negated)]), LISTED, participle, none);
            }
        }
        if spans.is_empty() {
            return;
        }
        if self.kinds.turns
            && let Some(from) = sentiment::last_clause(known)
        {
            for span in spans {
                let kind = [u8::from(span.weight > 0.0), u8::from(span.until > from)];
                let value = span.weight.abs().min(STRONGEST_MOOD) as f32;
                say(hash(b'f', &kind), LISTED * value, span.head, span.until - 1);
            }
        }
        if self.kinds.stances {
            for (once, span) in sentiment::once(known, spans) {
                say(hash(b'o', &[u8::from(span.weight > 0.0)]), LISTED, once, span.until - 1);
            }
        }
        if self.kinds.after_praise {
            after_praise(known, spans, say);
        }
    }

    /// What it says that a listed word is denied or affirmed: what the word says by itself does not hold then.
    fn stance(
        &self,
        known: &[Known<'_>],
        span: &Span,
        (good, stance): (bool, Stance),
        say: &mut impl FnMut(Hash, f32, usize, usize),
    ) {
        let kind = [u8::from(good), stance as u8];
        say(hash(b'v', &kind), LISTED, span.head, span.until - 1);
        if stance != Stance::Ending {
            let word = known[span.word].token.key.as_bytes();
            let stem = word[..word.len().min(STEM)].iter();
            let seed = step(step(step(SEED, b'u'), kind[0]), kind[1]);
            say(finish(stem.fold(seed, |state, byte| step(state, *byte))), CONSTRUED, span.head, span.until - 1);
        }
    }

    /// Calls `say` with each feature that speaks of intents alone: what every phrase speaks for, and what all of them speak
    /// for together where somebody asks or not.
    pub fn cues(&self, tokens: &[Token<'_>], mut say: impl FnMut(Hash, f32)) {
        if self.kinds.cues {
            let tokens = &tokens[..tokens.len().min(TOKENS_READ)];
            let mut together = 0_u8;
            self.cues.found(tokens, self.words, |label, strong| {
                together |= 1 << label as u8;
                say(hash(b'c', &[label as u8, u8::from(strong)]), 1.0);
            });
            let asks = tokens.iter().any(|token| token.kind == TokenKind::Mark && token.surface.contains('?'));
            say(hash(b't', &[together, u8::from(asks)]), 1.0);
        }
    }
}

/// Irony begins with praise that is not alone: "şahane, dün döktükleri asfaltı bugün kazıyorlar".
fn after_praise(known: &[Known<'_>], spans: &[Span], say: &mut impl FnMut(Hash, f32, usize, usize)) {
    let Some(praise) = spans.first().filter(|span| span.weight >= PRAISE && span.until <= PRAISE_WITHIN) else {
        return;
    };
    let words = known.iter().enumerate().skip(praise.until).filter(|(_, known)| known.token.kind == TokenKind::Word);
    for (place, known) in words.take(WORDS_AFTER) {
        let word = known.token.key.as_bytes();
        let stem = word[..word.len().min(STEM)].iter();
        let stem = finish(stem.fold(step(SEED, b'i'), |state, byte| step(state, *byte)));
        say(stem, CONSTRUED, praise.until - 1, place);
    }
}

/// What stands for a token; `None` where it says nothing.
fn key<'t>(token: &'t Token<'_>) -> Option<&'t str> {
    let key = match token.kind {
        TokenKind::Mention => "@",
        TokenKind::Link => "http",
        TokenKind::Number => match token.surface.len() {
            1 => "0",
            2 => "00",
            3 | 4 => "000",
            _ => "00000",
        },
        TokenKind::Mark => match token.surface {
            mark if mark.contains('?') => "?",
            mark if mark.contains('!') => "!",
            mark if mark.contains('…') => "…",
            _ => return None,
        },
        TokenKind::Word | TokenKind::Hashtag | TokenKind::Emoji => token.key.as_str(),
    };
    (!key.is_empty()).then_some(key)
}

/// Runs of letters with the word's borders: `^iyi$`. All of a word's together weigh as much as the word.
fn runs(word: &str, say: &mut impl FnMut(&[Hash], f32)) {
    let mut letters = [b'^'; LETTERS_READ + 2];
    let mut length = 0;
    for character in word.chars().take(LETTERS_READ) {
        length += 1;
        // Its lowest byte tells a letter from the others of its alphabet, and a letter of ASCII is that byte.
        letters[length] = character as u8;
    }
    letters[length + 1] = b'$';
    let letters = &letters[..length + 2];
    let mut hashes = [0; MOST_RUNS];
    let mut count = 0;
    for start in 0..letters.len() {
        let mut state = SEED;
        for (index, letter) in letters[start..].iter().take(LONGEST_RUN).enumerate() {
            state = step(state, *letter);
            if index + 1 >= SHORTEST_RUN {
                hashes[count] = finish(state);
                count += 1;
            }
        }
    }
    say(&hashes[..count], 1.0 / (count.max(1) as f32).sqrt());
}

/// Capitals throughout, letters drawn out.
fn look(token: &Token<'_>, say: &mut impl FnMut(&[Hash], f32)) {
    let (mut letters, mut capitals, mut run, mut longest, mut last) = (0, 0, 0, 0, '\0');
    for character in token.surface.chars().take(LETTERS_READ) {
        letters += 1;
        capitals += usize::from(character.is_uppercase());
        run = if character == last { run + 1 } else { 1 };
        longest = longest.max(run);
        last = character;
    }
    if letters >= 3 && capitals == letters {
        say(&[hash(b'l', b"capitals")], 0.5);
    }
    if longest >= 3 {
        say(&[hash(b'l', b"drawn out")], 1.0);
    }
}

/// The offset of 32-bit FNV-1a.
pub(in crate::analyze) const SEED: u32 = 0x811c_9dc5;

/// One byte more in 32-bit FNV-1a.
pub(in crate::analyze) fn step(state: u32, byte: u8) -> u32 {
    (state ^ u32::from(byte)).wrapping_mul(0x0100_0193)
}

/// Spreads a state over all bits, since buckets are counted by the low ones.
pub(super) fn finish(mut state: u32) -> Hash {
    state = (state ^ (state >> 16)).wrapping_mul(0x85eb_ca6b);
    state = (state ^ (state >> 13)).wrapping_mul(0xc2b2_ae35);
    state ^ (state >> 16)
}

fn hash(kind: u8, bytes: &[u8]) -> Hash {
    finish(bytes.iter().fold(step(SEED, kind), |state, byte| step(state, *byte)))
}
