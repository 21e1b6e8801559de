//! Which endings a word may take, on folded letters: Turkish nouns and verbs with negation, English inflection.
//!
//! Folding merges i with ı and u with ü, so each ending is listed at most twice (`-ler/-lar`, `-im/-um`).

use std::sync::LazyLock;

/// What the endings of a word say beside its stem.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ending {
    /// `gel-me-di`, `ulaş-a-mı-yor`, `git-mez`.
    pub negated: bool,
    /// `kalite-siz`: without it.
    pub without: bool,
}

/// Where in a word the reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// A noun's stem, before anything else.
    Noun,
    /// After `-ler/-lar`.
    Plural,
    /// After `-im`, `-iniz`, `-leri`.
    Owned,
    /// After `-de`, `-den`, `-i`.
    Case,
    Verb,
    /// After `-me/-ma` as negation.
    Negated,
    /// After a tense: persons follow.
    Person,
    /// Nothing may follow.
    End,
}

/// An ending: its letters, what may follow it, and whether it negates or takes away.
type Arc = (&'static str, At, Ending);

const PLAIN: Ending = Ending { negated: false, without: false };
const NOT: Ending = Ending { negated: true, without: false };
const WITHOUT: Ending = Ending { negated: false, without: true };

macro_rules! arcs {
    ($($to:ident $says:ident: $($ending:literal)*;)*) => { &[$($(($ending, At::$to, $says)),*),*] };
}

const DERIVED: &[Arc] = arcs! {
    Noun PLAIN: "lik" "luk" "lig" "lug" "li" "lu" "ci" "cu" "cik" "cig" "ce" "ca" "cesine" "casina";
    Plural PLAIN: "ler" "lar";
    Verb PLAIN: "les" "las" "len" "lan" "lestir" "lastir" "lendir" "landir";
    Noun WITHOUT: "siz" "suz";
};

const OWNED: &[Arc] = arcs! {
    Owned PLAIN: "imiz" "umuz" "iniz" "unuz" "miz" "muz" "niz" "nuz" "im" "um" "in" "un" "si" "su" "i" "u" "m" "n";
};

const CASES: &[Arc] = arcs! {
    Case PLAIN: "nin" "nun" "nde" "nda" "nden" "ndan" "den" "dan" "ten" "tan" "de" "da" "te" "ta" "yle" "yla" "le" "la" "ne" "na" "ni" "nu"
        "ye" "ya" "yi" "yu" "in" "un" "i" "u" "e" "a" "nce" "nca";
};

const AFTER_CASE: &[Arc] = arcs! {
    Plural PLAIN: "ki";
};

const BEING: &[Arc] = arcs! {
    Person PLAIN: "ydi" "ydu" "di" "du" "ti" "tu" "ymis" "ymus" "mis" "mus" "yse" "ysa" "se" "sa" "siniz" "sunuz" "sin" "sun" "im" "um"
        "yim" "yum" "yiz" "yuz" "iz" "uz" "dir" "dur" "tir" "tur" "yken" "ken" "mi" "mu";
};

const VERB: &[Arc] = arcs! {
    Person NOT: "miyor" "muyor" "miyo" "muyo" "emiyor" "amiyor" "emiyo" "amiyo" "yemiyor" "yamiyor" "yemiyo" "yamiyo"
        "mez" "maz" "emez" "amaz" "yemez" "yamaz" "micek" "micak" "mican" "micem" "micam";
    Negated NOT: "me" "ma" "eme" "ama" "yeme" "yama";
    End NOT: "mem" "mam" "emem" "amam" "yemem" "yamam";
    Person PLAIN: "iyor" "uyor" "yor" "iyo" "uyo" "yo" "di" "du" "ti" "tu" "mis" "mus" "yecek" "yacak" "ecek" "acak" "yeceg" "yacag"
        "eceg" "acag" "icek" "icak" "ucak" "cek" "cak" "ir" "ur" "er" "ar" "r" "meli" "mali" "se" "sa";
    Noun PLAIN: "en" "an" "yen" "yan" "dig" "dug" "tig" "tug" "mek" "mak" "meg" "mag" "me" "ma" "yis" "yus" "is" "us" "yici" "yucu" "ici" "ucu"
        "gin" "gun" "kin" "kun";
    Person PLAIN: "dik" "duk" "tik" "tuk";
    End PLAIN: "yip" "yup" "ip" "up" "yince" "yinca" "yunce" "yunca" "ince" "inca" "unce" "unca" "yerek" "yarak" "erek" "arak"
        "eyim" "ayim" "yeyim" "yayim" "elim" "alim" "yelim" "yalim" "iniz" "unuz" "yiniz" "yunuz" "in" "un" "yin" "yun" "sin" "sun"
        "sinler" "sunlar" "icem" "icam" "cem" "cam";
    Verb PLAIN: "ebil" "abil" "yebil" "yabil" "tir" "tur" "dir" "dur" "il" "ul" "in" "un" "is" "us" "t" "n" "l";
};

const NEGATED: &[Arc] = arcs! {
    Person PLAIN: "di" "du" "mis" "mus" "yecek" "yacak" "yeceg" "yacag" "cek" "cak" "se" "sa" "meli" "mali" "dik";
    Noun PLAIN: "dig" "yen" "yan" "mek" "mak" "meg" "mag" "me" "ma" "yis";
    End PLAIN: "yip" "yince" "yinca" "yerek" "yarak" "sin" "sinler" "sinlar" "yin" "yiniz" "den" "dan" "yiz" "yelim" "yalim" "yeyim" "yayim";
    Verb PLAIN: "yebil" "yabil";
};

const PERSON: &[Arc] = arcs! {
    Person PLAIN: "siniz" "sunuz" "sin" "sun" "siz" "suz" "niz" "nuz" "lar" "ler" "ydi" "ydu" "di" "du" "ti" "tu" "ymis" "ymus" "mis" "mus"
        "yse" "ysa" "se" "sa" "dir" "dur" "tir" "tur" "yken" "ken" "mi" "mu" "im" "um" "iz" "uz" "m" "n" "k";
    Owned PLAIN: "i" "u" "imiz" "iniz" "leri" "lari";
    Case PLAIN: "e" "a";
};

const LETTERS: usize = 26;
const PLACES: [At; 8] = [At::Noun, At::Plural, At::Owned, At::Case, At::Verb, At::Negated, At::Person, At::End];

/// What may come at each of [`PLACES`], by its first letter: most words that are looked up end at the first one.
static ARCS: LazyLock<[[Vec<Arc>; LETTERS]; PLACES.len()]> = LazyLock::new(|| {
    PLACES.map(|at| {
        let lists: &[&[Arc]] = match at {
            At::Noun => &[DERIVED, OWNED, CASES, BEING],
            At::Plural => &[OWNED, CASES, BEING],
            At::Owned => &[CASES, BEING],
            At::Case => &[AFTER_CASE, BEING],
            At::Verb => &[VERB],
            At::Negated => &[NEGATED],
            At::Person => &[PERSON],
            At::End => &[],
        };
        std::array::from_fn(|letter| {
            let begins = |arc: &&Arc| usize::from(arc.0.as_bytes()[0] - b'a') == letter;
            lists.iter().copied().flatten().filter(begins).copied().collect()
        })
    })
});

/// Reads what follows `stem` in `word` as the endings of a Turkish noun or adjective.
pub fn of_noun(stem: &str, rest: &str) -> Option<Ending> {
    read(stem, rest, At::Noun)
}

/// Reads what follows `stem` as the endings of a Turkish verb; a bare stem is an imperative.
pub fn of_verb(stem: &str, rest: &str) -> Option<Ending> {
    read(stem, rest, At::Verb)
}

fn read(stem: &str, rest: &str, at: At) -> Option<Ending> {
    // No word has more endings; a made-up one must not cost more than a word.
    let last = stem.bytes().last()?;
    (rest.len() <= 24).then(|| read_on(last, rest, at, Ending::default(), 8)).flatten()
}

fn read_on(last: u8, rest: &str, at: At, so_far: Ending, depth: u8) -> Option<Ending> {
    if rest.is_empty() {
        return Some(so_far);
    }
    if depth == 0 {
        return None;
    }
    let letter = rest.as_bytes()[0].checked_sub(b'a').filter(|letter| usize::from(*letter) < LETTERS)?;
    ARCS[at as usize][usize::from(letter)].iter().find_map(|(ending, to, says)| {
        let tail = rest.strip_prefix(ending)?;
        // `-me` alone is a noun far more often than "do not": "bekleme salonu".
        if (*to == At::Negated && tail.is_empty()) || !sounds(last, ending, at) {
            return None;
        }
        let says = Ending { negated: so_far.negated || says.negated, without: so_far.without || says.without };
        read_on(ending.bytes().last()?, tail, *to, says, depth - 1)
    })
}

/// Two vowels do not meet, and what only bridges vowels needs one before it.
fn sounds(last: u8, ending: &str, at: At) -> bool {
    let vowel = |letter: u8| matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u');
    let first = ending.as_bytes()[0];
    if vowel(first) {
        return !vowel(last);
    }
    let bridge = matches!(
        ending,
        "m" | "n" | "si" | "su" | "niz" | "nuz" | "miz" | "muz" | "nin" | "nun" | "nde" | "nda" | "nden" | "ndan"
    ) || matches!(
        ending,
        "ne" | "na"
            | "ni"
            | "nu"
            | "nce"
            | "nca"
            | "yle"
            | "yla"
            | "ye"
            | "ya"
            | "yi"
            | "yu"
            | "yim"
            | "yum"
            | "yiz"
            | "yuz"
    ) || matches!(ending, "ydi" | "ydu" | "ymis" | "ymus" | "yse" | "ysa" | "yken");
    !bridge || vowel(last) || !matches!(at, At::Noun | At::Plural | At::Owned)
}

/// Whether `rest` can follow an English word.
pub fn of_english(rest: &str) -> bool {
    matches!(rest, "" | "s" | "es" | "d" | "ed" | "ing" | "ly" | "er" | "est" | "ness" | "'s" | "s'" | "ment" | "ers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_shows_its_negation() {
        for (stem, word) in [
            ("gel", "gelmedi"),
            ("gel", "gelmiyor"),
            ("gel", "gelmez"),
            ("gel", "gelmemis"),
            ("gel", "gelmeyecek"),
            ("begen", "begenmedim"),
            ("ulas", "ulasamiyorum"),
            ("ulas", "ulasamadim"),
            ("ulas", "ulastirilmadi"),
            ("bekle", "beklemeyin"),
            ("memnun kal", "memnun kalmadik"),
            ("cozul", "cozulmeyen"),
            ("ver", "vermiyorsunuz"),
            ("ver", "vermeyince"),
        ] {
            assert_eq!(of_verb(stem, word.strip_prefix(stem).unwrap()), Some(NOT), "{word}");
        }
        for (stem, word) in [
            ("gel", "geldi"),
            ("gel", "gelmesi"),
            ("gel", "gelmeli"),
            ("bekle", "bekleme"),
            ("bekle", "bekledigimiz"),
            ("ver", "vermek"),
            ("sev", "seviyorum"),
            ("sev", "sevdiklerime"),
            ("begen", "begenilen"),
        ] {
            assert_eq!(of_verb(stem, word.strip_prefix(stem).unwrap()), Some(PLAIN), "{word}");
        }
    }

    #[test]
    fn a_noun_takes_its_endings_and_no_others() {
        for (stem, word) in
            [("guzel", "guzeldi"), ("sorun", "sorunlarimiz"), ("rezalet", "rezaletsiniz"), ("kotu", "kotulesti")]
        {
            assert_eq!(of_noun(stem, word.strip_prefix(stem).unwrap()), Some(PLAIN), "{word}");
        }
        assert_eq!(of_noun("kalite", "siz"), Some(WITHOUT));
        assert_eq!(of_noun("kalite", "sizlik"), Some(WITHOUT));
        for (stem, word) in [("guzel", "guzelgah"), ("zam", "zaman"), ("katil", "katilimci"), ("pes", "pesine")] {
            assert_eq!(of_noun(stem, word.strip_prefix(stem).unwrap()).is_some(), word == "pesine", "{word}");
        }
    }
}
