//! Scores the mood of a text from word lists, with negation and emphasis, and names the words that make the score.

use std::ops::Range;

use super::lexicon::{EmojiWeights, Found, Lexicon, Mood, Phrase};
use super::suffixes;
use super::tokens::{Token, TokenKind};
use super::{Reason, SUREST, Sentiment, base_of, four_decimals, two_decimals};
use crate::model::SentimentLabel;

/// Scores from this on have a label of their own.
const POSITIVE_FROM: f64 = 0.21;
const NEGATIVE_FROM: f64 = -0.11;
/// What a person can read; the strongest are kept and make the score.
const REASONS: usize = 48;
/// How far an English negation reaches.
const REACH: usize = 4;

/// Whose words a text is read with.
#[derive(Debug, Clone, Copy)]
pub enum Words<'l> {
    Turkish(&'l Lexicon<Mood>),
    English(&'l Lexicon<Mood>),
    /// No list for this language: emoji alone.
    None,
}

/// A stretch of tokens and its weight.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    from: usize,
    /// Where the word of the list stands, or what denies it before it.
    pub head: usize,
    /// Where the word of the list stands.
    pub word: usize,
    pub until: usize,
    pub weight: f64,
    /// Whether the word of the list is good by itself, and what is said of it, if anything is.
    pub stance: Option<(bool, Stance)>,
}

/// What a clause says of a word of the lists: that there is a lot of it, or that it does not hold, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    /// There is a lot of it: "sıkıntı çok", "şikayet bol".
    Much,
    /// Its own ending denies it: "beğenmedim", "kalitesiz".
    Ending,
    /// A word beside it does: "değil", "yok", "çıkarmadı", "never".
    Word,
    /// "Desem yalan olur."
    Lie,
    /// Two that take each other back: "memnun kalmadığım tek alışveriş olmadı".
    Twice,
}

/// A token and what is known of it alone, looked up once however often the text is read.
#[derive(Debug, Clone, Copy)]
pub struct Known<'t> {
    pub token: &'t Token<'t>,
    /// Which token of the text it is.
    pub place: usize,
    pub word: Option<Found<Mood>>,
    /// The phrases of the list that may begin here.
    phrases: &'t [Phrase<Mood>],
    pub emoji: Option<f64>,
    role: Role,
    /// Turkish: "aldığım", "gördükleri", what somebody does as a property of something; whether it is denied, "görmedikleri".
    participle: Option<bool>,
}

/// What a token does to those around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    None,
    /// The sentence ends.
    Sentence,
    /// What came before in the sentence weighs less: "but".
    Contrast,
    /// What happens is not the first time, or has not ended: "yine", "still".
    Again,
    /// A small Turkish word that may stand before a negator.
    Small,
    /// Turkish: `değil`, which also corrects.
    Not,
    /// Turkish: `yok`, `denemez`, `olmadı`.
    Negator,
    /// Turkish: `mi`, `musunuz`.
    Question,
    /// Turkish: `desem`, `demek`: before [`Role::Lie`] it takes back what was said.
    Saying,
    /// Turkish: `yalan`. English: `lying`, before "if I said".
    Lie,
    /// Turkish: `çok`, `bol` after what there is a lot of.
    Much,
    /// What follows was so once: "eskiden", "used to".
    Once,
    /// What comes before in the sentence is over: "şimdi", "now".
    Now,
}

impl Role {
    fn of(token: &Token<'_>, words: Words<'_>) -> Self {
        let key = token.key.as_str();
        match (token.kind, words) {
            (TokenKind::Mark, _) if token.surface.contains(['.', '!', '?', '\n']) => Self::Sentence,
            (TokenKind::Word, _)
                if matches!(key, "ama" | "fakat" | "ancak" | "lakin" | "ragmen" | "but" | "however") =>
            {
                Self::Contrast
            }
            (TokenKind::Word, Words::Turkish(_)) => turkish_role(key),
            (TokenKind::Word, Words::English(_)) => english_role(key),
            _ => Self::None,
        }
    }
}

fn english_role(key: &str) -> Role {
    match key {
        "again" | "another" | "still" | "yet" => Role::Again,
        "now" | "until" | "till" | "nowadays" | "lately" => Role::Now,
        "used" => Role::Once,
        "lying" => Role::Lie,
        _ => Role::None,
    }
}

fn turkish_role(key: &str) -> Role {
    let is_form_of = |word: &str| key.strip_prefix(word).is_some_and(|rest| suffixes::of_noun(word, rest).is_some());
    match key {
        "da" | "de" | "bir" | "hic" | "pek" | "sey" | "bile" | "falan" | "asla" | "tek" => Role::Small,
        "mi" | "mu" | "midir" | "mudur" | "miydi" | "muydu" | "miyiz" | "muyuz" | "miyim" | "muyum" | "misin"
        | "musun" | "misiniz" | "musunuz" | "miymis" | "muymus" => Role::Question,
        "diyemem" | "diyemeyiz" | "diyemiyorum" | "diyemeyecegim" | "denemez" | "denilemez" | "sayilmaz" => {
            Role::Negator
        }
        "desem" | "dersem" | "demek" | "desek" | "dersek" | "diyen" => Role::Saying,
        "yalan" | "gunaha" => Role::Lie,
        "cok" | "bol" | "buyuk" | "var" | "fazla" => Role::Much,
        "eskiden" | "onceden" | "onceleri" | "evvelden" | "vaktiyle" | "zamanlar" | "basta" | "baslarda" => Role::Once,
        "simdi" | "simdilerde" | "artik" | "sonradan" => Role::Now,
        "yine" | "gene" | "hala" | "halen" | "tekrar" => Role::Again,
        _ if is_form_of("degil") => Role::Not,
        _ if is_form_of("yok") || is_negated_light_verb(key) => Role::Negator,
        _ => Role::None,
    }
}

impl<'t> Known<'t> {
    /// A token that no list knows.
    pub fn nothing_of(token: &'t Token<'t>, place: usize, words: Words<'_>) -> Self {
        let role = Role::of(token, words);
        let participle = if matches!(words, Words::Turkish(_)) { participle(&token.key) } else { None };
        Self { token, place, word: None, phrases: &[], emoji: None, role, participle }
    }

    /// Whether it can be where a span begins.
    pub fn says_something(&self) -> bool {
        self.word.is_some() || !self.phrases.is_empty() || self.emoji.is_some() || self.participle.is_some()
    }
}

/// Looks up every token.
pub fn look_up<'t>(tokens: &'t [Token<'t>], words: Words<'t>, emoji: &EmojiWeights) -> Vec<Known<'t>> {
    tokens
        .iter()
        .enumerate()
        .map(|(place, token)| {
            let (word, phrases) = match words {
                Words::Turkish(lexicon) | Words::English(lexicon) if token.is_word() => {
                    (lexicon.find_word(token), lexicon.phrases(token))
                }
                _ => (None, &[] as &[_]),
            };
            Known { word, phrases, emoji: emoji.weight(token), ..Known::nothing_of(token, place, words) }
        })
        .collect()
}

/// The mood of a composed text whose language has no model: what its emoji say.
pub fn of_emoji(text: &str, tokens: &[Token<'_>], emoji: &EmojiWeights) -> Sentiment {
    let spans = plain_spans(&look_up(tokens, Words::None, emoji), Words::None);
    let because = reasons(text, tokens, &spans);
    let sum: f64 = because.iter().map(|reason| reason.weight).sum();
    let score = four_decimals(sum.tanh()).clamp(-SUREST, SUREST);
    let label = if score >= POSITIVE_FROM {
        SentimentLabel::Positive
    } else if score <= NEGATIVE_FROM {
        SentimentLabel::Negative
    } else {
        SentimentLabel::Neutral
    };
    // Nobody read the words; an emoji is a hint.
    let confidence = two_decimals(if because.is_empty() { 0.2 } else { 0.25 + 0.25 * score.abs() });
    Sentiment { label, score, confidence, base: base_of(score, &because), because }
}

/// The places of each sentence, which no span crosses and no contrast reaches beyond.
pub fn sentences(tokens: &[Known<'_>]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    tokens.split_inclusive(|known| known.role == Role::Sentence).map(move |sentence| {
        let from = start;
        start += sentence.len();
        from..start
    })
}

/// The words a list knows with their weights, negation and contrast taken into account, in the order of the text.
pub fn spans(tokens: &[Known<'_>], words: Words<'_>) -> Vec<Span> {
    let mut spans = plain_spans(tokens, words);
    if !spans.is_empty() {
        weigh_contrast(tokens, &mut spans);
    }
    spans
}

fn plain_spans(tokens: &[Known<'_>], words: Words<'_>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if !tokens[at].says_something() {
            at += 1;
            continue;
        }
        if let Some(weight) = tokens[at].emoji {
            spans.push(Span { from: at, head: at, word: at, until: at + 1, weight, stance: None });
        }
        let free_from = spans.last().map_or(0, |span| span.until);
        let found = match words {
            Words::Turkish(lexicon) | Words::English(lexicon) => lexicon
                .phrase_at(tokens[at].phrases, at, |index| tokens.get(index).map(|known| known.token))
                .or(tokens[at].word),
            _ => None,
        };
        let Some(found) = found else {
            at += 1;
            continue;
        };
        let span = match words {
            Words::English(_) => english_span(tokens, at, free_from, found),
            _ => turkish_span(tokens, at, free_from, found),
        };
        at = span.until;
        if span.weight != 0.0 {
            spans.push(span);
        }
    }
    spans
}

/// Turkish negates after the word: "güzel değil", "sorun yok", "memnun olmadım"; `değil` once more turns it back.
fn turkish_span(tokens: &[Known<'_>], at: usize, free_from: usize, found: Found<Mood>) -> Span {
    let Mood { weight: plain, negated } = found.value;
    let mut turned = found.ending.negated || found.ending.without;
    let mut weight = if turned { negated } else { plain };
    let mut until = at + found.tokens;
    let mut by = turned.then_some(Stance::Ending);
    for _ in 0..2 {
        let Some(negator) = turkish_negator(tokens, until).or_else(|| none_of_those(tokens, until)) else { break };
        // "Kargo değil" corrects, it does not complain that there is none.
        if plain == 0.0 && tokens[negator].role == Role::Not {
            break;
        }
        // What is turned back is weaker than what was never turned.
        weight = if turned { 0.5 * plain } else { negated };
        by = match (by, tokens[negator].role) {
            (Some(_), _) => Some(Stance::Twice),
            (None, Role::Lie) => Some(Stance::Lie),
            (None, _) => Some(Stance::Word),
        };
        turned = !turned;
        until = negator + 1;
    }
    let is_much = |known: &Known<'_>| known.role == Role::Much;
    if by.is_none() && plain < 0.0 && tokens.get(until).is_some_and(is_much) {
        by = Some(Stance::Much);
        until += 1;
    }
    if let Some(particle) = tokens.get(until).filter(|known| known.role == Role::Question).map(|known| known.token) {
        let asks_us = matches!(particle.key.as_str(), "misin" | "musun" | "misiniz" | "musunuz")
            && tokens[until - 1].token.key.ends_with('r');
        // "Hızlı mı?" asks, it does not praise; "iptal eder misiniz" asks for something.
        weight *= if asks_us {
            0.0
        } else if weight > 0.0 {
            0.25
        } else {
            1.0
        };
    }
    let (from, emphasis) = emphasis_before(tokens, at, free_from, |key| match key {
        "cok" | "asiri" | "baya" | "bayagi" | "gercekten" | "cidden" | "inanilmaz" | "fazlasiyla" | "epey" | "tam"
        | "tamamen" | "hic" | "oylesine" | "oldukca" | "son" | "en" | "ne" | "bu" | "kadar" | "resmen" | "acayip"
        | "asla" | "kesinlikle" | "komple" => Some(1.25),
        "biraz" | "az" | "kismen" | "birazcik" | "nispeten" | "pek" | "azicik" => Some(0.7),
        _ => None,
    });
    let weight = weight * emphasis * if found.elongated { 1.2 } else { 1.0 };
    let good = plain > 0.0;
    Span { from, head: at, word: at, until, weight, stance: by.map(|by| (good, by)) }
}

/// How far on something is said to be none: "beğenmediğim tek bir ürünü çıkmadı".
const NONE_WITHIN: usize = 4;

/// After a participle right before `at` the token that says there is none of those, in the same clause.
fn none_of_those(tokens: &[Known<'_>], at: usize) -> Option<usize> {
    tokens[at.checked_sub(1)?].participle?;
    none_after(tokens, at)
}

fn none_after(tokens: &[Known<'_>], at: usize) -> Option<usize> {
    let clause = (at..tokens.len()).take(NONE_WITHIN).take_while(|place| tokens[*place].token.kind != TokenKind::Mark);
    let mut clause = clause.filter(|place| tokens[*place].role == Role::Negator);
    clause.find(|place| tokens[*place].participle.is_none())
}

/// Where the last clause of a sentence begins that has several: what is said there counts.
pub fn last_clause(tokens: &[Known<'_>]) -> Option<usize> {
    let is_word = |known: &Known<'_>| known.token.kind == TokenKind::Word;
    let last = tokens.iter().rposition(is_word)?;
    let parts = |known: &Known<'_>| {
        known.token.kind == TokenKind::Mark && known.role != Role::Sentence
            || matches!(known.role, Role::Contrast | Role::Now)
    };
    let from = tokens[..last].iter().rposition(parts)?;
    tokens[..from].iter().any(is_word).then_some(from)
}

/// The words that say of what follows that it was so once, with the moods that follow and are not over for "now".
pub fn once(tokens: &[Known<'_>], spans: &[Span]) -> impl Iterator<Item = (usize, Span)> {
    let once = tokens.iter().position(|known| known.role == Role::Once);
    let now = tokens.iter().position(|known| known.role == Role::Now).unwrap_or(tokens.len());
    once.into_iter().flat_map(move |once| {
        spans.iter().filter(move |span| (once..now).contains(&span.from)).map(move |span| (once, *span))
    })
}

/// Participles and the words that say there is none of what they tell, with whether the participle is denied.
pub fn participles_denied<'k>(tokens: &'k [Known<'_>]) -> impl Iterator<Item = (usize, usize, bool)> + 'k {
    tokens.iter().enumerate().filter_map(|(at, known)| {
        let negated = known.participle?;
        Some((at, none_after(tokens, at + 1)?, negated))
    })
}

/// Whether a word ends as "aldığım", "gördüğümüz", "etmedikleri" do, and whether it is denied.
fn participle(key: &str) -> Option<bool> {
    let bytes = key.as_bytes();
    if !matches!(bytes, [.., b'i' | b'u' | b'm' | b'n' | b'z']) {
        return None;
    }
    let from = bytes.len().saturating_sub(6);
    let at = from + bytes[from..].iter().rposition(|byte| matches!(byte, b'g' | b'k'))?;
    let (stem, ending) = (bytes.get(..at.checked_sub(2)?)?, &bytes[at - 2..]);
    let tense = matches!(ending, [b'd' | b't', b'i' | b'u', ..]);
    let person = match &ending[2..] {
        [b'g', rest @ ..] => matches!(
            rest,
            b"i" | b"u" | b"im" | b"um" | b"in" | b"un" | b"imiz" | b"umuz" | b"iniz" | b"unuz" | b"ini" | b"unu"
        ),
        rest => matches!(rest, b"kleri" | b"klari"),
    };
    (tense && person && stem.len() > 1).then_some(stem.len() > 2 && matches!(stem, [.., b'm', b'e' | b'a']))
}

/// The token that negates what ends before `at`, at most two small words further on.
fn turkish_negator(tokens: &[Known<'_>], at: usize) -> Option<usize> {
    let role = |place: usize| tokens.get(place).map_or(Role::None, |known| known.role);
    let mut next = at;
    while next < at + 2 && role(next) == Role::Small {
        next += 1;
    }
    // "Memnunum desem yalan olur."
    if role(next) == Role::Saying && role(next + 1) == Role::Lie {
        return Some(next + 1);
    }
    let negates = matches!(role(next), Role::Not | Role::Negator);
    // "Güzel değil mi?" says that it is.
    let tag = role(next + 1) == Role::Question;
    (negates && !tag).then_some(next)
}

/// `olmadı`, `etmiyorum`, `kalmadık`, `bulmadım`: verbs that only carry the noun before them.
fn is_negated_light_verb(key: &str) -> bool {
    const LIGHT: [&str; 16] = [
        "ol", "et", "kal", "bul", "gor", "hisset", "yasa", "yap", "sagla", "duy", "cik", "goster", "cikar", "cek",
        "yasat", "ver",
    ];
    // Most words end here.
    key.contains('m')
        && LIGHT.iter().any(|stem| {
            key.strip_prefix(stem).and_then(|rest| suffixes::of_verb(stem, rest)).is_some_and(|ending| ending.negated)
        })
}

/// English negates before the word: "not good", "never works", "didn't really help".
fn english_span(tokens: &[Known<'_>], at: usize, free_from: usize, found: Found<Mood>) -> Span {
    let (mut from, emphasis) = emphasis_before(tokens, at, free_from, |key| match key {
        "very" | "so" | "really" | "extremely" | "absolutely" | "totally" | "completely" | "super" | "incredibly"
        | "such" | "too" | "truly" | "utterly" | "insanely" | "damn" | "bloody" | "fucking" | "beyond" | "most"
        | "highly" | "particularly" => Some(1.25),
        "bit" | "slightly" | "somewhat" | "fairly" | "kinda" | "rather" | "little" | "quite" => Some(0.75),
        _ => None,
    });
    let Mood { weight: plain, negated } = found.value;
    let mut weight = plain;
    let reach = at.saturating_sub(REACH).max(free_from);
    let before = (reach..at).rev().take_while(|index| tokens[*index].token.kind == TokenKind::Word);
    let (mut negations, mut negator) = (0, None);
    for index in before {
        let key = tokens[index].token.key.as_str();
        if matches!(key, "but" | "just" | "only") {
            break;
        }
        if is_english_negation(key) {
            negations += 1;
            from = from.min(index);
            negator = Some(index);
        }
    }
    let mut by = (negations > 0).then_some(if negations % 2 == 1 { Stance::Word } else { Stance::Twice });
    if let Some(lie) = english_lie(&tokens[..at]) {
        negations += 1;
        by = Some(if by.is_some() { Stance::Twice } else { Stance::Lie });
        negator = Some(lie);
    }
    if negations > 0 {
        weight = if negations % 2 == 1 { negated } else { 0.5 * plain };
    }
    Span {
        from,
        head: negator.unwrap_or(at),
        word: at,
        until: at + found.tokens,
        weight: weight * emphasis * if found.elongated { 1.2 } else { 1.0 },
        stance: by.map(|by| (plain > 0.0, by)),
    }
}

/// "I'd be lying if I said I was happy": how far what is a lie may be from the word that says so.
const LIE_REACH: usize = 8;

fn english_lie(before: &[Known<'_>]) -> Option<usize> {
    let clause = before.iter().enumerate().rev().take(LIE_REACH).take_while(|(_, known)| known.role != Role::Sentence);
    let lie = clause.filter(|(_, known)| known.role == Role::Lie).map(|(place, _)| place).next()?;
    (before.get(lie + 1)?.token.key == "if").then_some(lie)
}

fn is_english_negation(key: &str) -> bool {
    key.ends_with("n't")
        || matches!(
            key,
            "not"
                | "no"
                | "never"
                | "without"
                | "cannot"
                | "hardly"
                | "barely"
                | "nobody"
                | "nothing"
                | "none"
                | "neither"
                | "nor"
                | "zero"
        )
        || matches!(
            key,
            "dont"
                | "doesnt"
                | "didnt"
                | "cant"
                | "wont"
                | "isnt"
                | "wasnt"
                | "arent"
                | "couldnt"
                | "wouldnt"
                | "havent"
                | "hasnt"
                | "aint"
        )
}

/// Where the emphasis right before a word starts, and how much stronger it makes the word.
fn emphasis_before(
    tokens: &[Known<'_>],
    at: usize,
    free_from: usize,
    strength: impl Fn(&str) -> Option<f64>,
) -> (usize, f64) {
    let mut from = at;
    let mut emphasis: f64 = 1.0;
    while from > free_from && at - from < 2 {
        let token = tokens[from - 1].token;
        let Some(times) = strength(&token.key).filter(|_| token.kind == TokenKind::Word) else { break };
        emphasis = (emphasis * times).clamp(0.5, 1.5);
        from -= 1;
    }
    (from, emphasis)
}

/// What comes before "but" in a sentence weighs less than what comes after it, and what was once less than what is now.
fn weigh_contrast(tokens: &[Known<'_>], spans: &mut [Span]) {
    let mut sentence = 0;
    let mut once = false;
    let mut clause_of: Vec<(usize, usize)> = Vec::new();
    for (index, known) in tokens.iter().enumerate() {
        match known.role {
            Role::Sentence => (sentence, once) = (index + 1, false),
            Role::Once => once = true,
            Role::Contrast if index > sentence => clause_of.push((sentence, index)),
            Role::Now if once => clause_of.push((sentence, index)),
            _ => {}
        }
    }
    for span in spans {
        if clause_of.iter().any(|(from, until)| (*from..*until).contains(&span.from)) {
            span.weight *= 0.65;
        }
    }
}

/// Moods weaker than this are not clear enough to turn.
const CLEAR: f64 = 0.2;

/// How two moods of a sentence stand to each other where one does not simply add to the other: "sağ olsun, bir saat
/// bekletti", "lezzet iyiydi fakat geç geldi", "harika, yine çöktü". What it is worth is for a model to learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The last token of the first mood.
    pub from: usize,
    /// The last token of the second, or the word that says "again".
    pub to: usize,
    /// Whether the first is good, whether the second is, and what stands between.
    pub kind: (bool, Option<bool>, Link),
}

/// What joins two moods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Beside,
    But,
    Again,
    Now,
}

/// The turns between each of `spans` and the next, in the order of the text.
pub fn turns(tokens: &[Known<'_>], spans: &[Span]) -> impl Iterator<Item = Turn> {
    spans.iter().enumerate().filter_map(move |(place, span)| {
        let next = spans.get(place + 1);
        let until = next.map_or(tokens.len(), |next| next.until);
        let role = |role: Role| (span.until..until).find(|place| tokens[*place].role == role);
        let end = role(Role::Sentence);
        let here = |place: &usize| end.is_none_or(|end| *place < end);
        let next = next.filter(|next| here(&next.head) && next.weight.abs() >= CLEAR);
        let again = role(Role::Again).filter(here);
        let now = role(Role::Now).filter(here);
        let link = match (again, role(Role::Contrast).filter(here), now) {
            (Some(_), ..) => Link::Again,
            (None, Some(_), _) => Link::But,
            (None, None, Some(_)) => Link::Now,
            (None, None, None) => Link::Beside,
        };
        let good = span.weight > 0.0;
        let other = next.map(|next| next.weight > 0.0);
        let turns = link == Link::Now || link == Link::Again && good || other.is_some_and(|other| other != good);
        let to = next.map(|next| next.until - 1).or(again).or(now.filter(|_| link == Link::Now));
        to.filter(|_| turns && span.weight.abs() >= CLEAR).map(|to| Turn {
            from: span.until - 1,
            to,
            kind: (good, other, link),
        })
    })
}

/// The words with their weights, the strongest first; the same words in several places are named once.
fn reasons(text: &str, tokens: &[Token<'_>], spans: &[Span]) -> Vec<Reason> {
    let mut reasons: Vec<(Reason, u32)> = Vec::new();
    let mut places: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    for span in spans {
        let words = &text[tokens[span.from].start..tokens[span.until - 1].end()];
        match places.get(words) {
            Some(place) => {
                // The tenth 😡 says less than the first.
                let (reason, times) = &mut reasons[*place];
                *times += 1;
                reason.weight += span.weight / f64::from(*times).powi(2);
            }
            None => {
                places.insert(words, reasons.len());
                reasons.push((Reason { text: words.to_owned(), weight: span.weight }, 1));
            }
        }
    }
    let mut reasons: Vec<Reason> = reasons.into_iter().map(|(reason, _)| reason).collect();
    for reason in &mut reasons {
        reason.weight = two_decimals(reason.weight);
    }
    reasons.retain(|reason| reason.weight != 0.0);
    reasons.sort_by(|one, other| other.weight.abs().total_cmp(&one.weight.abs()));
    reasons.truncate(REASONS);
    reasons
}
