//! Tells the language of a text: scripts first, then our own evidence, then whatlang; `und` when none of it is enough.

use super::Language;
use super::lexicon::{Lexicon, Map, Mood};
use super::tokens::{Token, TokenKind};

/// A language that cannot be told.
pub const UNKNOWN: &str = "und";

/// Evidence below this is none.
const ENOUGH: f64 = 0.55;
/// A lead over the next language from which on whatlang is not asked.
const CLEAR_LEAD: f64 = 1.4;
/// More words than this do not make it surer.
const WORDS_READ: usize = 60;

/// Endings that Turkish words have and few others do, on folded letters.
const TURKISH_ENDINGS: [&str; 66] = [
    "iyorum", "uyorum", "iyor", "uyor", "iyoruz", "uyoruz", "yorlar", "yorsunuz", "miyor", "muyor", "ecek", "acak",
    "ecegim", "acagim", "meli", "mali", "mek", "mak", "medi", "madi", "medim", "madim", "mez", "maz", "lar", "ler",
    "lari", "leri", "larin", "lerin", "lardan", "lerden", "larda", "lerde", "inde", "unda", "inda", "unde", "inden",
    "undan", "indan", "daki", "deki", "nin", "nun", "siniz", "sunuz", "imiz", "umuz", "iniz", "unuz", "ligi", "lugu",
    "siz", "suz", "dim", "dum", "tim", "tum", "dik", "mis", "mus", "ince", "erek", "arak", "dir",
];

/// Endings that Turkish words share with some other languages.
const WEAK_TURKISH_ENDINGS: [&str; 30] = [
    "imin", "umun", "ime", "ima", "ume", "uma", "ini", "unu", "ine", "ina", "una", "siz", "yim", "yiz", "lik", "luk",
    "cik", "lu", "ken", "dan", "den", "tan", "nda", "nde", "sin", "sun", "yor", "yla", "rim", "ksin",
];

/// Endings of English words.
const ENGLISH_ENDINGS: [(&str, f64); 14] = [
    ("ing", 0.6),
    ("'s", 0.6),
    ("n't", 1.2),
    ("'re", 1.2),
    ("'ve", 1.2),
    ("'ll", 1.2),
    ("'m", 1.0),
    ("tion", 0.3),
    ("ness", 0.5),
    ("ly", 0.4),
    ("ght", 0.7),
    ("ck", 0.3),
    ("ed", 0.3),
    ("th", 0.4),
];

/// Knows small words of a dozen languages.
#[derive(Debug, Default)]
pub struct Detector {
    codes: Vec<&'static str>,
    /// Which of `codes` have the word, as bits.
    words: Map<u32>,
}

impl Detector {
    /// Reads the list of small words: a language, a tab, its words.
    pub fn parse(list: &'static str) -> Result<Self, String> {
        let mut detector = Self::default();
        for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (code, words) = line.split_once('\t').ok_or_else(|| format!("no tab: {line:?}"))?;
            let bit = 1_u32.checked_shl(detector.codes.len() as u32).ok_or("more languages than bits")?;
            detector.codes.push(code);
            for word in words.split(' ') {
                *detector.words.entry(word.into()).or_default() |= bit;
            }
        }
        Ok(detector)
    }

    /// The language of a text in Latin letters.
    pub fn latin(
        &self,
        text: &str,
        tokens: &[Token<'_>],
        turkish: &Lexicon<Mood>,
        english: &Lexicon<Mood>,
    ) -> Language {
        let mut evidence = self.evidence(text, tokens);
        let (mut best, mut second) = leaders(&evidence);
        if evidence[best] - evidence[second] < CLEAR_LEAD {
            // The word lists know a lone "rezalet", which no small word stands beside.
            for token in tokens.iter().filter(|token| token.is_word()).take(WORDS_READ) {
                for (code, lexicon) in [("tr", turkish), ("en", english)] {
                    if lexicon.knows(token) {
                        evidence[self.index(code)] += 0.8;
                    }
                }
            }
            (best, second) = leaders(&evidence);
        }
        let lead = evidence[best] - evidence[second];
        if lead >= CLEAR_LEAD {
            return language(self.codes[best], lead);
        }
        // The wide net, for languages not in our list too.
        let words = || tokens.iter().filter(|token| token.kind == TokenKind::Word).take(WORDS_READ);
        let letters: usize = words().map(|token| token.surface.len()).sum();
        if letters < 4 {
            return if evidence[best] >= ENOUGH { language(self.codes[best], lead) } else { unknown() };
        }
        let plain = words().map(|token| token.surface).collect::<Vec<_>>().join(" ");
        if let Some(guess) = whatlang::detect(&plain) {
            // On a few letters whatlang is hardly better than chance, however sure it says it is.
            let trust = (letters as f64 / 40.0).min(1.0) * (0.3 + 1.2 * guess.confidence());
            match self.codes.iter().position(|code| *code == bcp47(guess.lang())) {
                Some(index) => evidence[index] += trust,
                // A language of ours with words to show for it outweighs a guess at one of the seventy.
                None if trust > evidence[best] + 0.3 && trust >= ENOUGH => {
                    return language(bcp47(guess.lang()), trust - evidence[best]);
                }
                None => evidence[best] = (evidence[best] - 0.3 * trust).max(0.0),
            }
            (best, second) = leaders(&evidence);
        }
        if evidence[best] < ENOUGH || evidence[best] - evidence[second] < 0.15 {
            return unknown();
        }
        language(self.codes[best], evidence[best] - evidence[second])
    }

    fn index(&self, code: &str) -> usize {
        self.codes.iter().position(|known| *known == code).expect("Turkish and English are in the list")
    }

    fn evidence(&self, text: &str, tokens: &[Token<'_>]) -> Vec<f64> {
        let mut evidence = vec![0.0; self.codes.len()];
        let (tr, en, az) = (self.index("tr"), self.index("en"), self.index("az"));
        for token in tokens.iter().filter(|token| token.kind == TokenKind::Word).take(WORDS_READ) {
            let word = token.key.as_str();
            if let Some(bits) = self.words.get(word) {
                let share = if bits.count_ones() == 1 { 1.0 } else { 1.2 / f64::from(bits.count_ones()) };
                for (index, evidence) in evidence.iter_mut().enumerate().filter(|(index, _)| bits & (1 << index) != 0) {
                    // A language's one-letter words are everybody's typing slips.
                    *evidence += if word.len() == 1 && index != tr { 0.3 * share } else { share };
                }
                continue;
            }
            if word.len() >= 5 && TURKISH_ENDINGS.iter().any(|ending| word.ends_with(ending)) {
                evidence[tr] += 0.6;
                evidence[az] += 0.2;
            } else if word.len() >= 5 && WEAK_TURKISH_ENDINGS.iter().any(|ending| word.ends_with(ending)) {
                evidence[tr] += 0.3;
                evidence[az] += 0.2;
            }
            if word.len() >= 4
                && let Some((_, weight)) = ENGLISH_ENDINGS.iter().find(|(ending, _)| word.ends_with(ending))
            {
                evidence[en] += weight;
            }
            if word.contains(['w', 'q', 'x']) {
                evidence[tr] -= 0.2;
            }
        }
        self.letters(text, &mut evidence);
        evidence
    }

    /// Letters that only some languages have.
    fn letters(&self, text: &str, evidence: &mut [f64]) {
        let mut weigh = |codes: &[&str], weight: f64| {
            for code in codes {
                if let Some(index) = self.codes.iter().position(|known| known == code) {
                    evidence[index] += weight;
                }
            }
        };
        let mut seen = 0_u32;
        // As often as it says something new: "çççççç" is not Turkish six times over.
        let mut once = |bit: u32| (seen & (1 << bit) == 0).then(|| seen |= 1 << bit).is_some();
        for character in text.chars().filter(|character| !character.is_ascii()).take(400) {
            match character {
                'ı' | 'ğ' | 'İ' | 'Ğ' if once(0) => (weigh(&["tr"], 1.6), weigh(&["az"], 0.8)),
                'ş' | 'Ş' if once(1) => (weigh(&["tr"], 1.2), weigh(&["az", "ro"], 0.7)),
                'ə' | 'Ə' if once(2) => (weigh(&["az"], 4.0), weigh(&["tr"], -2.0)),
                'ü' | 'ö' | 'Ü' | 'Ö' if once(3) => (weigh(&["tr"], 0.6), weigh(&["de", "az", "sv"], 0.5)),
                'ç' | 'Ç' if once(4) => (weigh(&["tr"], 0.5), weigh(&["fr", "pt", "az"], 0.4)),
                'ß' | 'ä' | 'Ä' if once(5) => (weigh(&["de"], 1.2), weigh(&["sv"], 0.8)),
                'ñ' | '¿' | '¡' if once(6) => (weigh(&["es"], 1.6), weigh(&["pt"], 0.0)),
                'ã' | 'õ' | 'Ã' | 'Õ' if once(7) => (weigh(&["pt"], 1.6), weigh(&["es"], -0.3)),
                'è' | 'ù' | 'ò' | 'ì' if once(8) => (weigh(&["it"], 0.7), weigh(&["fr"], 0.5)),
                'ê' | 'û' | 'œ' | 'ë' | 'ï' if once(9) => (weigh(&["fr"], 0.9), weigh(&["pt"], 0.3)),
                'á' | 'í' | 'ó' | 'ú' if once(10) => (weigh(&["es"], 0.6), weigh(&["pt"], 0.5)),
                'é' | 'à' if once(11) => (weigh(&["fr"], 0.6), weigh(&["es", "it", "pt"], 0.3)),
                'ł' | 'ż' | 'ź' | 'ś' | 'ę' | 'ą' | 'ć' | 'ń' if once(12) => {
                    (weigh(&["pl"], 2.0), weigh(&["tr"], -0.5))
                }
                'å' | 'Å' if once(13) => (weigh(&["sv"], 1.0), weigh(&["de"], -0.3)),
                'ă' | 'ț' | 'ţ' if once(14) => (weigh(&["ro"], 1.6), weigh(&["tr"], -0.5)),
                _ => ((), ()),
            };
        }
    }
}

/// The two languages with the most evidence.
fn leaders(evidence: &[f64]) -> (usize, usize) {
    let (mut best, mut second) = (0, 1);
    if evidence[1] > evidence[0] {
        (best, second) = (1, 0);
    }
    for index in 2..evidence.len() {
        if evidence[index] > evidence[best] {
            (best, second) = (index, best);
        } else if evidence[index] > evidence[second] {
            second = index;
        }
    }
    (best, second)
}

fn language(code: &str, lead: f64) -> Language {
    Language { code: code.to_owned(), confidence: super::two_decimals(0.99 - 0.49 * (-0.9 * lead.max(0.0)).exp()) }
}

fn unknown() -> Language {
    Language { code: UNKNOWN.to_owned(), confidence: 0.0 }
}

/// What the letters alone say.
#[derive(Debug, Clone, PartialEq)]
pub enum Script {
    /// Latin letters: the words decide.
    Latin,
    /// Cyrillic letters: whatlang decides.
    Cyrillic,
    /// The script settles it.
    Settled(Language),
    /// No letters at all.
    None,
}

/// The script most of the letters belong to.
pub fn script(text: &str) -> Script {
    let (mut latin, mut cyrillic, mut arabic, mut persian, mut urdu) = (0_usize, 0_usize, 0_usize, 0_usize, 0_usize);
    let (mut han, mut kana, mut hangul) = (0_usize, 0_usize, 0_usize);
    let mut others: Vec<(&'static str, usize)> = Vec::new();
    if text.is_ascii() {
        return if text.bytes().any(|byte| byte.is_ascii_alphabetic()) { Script::Latin } else { Script::None };
    }
    for character in text.chars() {
        match character {
            'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => latin += 1,
            '\u{250}'..='\u{2af}' => latin += 1,
            '\u{400}'..='\u{52f}' => cyrillic += 1,
            'پ' | 'چ' | 'ژ' | 'گ' | 'ک' | 'ی' => (arabic, persian) = (arabic + 1, persian + 1),
            'ٹ' | 'ڈ' | 'ڑ' | 'ے' | 'ں' | 'ہ' => (arabic, urdu) = (arabic + 1, urdu + 1),
            '\u{620}'..='\u{6ff}' | '\u{750}'..='\u{77f}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' => {
                arabic += 1
            }
            '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{20000}'..='\u{2ebef}' | '\u{f900}'..='\u{faff}' => {
                han += 1
            }
            '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9d}' => kana += 1,
            '\u{ac00}'..='\u{d7af}' | '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' => hangul += 1,
            _ => {
                if let Some(code) = of_other_script(character) {
                    match others.iter_mut().find(|(known, _)| *known == code) {
                        Some((_, count)) => *count += 1,
                        None => others.push((code, 1)),
                    }
                }
            }
        }
    }
    let all =
        latin + cyrillic + arabic + 2 * (han + kana + hangul) + others.iter().map(|(_, count)| count).sum::<usize>();
    if all == 0 {
        return Script::None;
    }
    let settled = |code: &str, count: usize, certainty: f64| {
        let share = count as f64 / all as f64;
        Script::Settled(Language { code: code.to_owned(), confidence: super::two_decimals(certainty * share.min(1.0)) })
    };
    let (other, other_count) = others.into_iter().max_by_key(|(_, count)| *count).unwrap_or((UNKNOWN, 0));
    let east = 2 * (han + kana);
    let most = [latin, cyrillic, arabic, east, 2 * hangul, other_count].into_iter().max().unwrap_or(0);
    if most == latin {
        Script::Latin
    } else if most == cyrillic {
        Script::Cyrillic
    } else if most == arabic {
        match (urdu * 20 > arabic, persian * 20 > arabic) {
            (true, _) => settled("ur", arabic, 0.85),
            (_, true) => settled("fa", arabic, 0.9),
            _ => settled("ar", arabic, 0.95),
        }
    } else if most == 2 * hangul {
        settled("ko", 2 * hangul, 0.99)
    } else if most == east && kana * 20 > han {
        settled("ja", east, 0.99)
    } else if most == east {
        settled("zh", east, if han < 4 { 0.7 } else { 0.95 })
    } else {
        settled(other, other_count, if other == "hi" { 0.85 } else { 0.95 })
    }
}

/// Scripts that one language writes, or one far more than others.
fn of_other_script(character: char) -> Option<&'static str> {
    Some(match character {
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => "el",
        '\u{531}'..='\u{587}' => "hy",
        '\u{5d0}'..='\u{5ea}' => "he",
        '\u{900}'..='\u{97f}' => "hi",
        '\u{980}'..='\u{9ff}' => "bn",
        '\u{a00}'..='\u{a7f}' => "pa",
        '\u{a80}'..='\u{aff}' => "gu",
        '\u{b80}'..='\u{bff}' => "ta",
        '\u{c00}'..='\u{c7f}' => "te",
        '\u{c80}'..='\u{cff}' => "kn",
        '\u{d00}'..='\u{d7f}' => "ml",
        '\u{d80}'..='\u{dff}' => "si",
        '\u{e00}'..='\u{e7f}' => "th",
        '\u{e80}'..='\u{eff}' => "lo",
        '\u{1000}'..='\u{109f}' => "my",
        '\u{10a0}'..='\u{10ff}' => "ka",
        '\u{1200}'..='\u{137f}' => "am",
        '\u{1780}'..='\u{17ff}' => "km",
        _ => return None,
    })
}

/// The language of a text in Cyrillic letters.
pub fn cyrillic(text: &str) -> Language {
    let has = |letters: &[char]| text.chars().take(2_000).any(|character| letters.contains(&character));
    let sure = |code: &str, confidence: f64| Language { code: code.to_owned(), confidence };
    if has(&['ә', 'ғ', 'қ', 'ң', 'ұ', 'һ']) {
        return sure("kk", 0.9);
    }
    if has(&['ї', 'є', 'ґ']) {
        return sure("uk", 0.97);
    }
    if has(&['ў']) {
        return sure("be", 0.95);
    }
    if has(&['ђ', 'ћ']) {
        return sure("sr", 0.95);
    }
    let start: String = text.chars().take(1_000).collect();
    match whatlang::detect(&start) {
        Some(guess) if start.chars().count() > 15 => {
            let code = bcp47(guess.lang());
            // ы, э and ё are Russian's (and Belarusian's, which has ў).
            let code = if has(&['ы', 'э', 'ё']) { "ru" } else { code };
            sure(code, super::two_decimals(0.5 + 0.45 * guess.confidence()))
        }
        _ if has(&['ы', 'э', 'ё']) => sure("ru", 0.8),
        _ if has(&['і']) => sure("uk", 0.7),
        _ => sure("ru", 0.5),
    }
}

/// The BCP 47 code of a language of whatlang, which names them by ISO 639-3.
fn bcp47(language: whatlang::Lang) -> &'static str {
    use whatlang::Lang::*;
    match language {
        Epo => "eo",
        Eng => "en",
        Rus => "ru",
        Cmn => "zh",
        Spa => "es",
        Por => "pt",
        Ita => "it",
        Ben => "bn",
        Fra => "fr",
        Deu => "de",
        Ukr => "uk",
        Kat => "ka",
        Ara => "ar",
        Hin => "hi",
        Jpn => "ja",
        Heb => "he",
        Yid => "yi",
        Pol => "pl",
        Amh => "am",
        Jav => "jv",
        Kor => "ko",
        Nob => "nb",
        Dan => "da",
        Swe => "sv",
        Fin => "fi",
        Tur => "tr",
        Nld => "nl",
        Hun => "hu",
        Ces => "cs",
        Ell => "el",
        Bul => "bg",
        Bel => "be",
        Mar => "mr",
        Kan => "kn",
        Ron => "ro",
        Slv => "sl",
        Hrv => "hr",
        Srp => "sr",
        Mkd => "mk",
        Lit => "lt",
        Lav => "lv",
        Est => "et",
        Tam => "ta",
        Vie => "vi",
        Urd => "ur",
        Tha => "th",
        Guj => "gu",
        Uzb => "uz",
        Pan => "pa",
        Aze => "az",
        Ind => "id",
        Tel => "te",
        Pes => "fa",
        Mal => "ml",
        Ori => "or",
        Mya => "my",
        Nep => "ne",
        Sin => "si",
        Khm => "km",
        Tuk => "tk",
        Aka => "ak",
        Zul => "zu",
        Sna => "sn",
        Afr => "af",
        Lat => "la",
        Slk => "sk",
        Cat => "ca",
        Tgl => "tl",
        Hye => "hy",
        Cym => "cy",
    }
}
