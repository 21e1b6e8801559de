//! Distinct made-up mentions for the benchmarks, the same for the same seed.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub const SEED: u64 = 20_261_121;
const AUTHORS: u32 = 40_000;
pub const CONTACTS: u32 = 5_000;

const OPENINGS: [&str; 12] = [
    "Merhaba,",
    "Selam",
    "Arkadaşlar",
    "Ya",
    "Sayın yetkili,",
    "Bir sorum var:",
    "Hello,",
    "Hi there,",
    "Kolay gelsin,",
    "Üç gündür",
    "Dün akşam",
    "Bu sabah",
];
const SUBJECTS: [&str; 16] = [
    "kargom",
    "siparişim",
    "uygulama",
    "müşteri hizmetleri",
    "iade talebim",
    "mağazanız",
    "ürün",
    "kampanya",
    "faturam",
    "my order",
    "the app",
    "your support",
    "the delivery",
    "internet bağlantısı",
    "kurye",
    "ödeme sayfası",
];
const VERBS: [&str; 18] = [
    "hâlâ gelmedi",
    "açılmıyor",
    "cevap vermiyor",
    "çok güzel olmuş",
    "bozuk çıktı",
    "beklediğimden iyi",
    "never arrived",
    "is broken again",
    "works great",
    "sürekli çöküyor",
    "iptal edilmiş",
    "yanlış adrese gitmiş",
    "tam zamanında geldi",
    "çok pahalı",
    "eksik geldi",
    "harika",
    "rezalet",
    "fena değil",
];
const ENDINGS: [&str; 14] = [
    "lütfen yardım edin.",
    "teşekkürler!",
    "ne zaman gelir?",
    "bir daha almam.",
    "herkese tavsiye ederim :)",
    "please help",
    "thanks a lot",
    "😡😡",
    "kimse ilgilenmiyor",
    "param iade edilsin",
    "nereden alabilirim?",
    "süpersiniz ❤️",
    "bekliyorum",
    "yazık…",
];

/// Writes `lines` JSON lines; answers their size in bytes.
pub fn write_mentions(path: &Path, lines: u32) -> u64 {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut out = BufWriter::new(File::create(path).expect("the file can be made"));
    for number in 0..lines {
        let author = random.random_range(0..AUTHORS);
        let mut text = pick(&mut random, &OPENINGS).to_owned();
        for _ in 0..random.random_range(1..4) {
            let (subject, verb) = (pick(&mut random, &SUBJECTS), pick(&mut random, &VERBS));
            write!(text, " {subject} {verb},").expect("writing to a string cannot fail");
        }
        write!(text, " {} (talep {})", pick(&mut random, &ENDINGS), random.random_range(10_000..99_999))
            .expect("writing to a string cannot fail");
        if random.random_ratio(1, 50) {
            write!(text, " bana kisi{}@ornek.com yazın", author % CONTACTS).expect("writing to a string cannot fail");
        }
        let at = 1_760_000_000 + i64::from(number) * 17;
        let line = serde_json::json!({
            "id": format!("m{number}"),
            "text": text,
            "author_id": format!("a{author}"),
            "author": format!("kisi{author}"),
            "author_name": format!("Kişi {author}"),
            "published_at": jiff::Timestamp::from_second(at).expect("it is a time").to_string(),
            "url": format!("https://network.example/m{number}"),
        });
        writeln!(out, "{line}").expect("the file can be written");
    }
    out.flush().expect("the file can be written");
    std::fs::metadata(path).expect("it was just written").len()
}

fn pick<'w>(random: &mut StdRng, words: &[&'w str]) -> &'w str {
    words[random.random_range(0..words.len())]
}
