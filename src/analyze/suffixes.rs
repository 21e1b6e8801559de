//! Which endings a word may take, on folded letters: Turkish nouns and verbs with negation, English inflection.
//!
//! Folding merges i with ı and u with ü, so each ending is listed at most twice (`-ler/-lar`, `-im/-um`).

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
    Noun,
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

const NOUN: &[Arc] = arcs! {
    Noun PLAIN: "ler" "lar" "imiz" "umuz" "iniz" "unuz" "miz" "muz" "niz" "nuz" "im" "um" "in" "un" "si" "su" "nin" "nun" "nde" "nda"
        "nden" "ndan" "den" "dan" "ten" "tan" "de" "da" "te" "ta" "yle" "yla" "le" "la" "ne" "na" "ni" "nu" "ye" "ya" "yi" "yu"
        "lik" "luk" "lig" "lug" "li" "lu" "ci" "cu" "ce" "ca" "cik" "cig" "ki" "i" "u" "e" "a" "m" "n";
    Person PLAIN: "ydi" "ydu" "di" "du" "ti" "tu" "ymis" "ymus" "mis" "mus" "yse" "ysa" "se" "sa" "siniz" "sunuz" "sin" "sun"
        "yim" "yum" "yiz" "yuz" "iz" "uz" "dir" "dur" "tir" "tur" "yken" "ken" "mi" "mu";
    Verb PLAIN: "les" "las" "len" "lan" "lestir" "lastir" "lendir" "landir";
    Noun WITHOUT: "siz" "suz";
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
    Person PLAIN: "di" "du" "mis" "mus" "yecek" "yacak" "yeceg" "yacag" "cek" "cak" "se" "sa" "meli" "mali" "dik" "dig";
    Noun PLAIN: "yen" "yan" "mek" "mak" "meg" "mag" "me" "ma" "yis";
    End PLAIN: "yip" "yince" "yinca" "yerek" "yarak" "sin" "sinler" "sinlar" "yin" "yiniz" "den" "dan" "yiz" "yelim" "yalim" "yeyim" "yayim";
    Verb PLAIN: "yebil" "yabil";
};

const PERSON: &[Arc] = arcs! {
    Person PLAIN: "siniz" "sunuz" "sin" "sun" "siz" "suz" "niz" "nuz" "lar" "ler" "ydi" "ydu" "di" "du" "ti" "tu" "ymis" "ymus" "mis" "mus"
        "yse" "ysa" "se" "sa" "dir" "dur" "tir" "tur" "yken" "ken" "mi" "mu" "im" "um" "iz" "uz" "m" "n" "k";
    Noun PLAIN: "ini" "unu" "ine" "una" "ina" "inda" "leri" "lari" "i" "u" "e" "a" "imiz" "iniz" "inden" "indan";
};

/// Reads `rest` as the endings of a Turkish noun or adjective.
pub fn of_noun(rest: &str) -> Option<Ending> {
    // No word has more endings; a made-up one must not cost more than a word.
    (rest.len() <= 24).then(|| read(rest, At::Noun, Ending::default(), 8)).flatten()
}

/// Reads `rest` as the endings of a Turkish verb; a bare stem is an imperative.
pub fn of_verb(rest: &str) -> Option<Ending> {
    (rest.len() <= 24).then(|| read(rest, At::Verb, Ending::default(), 8)).flatten()
}

fn read(rest: &str, at: At, so_far: Ending, depth: u8) -> Option<Ending> {
    if rest.is_empty() {
        return Some(so_far);
    }
    let arcs = match at {
        At::Noun => NOUN,
        At::Verb => VERB,
        At::Negated => NEGATED,
        At::Person => PERSON,
        At::End => return None,
    };
    if depth == 0 {
        return None;
    }
    // `-me` alone is a noun far more often than "do not": "bekleme salonu".
    let bare_noun = |to: At, tail: &str| to == At::Negated && tail.is_empty();
    arcs.iter().find_map(|(ending, to, says)| {
        let tail = rest.strip_prefix(ending).filter(|tail| !bare_noun(*to, tail))?;
        let says = Ending { negated: so_far.negated || says.negated, without: so_far.without || says.without };
        read(tail, *to, says, depth - 1)
    })
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
            assert_eq!(of_verb(word.strip_prefix(stem).unwrap()), Some(NOT), "{word}");
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
            assert_eq!(of_verb(word.strip_prefix(stem).unwrap()), Some(PLAIN), "{word}");
        }
    }

    #[test]
    fn a_noun_takes_its_endings_and_no_others() {
        for (stem, word) in
            [("guzel", "guzeldi"), ("sorun", "sorunlarimiz"), ("rezalet", "rezaletsiniz"), ("kotu", "kotulesti")]
        {
            assert_eq!(of_noun(word.strip_prefix(stem).unwrap()), Some(PLAIN), "{word}");
        }
        assert_eq!(of_noun("siz"), Some(WITHOUT));
        assert_eq!(of_noun("sizlik"), Some(WITHOUT));
        assert_eq!(of_noun("gah"), None);
    }
}
