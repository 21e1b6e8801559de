//! What `muhatap analyze` and `muhatap dictionaries` promise, through the real binary and the library.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use muhatap::analyze::corpus::{self, Part};
use muhatap::analyze::corrections::Corrected;
use muhatap::analyze::delta::Learnt;
use muhatap::analyze::measure::Confusion;
use muhatap::analyze::sources::typed_in_ascii;
use muhatap::analyze::{Analysis, Analyzer, DictionaryPaths, EntityKind, Stem};
use muhatap::model::AlarmKind::{self, Deadline, Health, Legal, Money, Safety, Vulnerable};
use muhatap::model::UrgencyLevel::{self, High, Raised};
use muhatap::model::{IntentLabel, SentimentLabel};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::Value;

use SentimentLabel::{Negative, Neutral, Positive};

/// Without dictionaries; made once, as in the product.
fn analyzer() -> &'static Analyzer {
    static ANALYZER: LazyLock<Analyzer> = LazyLock::new(|| Analyzer::new(&DictionaryPaths::default()));
    &ANALYZER
}

/// Runs the binary in a folder of its own with `input` on stdin.
fn muhatap(folder: &Path, args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_muhatap"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    let input = input.to_owned();
    // The binary answers while it reads, so its input is written beside.
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("the binary ends");
    writer.join().expect("the writer ends");
    output
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).expect("the output is UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect()
}

#[rstest]
#[case("Kargom 5 gündür gelmedi, kimse cevap vermiyor", "tr", Negative, IntentLabel::Complaint)]
#[case("kargom 5 gundur gelmedi kimse cevap vermiyor", "tr", Negative, IntentLabel::Complaint)]
#[case("SİPARİŞİM HALA GELMEDİ REZALET", "tr", Negative, IntentLabel::Complaint)]
#[case("Hizmetinizden hiç memnun kalmadım", "tr", Negative, IntentLabel::Complaint)]
#[case("Ürünü beğenmedim, kalitesiz çıktı", "tr", Negative, IntentLabel::Complaint)]
#[case("ürün güzel ama kargo rezalet", "tr", Negative, IntentLabel::Complaint)]
#[case("Uygulama açılmıyor, giriş yapamıyorum", "tr", Negative, IntentLabel::Complaint)]
#[case("Çok teşekkürler, kargo çok hızlı geldi, harikasınız", "tr", Positive, IntentLabel::Praise)]
#[case("cok tesekkur ederim, urun tam istedigim gibi", "tr", Positive, IntentLabel::Praise)]
#[case("Hiç sorun yaşamadım, herkese tavsiye ederim", "tr", Positive, IntentLabel::Praise)]
#[case("Mağazanız pazar günü kaçta açılıyor?", "tr", Neutral, IntentLabel::Question)]
#[case("Bu telefonu almak istiyorum, fiyatı ne kadar?", "tr", Neutral, IntentLabel::Purchase)]
#[case("Aboneliğimi iptal eder misiniz lütfen", "tr", Neutral, IntentLabel::Request)]
#[case("Takipçi kazan! Linke tıkla https://x.example #takip", "tr", Neutral, IntentLabel::Spam)]
#[case("My order never arrived and nobody replies", "en", Negative, IntentLabel::Complaint)]
#[case("The TITANIC exhibition is not good at all", "en", Negative, IntentLabel::Complaint)]
#[case("Absolutely love it, thank you so much!", "en", Positive, IntentLabel::Praise)]
#[case("What time do you open on Sunday?", "en", Neutral, IntentLabel::Question)]
#[case("hala bekliyorum", "tr", Negative, IntentLabel::Complaint)]
#[case("memnun kalmadık maalesef", "tr", Negative, IntentLabel::Complaint)]
#[case("kargo biraz geç geldi ama ürün mükemmel", "tr", Positive, IntentLabel::Praise)]
#[case("not happy with the service", "en", Negative, IntentLabel::Complaint)]
fn people_write_and_are_understood(
    #[case] text: &str,
    #[case] language: &str,
    #[case] sentiment: SentimentLabel,
    #[case] intent: IntentLabel,
) {
    let analysis = analyzer().analyze(text);
    assert_eq!(analysis.language.code, language, "{text}: {analysis:?}");
    assert_eq!(analysis.sentiment.label, sentiment, "{text}: {analysis:?}");
    assert_eq!(analysis.main_intent(), intent, "{text}: {analysis:?}");
}

/// Figures on the part of our corpus that no model has seen, in percent, as the whole analysis reaches them: its language
/// too has to be told. They may rise; a change that lets one fall has to say why.
/// The Turkish ones fell from 76.5 and 74.5 when short posts, and then formal complaints and irony, joined that part, which are
/// harder (November 2026). The Turkish intents fell from 72.5 and the English sentiment from 75.5 when sentences that turn
/// their words joined that part, and what is learnt from.
#[rstest]
#[case("tr", 75.0, 72.0)]
#[case("en", 74.0, 65.5)]
fn the_published_figures_hold(#[case] language: &str, #[case] sentiment: f64, #[case] main_intent: f64) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let rows = corpus::mentions(&corpus, language).expect("our corpus is readable");
    let (mut moods, mut intents) = (Confusion::new(SentimentLabel::ALL.len()), Confusion::new(IntentLabel::ALL.len()));
    for row in rows.iter().filter(|row| row.part == Part::Test) {
        let analysis = analyzer().analyze(&row.text);
        moods.add(row.sentiment.expect("every mention has one") as usize, analysis.sentiment.label as usize);
        intents.add(row.intents[0] as usize, analysis.main_intent() as usize);
    }
    assert!(moods.macro_f1() >= sentiment, "sentiment mF1 {:.1}", moods.macro_f1());
    assert!(intents.macro_f1() >= main_intent, "main intent mF1 {:.1}", intents.macro_f1());
}

/// The same for the languages whose models tell sentiment alone, on all of our mentions in them, none of which was learnt.
/// They are few: one more wrong is half a point.
#[rstest]
#[case("de", 60.0)]
#[case("fr", 38.0)]
#[case("es", 52.0)]
#[case("it", 58.0)]
#[case("pt", 58.0)]
#[case("ar", 62.0)]
fn the_published_moods_hold(#[case] language: &str, #[case] sentiment: f64) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut moods = Confusion::new(SentimentLabel::ALL.len());
    for row in corpus::mentions(&corpus, language).expect("our corpus is readable") {
        let said = analyzer().analyze(&row.text).sentiment.label;
        moods.add(row.sentiment.expect("every mention has one") as usize, said as usize);
    }
    assert!(moods.macro_f1() >= sentiment, "sentiment mF1 {:.1}", moods.macro_f1());
}

/// The small models have read too little to know every clear word: German `zufrieden` and Arabic `سيئة` are misjudged here.
#[test]
fn most_clear_moods_of_other_languages_are_told() {
    let texts = [
        ("Sehr zufrieden, schnelle Lieferung, vielen Dank!", "de", Positive),
        ("Das ist eine Frechheit, ich bin total enttäuscht von euch", "de", Negative),
        ("Merci beaucoup, c'est magnifique, bravo à toute l'équipe", "fr", Positive),
        ("C'est une honte, votre service est catastrophique", "fr", Negative),
        ("Me encanta, muchas gracias por todo, sois los mejores", "es", Positive),
        ("Qué vergüenza, es lo peor que he visto, un desastre", "es", Negative),
        ("Grazie mille, siete bravissimi, bellissima sorpresa", "it", Positive),
        ("Che schifo, siete una vergogna, vi odio", "it", Negative),
        ("Adorei, muito obrigada, vocês são maravilhosos", "pt", Positive),
        ("Que vergonha, o atendimento é péssimo, um horror", "pt", Negative),
        ("شكرا جزيلا، خدمة رائعة وجميلة جدا", "ar", Positive),
        ("خدمة سيئة جدا وأسوأ تجربة للأسف", "ar", Negative),
    ];
    let mut right = 0;
    for (text, language, mood) in texts {
        let Analysis { language: told, sentiment, .. } = analyzer().analyze(text);
        assert_eq!(told.code, language, "{text}");
        assert!(!sentiment.because.is_empty(), "{text}");
        if sentiment.label == mood {
            right += 1;
        } else {
            assert!(sentiment.confidence < 0.5, "{text} is misjudged with confidence: {sentiment:?}");
        }
    }
    assert!(right >= 10, "{right} of {}", texts.len());
}

#[rstest]
#[case("Größe und Qualität sind überhaupt nicht schön, sehr enttäuscht von euch")]
#[case("Déçue par la qualité, le colis est arrivé cassé après trois semaines")]
#[case("¿Por qué no contestáis? Llevo días esperando una solución, qué vergüenza")]
#[case("Perché è così caro? La qualità però è buonissima, complimenti")]
#[case("Não recebi a encomenda e ninguém responde, péssimo atendimento")]
fn accents_change_nothing_in_other_languages(#[case] text: &str) {
    let (proper, typed) = (analyzer().analyze(text), analyzer().analyze(&typed_in_ascii(text)));
    assert_eq!(proper.language.code, typed.language.code, "{text}");
    assert_eq!(proper.sentiment.score, typed.sentiment.score, "{text}");
}

#[rstest]
#[case("memnunum", "memnun değilim")]
#[case("sorun yok", "sorun var")]
#[case("beğendim", "beğenmedim")]
#[case("bu ürün kaliteli", "bu ürün kalitesiz")]
#[case("I like this service, it is good", "I don't like this service, it is not good")]
#[case("memnun değilim diyemem", "memnun değilim")]
fn negation_turns_the_score(#[case] better: &str, #[case] worse: &str) {
    let analyzer = analyzer();
    let score = |text: &str| analyzer.analyze(text).sentiment.score;
    assert!(score(better) > score(worse), "{better}: {}, {worse}: {}", score(better), score(worse));
    assert!(score(worse) < 0.0, "{worse}: {}", score(worse));
}

/// None of these is in the corpus: the model has to know how good words and bad news go together, not the sentences.
#[rstest]
#[case("süper, gene açılmıyor")]
#[case("tebrikler, yine gecikti")]
#[case("aferin, paketim yine kayıp")]
#[case("şahane, hala cevap yok")]
#[case("Müşteri hizmetleri sağolsun 40 dk bekletti")]
#[case("sağolun, yarım saat beklettiniz")]
#[case("sağ olsunlar iki saat ayakta beklettiler")]
#[case("süper, gene giriş yapamıyorum")]
#[case("Lovely, another broken charger")]
#[case("Wonderful, the site crashed again")]
fn praise_for_bad_news_is_no_praise(#[case] text: &str) {
    let sentiment = analyzer().analyze(text).sentiment;
    assert_eq!(sentiment.label, Negative, "{sentiment:?}");
}

#[rstest]
#[case("ürün güzel", "ürün güzel desem yalan olur")]
#[case("kaliteli", "kaliteli demek yalan olur")]
#[case("memnunum", "memnunum desem yalan olur")]
#[case("memnun değilim dersem yalan olur", "memnun değilim")]
#[case("pişmanım desem yalan olur", "pişmanım")]
fn what_would_be_a_lie_is_not_so(#[case] better: &str, #[case] worse: &str) {
    let score = |text: &str| analyzer().analyze(text).sentiment.score;
    assert!(score(better) > score(worse), "{better}: {}, {worse}: {}", score(better), score(worse));
}

/// What a sentence makes of its words; none of these is in the corpus.
#[rstest]
#[case("hiç sorun çıkarmadı", true)]
#[case("asla sorun çıkarmıyor", true)]
#[case("sıkıntı çok", false)]
#[case("sıkıntı yok", true)]
#[case("memnun kalmadığım tek alışveriş olmadı", true)]
#[case("Memnun kaldığım tek bir alışveriş olmadı", false)]
#[case("beğenmediğim tek bir ürünü çıkmadı", true)]
#[case("memnun değilim desem yalan olur", true)]
#[case("memnunum desem yalan olur", false)]
#[case("eskiden berbattı şimdi çok düzelmiş", true)]
#[case("eskiden iyiydi artık berbat", false)]
#[case("Never had a single problem with this bank", true)]
#[case("not a single order arrived complete", false)]
#[case("the latest update fixed everything", true)]
#[case("the update broke everything", false)]
fn a_sentence_turns_its_words(#[case] text: &str, #[case] good: bool) {
    let sentiment = analyzer().analyze(text).sentiment;
    assert_eq!(sentiment.label, if good { Positive } else { Negative }, "{sentiment:?}");
}

#[test]
fn the_end_of_a_number_is_no_reason() {
    let sentiment =
        analyzer().analyze("Araç kredisi teklifi almak için aranmak istiyorum, 17.00dan sonra lütfen").sentiment;
    assert!(sentiment.because.iter().all(|reason| reason.text != "00dan"), "{sentiment:?}");
}

#[rstest]
#[case("oda güzeldi fakat çok gürültülüydü", false)]
#[case("yemekler güzeldi ama servis çok yavaştı", false)]
#[case("manzara güzeldi fakat oda soğuktu", false)]
#[case("servis güzeldi fakat çorba buz gibiydi", false)]
#[case("the hotel was nice but the staff was rude", false)]
#[case("kargo geç geldi fakat ürün çok güzel", true)]
#[case("ambalaj kötüydü fakat ürün çok güzel", true)]
fn what_follows_but_outweighs(#[case] text: &str, #[case] good: bool) {
    let sentiment = analyzer().analyze(text).sentiment;
    assert_eq!(sentiment.score > 0.0, good, "{sentiment:?}");
}

#[rstest]
#[case("fena değilmiş, sandığımdan iyi")]
#[case("sesi fena değil, umduğumdan iyi çıktı")]
fn not_bad_and_better_than_thought_is_good(#[case] text: &str) {
    let sentiment = analyzer().analyze(text).sentiment;
    assert_eq!(sentiment.label, Positive, "{sentiment:?}");
}

#[rstest]
#[case("bu bankadan memnun musunuz")]
#[case("Bu kargodan memnun olan var mı")]
fn who_asks_whether_others_are_glad_is_neither(#[case] text: &str) {
    let analysis = analyzer().analyze(text);
    assert_eq!(analysis.sentiment.label, Neutral, "{analysis:?}");
    assert_eq!(analysis.main_intent(), IntentLabel::Question, "{analysis:?}");
}

#[rstest]
#[case("bu tarife hala varmı", IntentLabel::Question)]
#[case("paketimi iptal edermisiniz", IntentLabel::Request)]
#[case("faturamı gönderirmisiniz", IntentLabel::Request)]
#[case("bilgi verebilirmisiniz", IntentLabel::Request)]
fn a_particle_written_onto_the_verb_asks_too(#[case] text: &str, #[case] intent: IntentLabel) {
    let analysis = analyzer().analyze(text);
    assert_eq!(analysis.main_intent(), intent, "{analysis:?}");
}

#[test]
fn casing_is_that_of_the_language() {
    let analyzer = analyzer();
    assert_eq!(analyzer.analyze("IŞIKLAR YANMIYOR KIRIK").tokens, ["ışıklar", "yanmıyor", "kırık"]);
    assert_eq!(analyzer.analyze("I watched TITANIC with them").tokens, ["i", "watched", "titanic", "with", "them"]);
}

#[test]
fn stems_and_entities_are_told_with_their_places() {
    let text = "@destek 40218833 numarali siparisim icin 3.500 TL odedim, hala gelmedi #KargomNerede";
    let analysis = analyzer().analyze(text);
    assert_eq!(analysis.language.code, "tr", "{analysis:?}");
    let stems: Vec<&str> = analysis.stems.iter().map(|stem| stem.stem.as_str()).collect();
    assert!(["sipariş", "için", "öde", "gel", "kargo", "nere"].iter().all(|stem| stems.contains(stem)), "{stems:?}");
    let restored: Vec<&str> = analysis.stems.iter().filter_map(|stem| stem.restored.as_deref()).collect();
    assert!(["siparişim", "için", "ödedim"].iter().all(|word| restored.contains(word)), "{restored:?}");
    let entities: Vec<(EntityKind, &str)> =
        analysis.entities.iter().map(|entity| (entity.kind, entity.value.as_str())).collect();
    assert_eq!(
        entities,
        [
            (EntityKind::Handle, "destek"),
            (EntityKind::OrderNumber, "40218833"),
            (EntityKind::Money, "3500"),
            (EntityKind::Hashtag, "kargom nerede"),
        ]
    );
    for entity in &analysis.entities {
        assert_eq!(&text[entity.start..entity.end], entity.text);
    }
    let decomposed = "Şikayetim var, s\u{327}ikayet@ornek.com";
    let analysis = analyzer().analyze(decomposed);
    for entity in &analysis.entities {
        assert_eq!(&decomposed[entity.start..entity.end], entity.text);
    }
    assert_eq!(analyzer().analyze("I watched TITANIC with them").stems, []);
}

#[rstest]
#[case("Kargom 5 gündür gelmedi, faturayı da yanlış kesmişsiniz", &["kargo", "fatura"])]
#[case("kargom gelmedi fatura da yanlis kesilmis", &["kargo", "fatura"])]
#[case("Ürünü iade ettim ama param yatmadı, müşteri hizmetlerinize ulaşamıyorum", &["ürün", "iade", "müşteri hizmetleri"])]
#[case("iademi kabul etmediniz #KargomNerede", &["iade", "kargo"])]
#[case("şifremi unuttum, uygulamaya giremiyorum", &["şifre", "uygulama", "giriş"])]
#[case("The courier lost my parcel and I want a refund now", &["delivery", "return"])]
#[case("Bugün hava çok güzel, herkese iyi günler dilerim", &[])]
#[case("the charger is great and I can check in for my flight", &["flight"])]
fn topics_are_named_in_the_language_of_the_text(#[case] text: &str, #[case] topics: &[&str]) {
    let analysis = analyzer().analyze(text);
    assert_eq!(analysis.topics, topics, "{analysis:?}");
}

#[rstest]
#[case("Tüketici hakem heyetine başvuracağım, avukatım hazır", High, &[(Legal, "Tüketici hakem heyetine"), (Legal, "avukatım")])]
#[case("Yediğimiz pideden çocuğum zehirlendi, hastanedeyiz", High, &[(Vulnerable, "çocuğum"), (Health, "zehirlendi")])]
#[case("Haberim olmadan hesabımdan para çekilmiş, rezalet", High, &[(Money, "Haberim olmadan"), (Money, "hesabımdan para çekilmiş")])]
#[case("CİMER'e şikayet edeceğim sizi", High, &[(Legal, "CİMER'e")])]
#[case("cimere sikayet edecegim sizi", High, &[(Legal, "cimere")])]
#[case("Doğum gününe kadar gelmeyecekse iptal edin lütfen", Raised, &[(Deadline, "Doğum gününe kadar")])]
#[case("I will call my lawyer, this is an unauthorized charge", High, &[(Legal, "lawyer"), (Money, "unauthorized")])]
#[case("Kargom hala gelmedi, ne zaman gelir?", UrgencyLevel::None, &[])]
#[case("Çocuğum oyuncağı çok sevdi, teşekkürler", UrgencyLevel::None, &[])]
#[case("Dava açmayacağım, sadece çözüm bekliyorum", UrgencyLevel::None, &[])]
#[case("Hesabımdan 40 bin lira çekildi, ben yapmadım", High, &[(Money, "lira çekildi"), (Money, "ben yapmadım")])]
#[case("2 saat sonra sınavım var sisteme giremiyorum", High, &[(Deadline, "saat sonra sınavım")])]
#[case("elektrik direğinden kablo sarkıyor", High, &[(Safety, "kablo sarkıyor")])]
#[case("there is glass in the baby food", High, &[(Health, "glass in the")])]
#[case("mahkeme duvarı gibi yüzü var temsilcinin", UrgencyLevel::None, &[])]
#[case("Ürün acil değil, haftaya da gelebilir", UrgencyLevel::None, &[])]
#[case("Avukatlık stajı için başvuru alıyor musunuz", UrgencyLevel::None, &[])]
#[case("food court was lovely", UrgencyLevel::None, &[])]
fn what_cannot_wait_says_why(#[case] text: &str, #[case] level: UrgencyLevel, #[case] because: &[(AlarmKind, &str)]) {
    let urgency = analyzer().analyze(text).urgency;
    let alarms: Vec<(AlarmKind, &str)> =
        urgency.because.iter().map(|alarm| (alarm.kind, alarm.text.as_str())).collect();
    assert_eq!((urgency.level, &*alarms), (level, because), "{text}");
}

/// The names of people, places and companies keep their capitals; other words lose those of a sentence's start.
#[test]
fn names_keep_their_capitals_in_the_stem() {
    let analysis =
        analyzer().analyze("Ürünü Zonguldak'tan gönderdiler, ANKARA'da Vesprit Bey'in dükkanına ABD'den geldi");
    assert_eq!(analysis.language.code, "tr");
    let stems: Vec<&str> = analysis.stems.iter().map(|stem| stem.stem.as_str()).collect();
    assert_eq!(stems, ["ürün", "Zonguldak", "gönder", "Ankara", "Vesprit", "Bey", "dükkan", "ABD", "gel"]);
}

#[test]
fn what_cannot_be_seen_is_no_letter() {
    let analysis = analyzer().analyze("Kar\u{200d}gom hala gel\u{ad}medi, fa\u{335}tu\u{335}ram da yanlış");
    let stems: Vec<&str> = analysis.stems.iter().map(|stem| stem.stem.as_str()).collect();
    assert_eq!(stems, ["kargo", "hala", "gel", "fatura", "da", "yanlış"]);
    assert_eq!(analysis.topics, ["kargo", "fatura"]);
}

/// Surfaces and places stay as they were written; what is understood is that of plain letters.
#[rstest]
#[case("𝗸𝗮𝗿𝗴𝗼𝗺 𝗴𝗲𝗹𝗺𝗲𝗱𝗶, 𝗿𝗲𝘇𝗮𝗹𝗲𝘁")]
#[case("ｋａｒｇｏｍ ｇｅｌｍｅｄｉ, ｒｅｚａｌｅｔ")]
#[case("kar\u{200b}gom gel\u{200b}medi, rez\u{200b}alet")]
fn letters_of_other_shapes_mean_the_same(#[case] text: &str) {
    let (analysis, plain) = (analyzer().analyze(text), analyzer().analyze("kargom gelmedi, rezalet"));
    assert_eq!(analysis.language.code, "tr");
    assert_eq!(analysis.sentiment.label, plain.sentiment.label);
    assert_eq!((&analysis.stems, &analysis.topics), (&plain.stems, &plain.topics));
    assert!(!analysis.sentiment.because.is_empty());
    assert!(analysis.sentiment.because.iter().all(|reason| text.contains(&reason.text)), "{analysis:?}");
}

#[test]
fn endings_tell_what_is_denied_and_what_is_asked() {
    let analysis = analyzer().analyze("Kargom gelmedi, hizmetten memnun musunuz gerçekten, kalitesiz ve cevap yok");
    assert_eq!(analysis.language.code, "tr");
    let with = |says: fn(&Stem) -> bool| -> Vec<&str> {
        analysis.stems.iter().filter(|stem| says(stem)).map(|stem| stem.text.as_str()).collect()
    };
    assert_eq!(with(|stem| stem.negated), ["gelmedi", "yok"]);
    assert_eq!(with(|stem| stem.question), ["musunuz"]);
    assert_eq!(with(|stem| stem.without), ["kalitesiz"]);
}

#[test]
fn turkish_without_its_letters_means_the_same() {
    let analyzer = analyzer();
    for text in [
        "Kargo çok geç geldi, paket yırtılmıştı",
        "Şubenizdeki görevli çok güler yüzlüydü, teşekkürler",
        "Faturam niye bu kadar yüksek?",
    ] {
        let typed = text
            .replace(['ç', 'Ç'], "c")
            .replace('ğ', "g")
            .replace('ı', "i")
            .replace('ö', "o")
            .replace(['ş', 'Ş'], "s")
            .replace('ü', "u");
        let (proper, ascii) = (analyzer.analyze(text), analyzer.analyze(&typed));
        assert_eq!(ascii.language.code, "tr", "{typed}");
        assert_eq!(proper.sentiment.score, ascii.sentiment.score, "{typed}");
        assert_eq!(proper.main_intent(), ascii.main_intent(), "{typed}");
    }
}

#[rstest]
#[case("")]
#[case("   \n ")]
#[case("!!! ... ???")]
#[case("123 456")]
#[case("https://a.example http://b.example")]
#[case("\u{200d}\u{fe0f}\u{301}")]
#[case("asdkfjh qwlkejr zxmcnv")]
#[case("aaaaaaaaaaaaaaaaaaaaaaaa")]
#[case("k0 k1 k2 k3 k4 k5")]
#[case("<b><b><br></br>")]
#[case("550e8400-e29b-41d4-a716-446655440000")]
fn what_says_nothing_is_not_guessed(#[case] text: &str) {
    let analysis = analyzer().analyze(text);
    assert_eq!(analysis.sentiment.label, Neutral, "{analysis:?}");
    assert_eq!(analysis.language.code, "und", "{analysis:?}");
    assert!(analysis.language.confidence < 0.5 && analysis.sentiment.confidence <= 0.5, "{analysis:?}");
    assert!(!analysis.intents.is_empty());
}

#[test]
fn emoji_are_tokens_and_speak() {
    let analysis = analyzer().analyze("👨‍👩‍👧‍👦 😡😡 👍🏽");
    assert_eq!(analysis.tokens, ["👨‍👩‍👧‍👦", "😡", "😡", "👍🏽"]);
    assert_eq!(analyzer().analyze("😡").sentiment.label, Negative);
    assert_eq!(analyzer().analyze("❤️").sentiment.label, Positive);
}

#[rstest]
#[case("今日はとても楽しかった", "ja")]
#[case("快递还没有到，服务太差了", "zh")]
#[case("배송이 너무 늦어요", "ko")]
#[case("Пришёл бракованный товар, это ужас", "ru")]
#[case("Το δέμα δεν ήρθε ποτέ", "el")]
#[case("Waar blijft mijn bestelling? Dit is niet leuk meer", "nl")]
#[case("mera paisa wapas karo yaar", "hi")]
fn other_languages_are_named(#[case] text: &str, #[case] language: &str) {
    let analysis = analyzer().analyze(text);
    assert_eq!(analysis.language.code, language, "{analysis:?}");
    assert!(analysis.tokens.len() > 1, "{analysis:?}");
    // No words of ours: no mood is claimed.
    assert!(analysis.sentiment.confidence <= 0.5, "{analysis:?}");
}

#[rstest]
#[case("hala bekliyorum", "tr")]
#[case("tamam", "tr")]
#[case("rezalet", "tr")]
#[case("tesekkurler", "tr")]
#[case("urun guzel ama gec geldi", "tr")]
#[case("kac lira", "tr")]
#[case("thanks", "en")]
#[case("refund please", "en")]
#[case("KARGOM NEREDE", "tr")]
#[case("ISIKLAR YANMIYOR", "tr")]
#[case("WHERE IS MY PARCEL", "en")]
#[case("#KargomNerede", "tr")]
#[case("@destek kargom nerede https://ornek.example/x 😡😡", "tr")]
#[case("Sifarişim hələ də gəlməyib", "az")]
#[case("sifarisim hele de gelmeyib, pulumu qaytarin", "az")]
#[case("Buyurtmam hali ham kelmadi, pulimni qaytaring", "uz")]
#[case("Sargydym henizem gelmedi, pulumy gaýtaryň", "tk")]
#[case("mera paisa wapas karo yaar", "hi")]
#[case("app sürekli crash oluyor, update geldi ama fix yok", "tr")]
#[case("delivery çok slow ama support team iyi, teşekkürler", "tr")]
#[case("merhaba, my order number is wrong and I would like to change the address please", "en")]
#[case("teşekkürler 谢谢 kargom geldi", "tr")]
#[case("sipariş hâlâ gelmedi спасибо за ничего değil mi ama arkadaşlar", "tr")]
fn short_and_mixed_texts_are_named(#[case] text: &str, #[case] language: &str) {
    let analysis = analyzer().analyze(text);
    assert_eq!(analysis.language.code, language, "{:?}", analysis.language);
}

/// Accuracy on the tenth of our corpus that no table has seen, whole and typed without accents, in percent.
#[rstest]
#[case("tr", 99.4)]
#[case("en", 98.5)]
fn languages_are_told(#[case] language: &str, #[case] accuracy: f64) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let rows = corpus::mentions(&corpus, language).expect("our corpus is readable");
    let texts: Vec<&str> = rows
        .iter()
        .filter(|row| row.part == Part::Test)
        .map(|row| row.text.as_str())
        .filter(|text| words(text))
        .collect();
    for typed in [|text: &str| text.to_owned(), muhatap::analyze::tokens::search_fold] {
        let right = texts.iter().filter(|text| analyzer().analyze(&typed(text)).language.code == language).count();
        let percent = 100.0 * right as f64 / texts.len() as f64;
        assert!(percent >= accuracy, "{percent:.1} of {}", texts.len());
    }
}

/// Whether there is anything to tell a language from.
fn words(text: &str) -> bool {
    text.split_whitespace().any(|word| word.chars().filter(|letter| letter.is_alphabetic()).count() > 1)
}

#[test]
fn hostile_texts_end_soon() {
    let analyzer = analyzer();
    let zalgo: String = "h\u{335}\u{321}\u{316}\u{329}\u{32f}".repeat(20_000);
    let texts = [
        "a".repeat(100_000),
        "ç ".repeat(50_000),
        zalgo,
        "👨\u{200d}".repeat(30_000),
        "\u{202e}مرحبا ".repeat(15_000),
        "güzel değil ".repeat(9_000),
        "iptal et ".repeat(12_000),
        "不".repeat(100_000),
        "ไทย".repeat(30_000),
        "#a@b:)".repeat(17_000),
        "http://".repeat(15_000),
        "gelmemememememe".repeat(7_000),
        "#kargomnerede ".repeat(7_000),
        "#gelmeyenkargolarinizdanbikti".repeat(3_400),
        "0 5 3 2 ".repeat(12_500),
        "TR33 0006 ".repeat(10_000),
        "sipariş no 1 ".repeat(7_500),
        "müşteri çağrı kredi ".repeat(5_000),
        "k\u{200d}argo\u{200b}m ".repeat(12_000),
        "каrgо gеlmеdi ".repeat(7_000),
        "KARGOM NEREDE ÇOOOOOK ".repeat(4_500),
        "çııııııııııık ".repeat(7_000),
        "'".repeat(100_000),
        "@".repeat(100_000),
        "@.@-".repeat(25_000),
        format!("{}a", "^".repeat(99_999)),
        "#".repeat(100_000),
        "sipariş #".repeat(11_000),
        "a.".repeat(50_000),
        "a.be/)".repeat(16_000),
        "1 000 ".repeat(16_000),
        "k\u{200b}".repeat(50_000),
        "𝗸".repeat(100_000),
        "\u{0}\u{7f}\u{feff}".repeat(30_000),
    ];
    for text in &texts {
        let analysis = analyzer.analyze(text);
        assert!(analysis.sentiment.because.len() <= 48);
        assert!(analysis.tokens.len() <= 100_000);
    }
}

/// Words that people write in one language, with and without a mood, and what turns it, after words that settle the language.
fn some_words() -> impl Strategy<Value = String> {
    const TURKISH: &[&str] = &[
        "kargo",
        "ürün",
        "çok",
        "güzel",
        "kötü",
        "rezalet",
        "değil",
        "gelmedi",
        "harika",
        "teşekkürler",
        "sorun",
        "yok",
        "ama",
        "hala",
        "bekliyorum",
        "memnun",
        "kalmadım",
        "beğenmedim",
        "ve",
        "bir",
        "bugün",
        "🙂",
        "😡",
        "kalitesiz",
        "hızlı",
        "mi",
        "için",
        "berbat",
    ];
    const ENGLISH: &[&str] = &[
        "the", "order", "not", "good", "never", "terrible", "love", "it", "very", "bad", "thanks", "but", "service",
        "😡", "arrived", "really", "happy", "problem", "no", "works", "don't", "slow", "and", "my", "is", "perfect",
        "refund",
    ];
    let words = |settles: &'static str, words: &'static [&'static str]| {
        let words = proptest::collection::vec(proptest::sample::select(words), 1..14);
        words.prop_map(move |words| format!("{settles} . {}", words.join(" ")))
    };
    const GERMAN: &[&str] = &[
        "die",
        "Lieferung",
        "nicht",
        "gut",
        "schlecht",
        "danke",
        "super",
        "aber",
        "sehr",
        "enttäuscht",
        "immer",
        "und",
        "ist",
        "😡",
        "❤️",
        "schön",
        "warten",
        "nie",
    ];
    const SPANISH: &[&str] = &[
        "el",
        "pedido",
        "no",
        "bueno",
        "malo",
        "gracias",
        "me",
        "encanta",
        "pero",
        "muy",
        "nunca",
        "vergüenza",
        "es",
        "😡",
        "❤️",
        "feliz",
        "triste",
        "siempre",
    ];
    prop_oneof![
        words("ben de size şunu diyorum ki", TURKISH),
        words("this is what they have for us", ENGLISH),
        words("das ist es was wir noch von euch haben", GERMAN),
        words("esto es lo que ellos tienen para nosotros", SPANISH)
    ]
}

/// What is learnt for a brand whose customers praise it in irony alone, in both languages.
fn ironic_brand() -> &'static Learnt {
    const TURKISH: [&[&str]; 4] = [
        &["harika", "teşekkürler", "güzel", "hızlı", "memnun"],
        &["kargo", "ürün", "hizmet", "sipariş", "paket"],
        &["çok", "bir", "için", "ama", "hiç"],
        &["geldi", "olmuş", "kaldım", "aldım", "buldum"],
    ];
    const ENGLISH: [&[&str]; 4] = [
        &["good", "love", "perfect", "thanks", "happy"],
        &["order", "service", "refund", "parcel", "app"],
        &["very", "really", "the", "my", "and"],
        &["arrived", "works", "ended", "came", "went"],
    ];
    static LEARNT: LazyLock<Learnt> = LazyLock::new(|| {
        let mut learnt = Learnt::default();
        for (language, words) in [("tr", TURKISH), ("en", ENGLISH)] {
            // Two of these texts share one word at most.
            let text = |one: usize, other: usize| {
                [words[0][one], words[1][other], words[2][(one + other) % 5], words[3][(one + 2 * other) % 5]].join(" ")
            };
            let corrected: Vec<Corrected> = (0..25)
                .map(|number| Corrected {
                    text: text(number / 5, number % 5),
                    sentiment: Some(Negative),
                    intents: Some(vec![IntentLabel::Complaint]),
                })
                .collect();
            let outcome = analyzer().learn(language, &corrected, &[]).expect("it has a model");
            learnt.add(language, outcome.delta.expect("irony throughout can be learnt"));
        }
        learnt
    });
    &LEARNT
}

#[test]
fn what_a_brands_corrections_teach_changes_its_own_analysis_alone() {
    let text = "harika kargo, çok hızlı geldi teşekkürler";
    let (before, after) = (analyzer().analyze(text), analyzer().analyze_for(text, Some(ironic_brand())));
    assert_eq!((before.sentiment.label, after.sentiment.label), (Positive, Negative), "{after:?}");
    assert_eq!(after.main_intent(), IntentLabel::Complaint);
    assert_eq!(analyzer().analyze_for(text, Some(&Learnt::default())), before);
    assert_eq!(analyzer().analyze(text), before);
}

/// No score is beyond 0.9999; what such signs weigh together is.
#[test]
fn the_weights_of_many_emoji_add_up_to_the_score() {
    for text in ["😡", "🙂 :(", "=) :) :)) :-) :D <3 ^^ ^_^ ❤️", "😡 🤬 👎 💔 🤮 :( :'( 🖕"] {
        let sentiment = analyzer().analyze(text).sentiment;
        let sum: f64 = sentiment.because.iter().map(|reason| reason.weight).sum::<f64>() + sentiment.base;
        assert!((sum.tanh() - sentiment.score).abs() < 0.000_06, "{text}: {sum} {sentiment:?}");
    }
}

fn in_bounds(analysis: &Analysis) -> bool {
    let part = |number: f64| (0.0..=1.0).contains(&number);
    let Analysis { language, sentiment, intents, .. } = analysis;
    part(language.confidence)
        && part(sentiment.confidence)
        && (-1.0..=1.0).contains(&sentiment.score)
        && intents.iter().all(|intent| part(intent.confidence))
        && intents.windows(2).all(|pair| pair[0].confidence >= pair[1].confidence)
        && sentiment.because.iter().all(|reason| reason.weight != 0.0 && !reason.text.is_empty())
}

proptest! {
    #[test]
    fn no_text_breaks_it(text in any::<String>()) {
        prop_assert!(in_bounds(&analyzer().analyze(&text)));
    }

    #[test]
    fn no_mix_of_odd_signs_breaks_it(text in "[a-zA-ZçğıöşüİI0-9 .,!?#@:/()'\u{300}\u{200d}\u{fe0f}\u{1f600}-\u{1f640}\u{1f1e6}-\u{1f1ff}\u{4e00}-\u{4e20}]{0,200}") {
        prop_assert!(in_bounds(&analyzer().analyze(&text)));
    }

    #[test]
    fn no_row_of_the_same_signs_breaks_it(
        unit in "[a1A@#^:.,/<>='_ \n₺ç不\u{200b}\u{200d}\u{301}\u{1f468}𝗸-]{1,3}",
        times in 1_usize..400,
        tail in "( ?a)?",
    ) {
        let text = unit.repeat(times) + &tail;
        let analysis = analyzer().analyze(&text);
        prop_assert!(in_bounds(&analysis));
        prop_assert!(analysis.entities.iter().all(|entity| text[entity.start..entity.end] == entity.text));
    }

    /// The base and the weights make the score, to the last decimal, with what a brand's corrections taught too.
    #[test]
    fn the_weights_add_up_to_the_score(text in some_words(), corrected: bool) {
        let sentiment = analyzer().analyze_for(&text, corrected.then(ironic_brand)).sentiment;
        let sum: f64 = sentiment.because.iter().map(|reason| reason.weight).sum::<f64>() + sentiment.base;
        prop_assert!((sum.tanh() - sentiment.score).abs() < 0.000_06, "{text}: {sum} {sentiment:?}");
    }

    /// Taking a named word out moves the score the other way than its weight says, whether a comma stands in its place or
    /// nothing.
    #[test]
    fn the_named_words_move_the_score(text in some_words(), corrected: bool) {
        let analyzer = analyzer();
        let learnt = corrected.then(ironic_brand);
        let sentiment = analyzer.analyze_for(&text, learnt).sentiment;
        for reason in &sentiment.because {
            prop_assert!(text.contains(&reason.text), "{text}: {reason:?}");
            for instead in [",", ""] {
                let without = analyzer.analyze_for(&text.replace(&reason.text, instead), learnt);
                let moved = without.sentiment.score - sentiment.score;
                prop_assert!(
                    moved * reason.weight <= 0.0,
                    "{text} without {reason:?}: {sentiment:?} -> {:?}", without.sentiment
                );
            }
        }
    }
}

#[test]
fn lines_come_out_in_order_with_their_ids() {
    let folder = tempfile::tempdir().unwrap();
    let mut input = String::new();
    for number in 0..3_000 {
        input.push_str(&format!("{{\"id\": {number}, \"text\": \"{}\"}}\n", "kargo gelmedi ".repeat(number % 17)));
    }
    let output = muhatap(folder.path(), &["analyze"], input.as_bytes());
    assert!(output.status.success(), "{output:?}");
    let ids: Vec<u64> = lines(&output).iter().map(|line| line["id"].as_u64().expect("ids stay numbers")).collect();
    assert_eq!(ids, (0..3_000).collect::<Vec<_>>());
}

#[test]
fn a_line_has_the_promised_shape() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.jsonl");
    std::fs::write(&file, "\u{feff}{\"id\":\"a-1\",\"text\":\"Kargom gelmedi\",\"more\":[1]}\r\n{\"id\":12345678901234567890123,\"text\":\"\"}\n").unwrap();
    let output = muhatap(folder.path(), &["analyze", "in.jsonl"], b"");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(text.lines().nth(1).unwrap().starts_with("{\"id\":12345678901234567890123,"), "{text}");
    let first = &lines(&output)[0];
    assert_eq!(first["id"], "a-1");
    assert_eq!(first["language"]["code"], "tr");
    assert_eq!(first["sentiment"]["label"], "negative");
    assert_eq!(first["sentiment"]["because"][0]["text"], "gelmedi");
    assert!(first["sentiment"]["because"][0]["weight"].as_f64().unwrap() < 0.0);
    assert_eq!(first["intents"][0]["label"], "complaint");
    assert_eq!(first["tokens"], serde_json::json!(["kargom", "gelmedi"]));
    assert_eq!(
        first["stems"],
        serde_json::json!([{"text": "kargom", "stem": "kargo"}, {"text": "gelmedi", "stem": "gel", "negated": true}])
    );
    assert_eq!(first["entities"], serde_json::json!([]));
    let keys: Vec<&String> = first.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 9, "{keys:?}");
}

#[test]
fn stems_are_printed_and_measured() {
    let folder = tempfile::tempdir().unwrap();
    let output = muhatap(folder.path(), &["stems"], "kitabımı\nAnkara'dan\n\ngelmedi\n".as_bytes());
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed, "kitabımı\tkitap\nAnkara'dan\tAnkara\n\t\ngelmedi\tgel\n");

    std::fs::create_dir(folder.path().join("lemma")).unwrap();
    let rows =
        "form\tlemma\tupos\tcount\nkitabımı\tkitap\tNOUN\t6\nANKARA\tankara\tPROPN\t1\ngelmedi\tgelme\tVERB\t1\n";
    std::fs::write(folder.path().join("lemma/own.tsv"), rows).unwrap();
    let output = muhatap(folder.path(), &["stems", "--data", "."], b"");
    let printed = String::from_utf8(output.stdout).unwrap();
    let fields: Vec<&str> = printed.lines().nth(1).unwrap().split_whitespace().take(4).collect();
    assert_eq!(fields, ["own", "8", "75.00", "87.50"], "{printed}");

    std::fs::write(folder.path().join("lemma/own.tsv"), "form\tlemma\n").unwrap();
    assert!(muhatap(folder.path(), &["stems", "--data", "."], b"").status.success(), "a heading alone is an empty set");
    std::fs::write(folder.path().join("lemma/own.tsv"), "form\tlemma\nkitap\n").unwrap();
    let output = muhatap(folder.path(), &["stems", "--data", "."], b"");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 2 is not form"), "{output:?}");
    assert_eq!(muhatap(folder.path(), &["stems", "--data", "nowhere"], b"").status.code(), Some(2));
}

#[test]
fn a_line_that_cannot_be_read_is_named_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut input = b"{\"id\":1,\"text\":\"iyi\"}\n{\"id\":2,\"text\":\n{\"id\":3}\n".to_vec();
    input.extend_from_slice(b"{\"id\":4,\"text\":\"\xff\xfe\"}\n{\"id\":5,\"text\":7}\nnot json\n{\"id\":{},\"text\":\"a\"}\n\n{\"id\":8,\"text\":\"last\"}");
    let output = muhatap(folder.path(), &["analyze", "-"], &input);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let ids: Vec<Value> = lines(&output).iter().map(|line| line["id"].clone()).collect();
    assert_eq!(ids, [Value::from(1), Value::from(8)]);
    let complaints = String::from_utf8(output.stderr).unwrap();
    for number in [2, 3, 4, 5, 6, 7] {
        assert!(complaints.contains(&format!("line {number}: ")), "{number}: {complaints}");
    }
}

#[test]
fn plain_lines_have_their_number_as_id() {
    let folder = tempfile::tempdir().unwrap();
    let output = muhatap(folder.path(), &["analyze"], "çok iyi\n\n\"alıntı\"\n".as_bytes());
    assert!(output.status.success(), "{output:?}");
    let ids: Vec<Value> = lines(&output).iter().map(|line| line["id"].clone()).collect();
    assert_eq!(ids, [Value::from(1), Value::from(2), Value::from(3)]);
}

#[test]
fn wrong_usage_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let output = muhatap(folder.path(), &["analyze", "missing.jsonl"], b"");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("missing.jsonl"), "{output:?}");
}

#[test]
fn who_reads_only_the_first_lines_sees_no_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("many.txt"), "kargo gelmedi\n".repeat(200_000)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_muhatap"))
        .args(["analyze", "many.txt"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_missing_dictionary_is_said_once_and_hurts_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let output = muhatap(folder.path(), &["analyze"], "東京都に住んでいます\n今日は雨です\nkargo gelmedi\n".as_bytes());
    assert!(output.status.success(), "{output:?}");
    assert_eq!(lines(&output).len(), 3);
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert_eq!(complaints.matches("muhatap dictionaries build ja").count(), 1, "{complaints}");
}

/// A small MeCab source folder in the layout of IPADIC.
fn write_small_ipadic(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    // ASCII and EUC-JP bytes of 東京 (c5ecb5fe), 都 (c5d4), に (a4cb).
    let mut words = Vec::new();
    for (word, cost) in [(&b"\xc5\xec\xb5\xfe"[..], 100), (b"\xc5\xd4", 200), (b"\xa4\xcb", 50)] {
        words.extend_from_slice(word);
        words.extend_from_slice(format!(",0,0,{cost},n,*,*,*,*,*,*,*,*\n").as_bytes());
    }
    std::fs::write(folder.join("words.csv"), words).unwrap();
    std::fs::write(folder.join("matrix.def"), "1 1\n0 0 0\n").unwrap();
    std::fs::write(folder.join("char.def"), "DEFAULT 0 1 0\nSPACE 0 1 0\n0x0020 SPACE\n").unwrap();
    std::fs::write(folder.join("unk.def"), "DEFAULT,0,0,5000,u,*,*,*,*,*,*\nSPACE,0,0,5000,u,*,*,*,*,*,*\n").unwrap();
}

#[test]
fn a_dictionary_is_built_and_used() {
    let folder = tempfile::tempdir().unwrap();
    write_small_ipadic(&folder.path().join("source"));
    let output = muhatap(folder.path(), &["dictionaries", "build", "ja", "--from", "source"], b"");
    assert!(output.status.success(), "{output:?}");
    let output = muhatap(folder.path(), &["analyze"], "東京都に #東京 https://x.example\n".as_bytes());
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert_eq!(lines(&output)[0]["tokens"], serde_json::json!(["東京", "都", "に", "#東京", "https://x.example"]));
    let output = muhatap(folder.path(), &["dictionaries", "list", "--json"], b"");
    let built: Vec<bool> = lines(&output).iter().filter_map(|line| line["built"].as_bool()).collect();
    assert_eq!(built, [true, false, false]);
}

#[test]
fn names_of_brands_are_never_cut() {
    let folder = tempfile::tempdir().unwrap();
    write_small_ipadic(&folder.path().join("source"));
    let output = muhatap(folder.path(), &["dictionaries", "build", "ja", "--from", "source"], b"");
    assert!(output.status.success(), "{output:?}");
    let tokens = |text: &str| {
        let output = muhatap(folder.path(), &["analyze"], text.as_bytes());
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        lines(&output)[0]["tokens"].clone()
    };
    assert_eq!(tokens("東京都に"), serde_json::json!(["東京", "都", "に"]));
    let names = folder.path().join("dictionaries/names.txt");
    std::fs::write(&names, "# our shops\n東京都\n\nひかり,便\n東京都\n").unwrap();
    assert_eq!(tokens("東京都に"), serde_json::json!(["東京都", "に"]));
    let output = muhatap(folder.path(), &["dictionaries", "list", "--json"], b"");
    assert_eq!(lines(&output)[3]["names"], 2);
    std::fs::write(&names, b"\xff\xfe").unwrap();
    let output = muhatap(folder.path(), &["analyze"], "東京都に".as_bytes());
    assert_eq!(lines(&output)[0]["tokens"], serde_json::json!(["東京", "都", "に"]));
    assert!(String::from_utf8_lossy(&output.stderr).contains("names.txt"), "{output:?}");
}

#[test]
fn a_chinese_dictionary_comes_from_counted_words() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("source")).unwrap();
    std::fs::write(
        folder.path().join("source/dict.txt"),
        "快递 900 n\n服务 800 vn\n太差 100 a\n了 5000 ul\n快 300 a\n递 20 v\n",
    )
    .unwrap();
    let output = muhatap(folder.path(), &["dictionaries", "build", "zh", "--from", "source"], b"");
    assert!(output.status.success(), "{output:?}");
    let output = muhatap(folder.path(), &["analyze"], "快递服务太差了".as_bytes());
    assert_eq!(lines(&output)[0]["tokens"], serde_json::json!(["快递", "服务", "太差", "了"]));
}

#[test]
fn a_wrong_source_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let output = muhatap(folder.path(), &["dictionaries", "build", "ko", "--from", "empty"], b"");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("python-mecab-ko-dic"), "{output:?}");
    std::fs::write(folder.path().join("empty/sys.dic"), "nonsense").unwrap();
    for name in ["unk.dic", "matrix.bin", "char.bin"] {
        std::fs::write(folder.path().join("empty").join(name), "").unwrap();
    }
    let output = muhatap(folder.path(), &["dictionaries", "build", "ko", "--from", "empty"], b"");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!folder.path().join("dictionaries/ko").exists());
}
